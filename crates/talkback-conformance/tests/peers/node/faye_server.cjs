// faye-websocket as an echo server, as aiohttp_server.py: faye_server.cjs PORT
const http = require("node:http");
const WebSocket = require("faye-websocket");
const deflate = require("permessage-deflate");

const carrier = http.createServer();
carrier.on("upgrade", (request, stream, head) => {
  if (request.url === "/missing") {
    return stream.end("HTTP/1.1 404 Not Found\r\nConnection: close\r\n\r\nthere is nothing here\n");
  }
  const socket = new WebSocket(request, stream, head, ["chat"], { extensions: [deflate], maxLength: 2 ** 24 });
  if (request.url === "/bye") socket.on("open", () => socket.close(4001, "bye"));
  if (request.url === "/ping") socket.ping("there?", () => socket.send("pong there?"));
  socket.on("message", ({ data }) => socket.send(data));
  socket.on("close", ({ code, reason }) => console.log(`closed ${code} ${reason}`));
});
carrier.listen(process.argv[2], "127.0.0.1");
