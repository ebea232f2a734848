// Bun, whose server is uWebSockets. With takeover each connection has a compressor of its own, else all share one.
// It echoes, or publishes each message to all.
const has = (flag) => Bun.argv.includes(flag);
const compressor = has("--takeover") ? "dedicated" : "shared";
const server = Bun.serve({
  hostname: "127.0.0.1",
  port: 0,
  fetch: (request, server) => (server.upgrade(request) ? undefined : new Response(null, { status: 426 })),
  websocket: {
    maxPayloadLength: 64 << 20,
    perMessageDeflate: has("--deflate") && { compress: compressor, decompress: compressor },
    open: (socket) => has("--broadcast") && socket.subscribe("all"),
    message: (socket, message) =>
      void (has("--broadcast") ? server.publish("all", message, has("--deflate")) : socket.send(message, has("--deflate"))),
  },
});
console.log(`ws://127.0.0.1:${server.port}/`);
