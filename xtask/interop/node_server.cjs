// Node's ws as the server of `talkback connect`.
//
// Usage: node_server.cjs [--cert FILE --key FILE]
//
// With a certificate it speaks wss://. It echoes what it receives, and prints its address and then
// what it sees, one line each. It knows the subprotocol `chat`. On the path /bye it closes with 4001
// "bye"; /missing is a 404.
"use strict";

const { readFileSync } = require("node:fs");
const http = require("node:http");
const https = require("node:https");
const { parseArgs } = require("node:util");
const { WebSocketServer } = require("ws");

const { cert, key } = parseArgs({
  options: { cert: { type: "string" }, key: { type: "string" } },
}).values;
const carrier = cert
  ? https.createServer({ cert: readFileSync(cert), key: readFileSync(key) })
  : http.createServer();

const server = new WebSocketServer({
  server: carrier,
  perMessageDeflate: true,
  handleProtocols: (offered) => (offered.has("chat") ? "chat" : false),
  verifyClient: ({ req }, decide) => {
    console.log(`token ${req.headers["x-token"]}`);
    decide(req.url !== "/missing", 404, "there is nothing here\n");
  },
});

carrier.listen(0, "127.0.0.1", () => {
  console.log(`listening on ${cert ? "wss" : "ws"}://127.0.0.1:${carrier.address().port}/`);
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
