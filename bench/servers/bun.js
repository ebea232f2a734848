// Bun, whose server is uWebSockets. With takeover each connection has a compressor of its own, else all share one.
const has = (flag) => Bun.argv.includes(flag);
const compressor = has("--takeover") ? "dedicated" : "shared";
const server = Bun.serve({
  hostname: "127.0.0.1",
  port: 0,
  fetch: (request, server) => (server.upgrade(request) ? undefined : new Response(null, { status: 426 })),
  websocket: {
    maxPayloadLength: 64 << 20,
    perMessageDeflate: has("--deflate") && { compress: compressor, decompress: compressor },
    message: (socket, message) => void socket.send(message, has("--deflate")),
  },
});
console.log(`ws://127.0.0.1:${server.port}/`);
