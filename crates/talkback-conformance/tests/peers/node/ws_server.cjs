// Node's ws as an echo server, as websockets_server.py: ws_server.cjs PLACE [CERT KEY [CA]]
const { readFileSync } = require("node:fs");
const { WebSocketServer } = require("ws");

const [place, ...files] = process.argv.slice(2);
const [cert, key, ca] = files.map((file) => readFileSync(file));
const carrier = cert
  ? require("node:https").createServer({ cert, key, ca, requestCert: Boolean(ca) })
  : require("node:http").createServer();
const server = new WebSocketServer({
  server: carrier,
  perMessageDeflate: true,
  handleProtocols: (offered) => (offered.has("chat") ? "chat" : false),
  verifyClient: ({ req }, decide) => {
    const { host, origin, cookie, "user-agent": agent, "x-token": token } = req.headers;
    console.log(`asked ${host} ${origin} ${cookie} ${agent}`);
    console.log(`token ${token}`);
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
const where = place.includes("/") ? { path: place } : { port: Number(place), host: "127.0.0.1" };
carrier.listen(where, () => console.log("listening"));
