// WebSocket-Node as an echo server, as aiohttp_server.py: websocket_server.cjs PORT
const http = require("node:http");
const { server: WebSocketServer } = require("websocket");

const carrier = http.createServer();
// A message of more than 16 KiB leaves in fragments, as it does by default.
const limits = { maxReceivedFrameSize: 2 ** 24, maxReceivedMessageSize: 2 ** 24 };
const server = new WebSocketServer({ httpServer: carrier, autoAcceptConnections: false, ...limits });
server.on("request", (request) => {
  const { pathname } = request.resourceURL;
  if (pathname === "/missing") return request.reject(404, "there is nothing here");
  const socket = request.accept(request.requestedProtocols.includes("chat") ? "chat" : null, request.origin);
  if (pathname === "/bye") socket.close(4001, "bye");
  if (pathname === "/ping") socket.ping("there?");
  socket.on("pong", (data) => socket.sendUTF(`pong ${data}`));
  socket.on("message", ({ utf8Data, binaryData }) => socket.send(utf8Data ?? binaryData));
  socket.on("close", (code, reason) => console.log(`closed ${code} ${reason}`));
});
carrier.listen(process.argv[2], "127.0.0.1");
