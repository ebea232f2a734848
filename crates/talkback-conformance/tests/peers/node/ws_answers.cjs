// Node's ws as a client that answers, as websockets_answers.py: URL [CA]. It tells its subprotocol and the end.
const { readFileSync } = require("node:fs");
const WebSocket = require("ws");

const [url, file] = process.argv.slice(2);
const socket = new WebSocket(url, ["chat"], { ca: file && readFileSync(file) });
socket.on("open", () => console.log(`speaks ${socket.protocol}`));
socket.on("message", (data) => socket.send(`got ${data}`));
socket.on("close", (code) => console.log(`closed ${code}`));
