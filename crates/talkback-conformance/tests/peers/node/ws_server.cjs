// Node's ws as an echo server, as aiohttp_server.py: ws_server.cjs PORT [CERT KEY]
//
// With a certificate it speaks wss://. It prints what it sees, one line each. On /fragments it answers in fragments.
const { readFileSync } = require("node:fs");
const { WebSocketServer } = require("ws");

const [port, ...files] = process.argv.slice(2);
const [cert, key] = files.map((file) => readFileSync(file));
const carrier = cert ? require("node:https").createServer({ cert, key }) : require("node:http").createServer();
const server = new WebSocketServer({
  server: carrier,
  perMessageDeflate: true,
  handleProtocols: (offered) => (offered.has("chat") ? "chat" : false),
  verifyClient: ({ req }, decide) => {
    console.log(`token ${req.headers["x-token"]}`);
    decide(req.url !== "/missing", 404, "there is nothing here\n");
  },
});
server.on("connection", (socket, request) => {
  if (request.url === "/bye") socket.close(4001, "bye");
  if (request.url === "/ping") socket.ping("there?");
  socket.on("pong", (data) => socket.send(`pong ${data}`));
  socket.on("message", (data, binary) => {
    console.log("received", data.length < 100 ? JSON.stringify(data.toString()) : "");
    const parts = request.url === "/fragments" ? [data.subarray(0, 1), data.subarray(1, 1), data.subarray(1)] : [data];
    parts.forEach((part, index) => socket.send(part, { binary, fin: index === parts.length - 1 }));
  });
  socket.on("close", (code, reason) => console.log(`closed ${code} ${reason}`));
});
carrier.listen(port, "127.0.0.1");
