// socket.io's engine as an echo server: engineio_server.cjs PORT
const engine = require("engine.io");

// It compresses messages of 1 KiB and more.
const server = engine.listen(Number(process.argv[2]), { perMessageDeflate: true, pingInterval: 100, pingTimeout: 5000 });
server.on("connection", (socket) => {
  console.log(`connected by ${socket.transport.name}`);
  socket.on("upgrade", ({ name }) => console.log(`upgraded to ${name}`));
  socket.on("message", (data) => (data === "bye" ? socket.close() : socket.send(data)));
  socket.on("close", (reason) => console.log(`closed: ${reason}`));
});
