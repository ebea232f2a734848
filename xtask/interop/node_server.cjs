// Node's ws as the server of `talkback connect`.
//
// Echoes what it receives, and prints its address and then what it sees, one line each. It knows
// the subprotocol `chat`. On the path /bye it closes with 4001 "bye"; /missing is a 404.
"use strict";

const { WebSocketServer } = require("ws");

const server = new WebSocketServer({
  host: "127.0.0.1",
  port: 0,
  perMessageDeflate: true,
  handleProtocols: (offered) => (offered.has("chat") ? "chat" : false),
  verifyClient: ({ req }, decide) => {
    console.log(`token ${req.headers["x-token"]}`);
    decide(req.url !== "/missing", 404, "there is nothing here\n");
  },
});

server.on("listening", () => {
  console.log(`listening on ws://127.0.0.1:${server.address().port}/`);
});

server.on("connection", (socket, request) => {
  if (request.url === "/bye") {
    socket.close(4001, "bye");
    return;
  }
  socket.on("message", (data, isBinary) => {
    console.log(`received ${JSON.stringify(data.toString())}`);
    socket.send(data, { binary: isBinary });
  });
});
