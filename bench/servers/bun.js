// Bun, whose server is uWebSockets. With takeover each connection has a compressor of its own, else all share one.
// It echoes, or publishes each message to all, or to the topic that it has the number of (see ../load/src/many.rs).
const has = (flag) => Bun.argv.includes(flag);
const compressor = has("--takeover") ? "dedicated" : "shared";
function many(socket, message) {
  if (message[0] == 1) return void server.publish(String(message.readUInt32LE(1)), message);
  for (let at = 1; at < message.length; at += 4) socket.subscribe(String(message.readUInt32LE(at)));
  socket.send(message);
}
const server = Bun.serve({
  hostname: "127.0.0.1",
  port: 0,
  fetch: (request, server) => (server.upgrade(request) ? undefined : new Response(null, { status: 426 })),
  websocket: {
    maxPayloadLength: 64 << 20,
    perMessageDeflate: has("--deflate") && { compress: compressor, decompress: compressor },
    open: (socket) => has("--broadcast") && !has("--many") && socket.subscribe("all"),
    message: has("--many")
      ? many
      : (socket, message) =>
          void (has("--broadcast") ? server.publish("all", message, has("--deflate")) : socket.send(message, has("--deflate"))),
  },
});
console.log(`ws://127.0.0.1:${server.port}/`);
