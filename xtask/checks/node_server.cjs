// Node's ws as the server of `talkback connect`: node_server.cjs [CERT KEY]
//
// With a certificate it speaks wss://. It echoes what it receives, and prints its address and then what it sees, one
// line each. It knows the subprotocol `chat`. On the path /bye it closes with 4001 "bye"; /missing is a 404.
const { readFileSync } = require("node:fs");
const { WebSocketServer } = require("ws");

const [cert, key] = process.argv.slice(2).map((file) => readFileSync(file));
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
  if (request.url === "/bye") return socket.close(4001, "bye");
  socket.on("message", (data, binary) => {
    console.log(`received ${JSON.stringify(data.toString())}`);
    socket.send(data, { binary });
  });
});
carrier.listen(0, "127.0.0.1", () => {
  console.log(`listening on ${cert ? "wss" : "ws"}://127.0.0.1:${carrier.address().port}/`);
});
