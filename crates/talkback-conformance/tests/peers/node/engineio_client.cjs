// socket.io's engine as the client of our server of its protocol: engineio_client.cjs URL
const assert = require("node:assert/strict");
const { randomBytes } = require("node:crypto");
const { once } = require("node:events");
const { setTimeout: sleep } = require("node:timers/promises");
const { Socket } = require("engine.io-client");

const options = { transports: ["websocket"], perMessageDeflate: { threshold: 0 } };
const alike = [1, 2, 3].map((number) => JSON.stringify({ user: "이몽룡", number, tags: Array(9).fill("a") }).repeat(20));
const messages = ["안녕하세요", "👋🏽 🇰🇷", "", ...alike, "가나다 abc ".repeat(10_000)];
const bytes = [Buffer.from([0, 255]), randomBytes(900_000), ...alike.map((text) => Buffer.from(text))];

async function connect() {
  const socket = new Socket(process.argv[2], options);
  await once(socket, "open");
  return socket;
}

async function echoes(all) {
  const socket = await connect();
  for (const message of all) {
    const [[answer]] = await Promise.all([once(socket, "message"), socket.send(message)]);
    // An empty text is given out as nothing.
    const isSame = typeof message === "string" ? (answer ?? "") === message : message.equals(Buffer.from(answer));
    assert.ok(isSame, `got ${String(answer).slice(0, 100)}, wanted ${String(message).slice(0, 100)}`);
  }
  socket.close();
}

const checks = {
  texts: () => echoes(messages),
  bytes: () => echoes(bytes),
  async "a burst"() {
    const socket = await connect();
    const [sent, received] = [Array.from({ length: 1000 }, (_, index) => `${index}`), []];
    socket.on("message", (message) => received.push(message));
    sent.forEach((message) => socket.send(message));
    while (received.length < sent.length) await once(socket, "message");
    assert.deepEqual(received, sent);
    socket.close();
  },
  async "pings of the server's"() {
    const socket = await connect();
    for (let pongs = 0; pongs < 3; await sleep(50)) {
      socket.send("pongs");
      pongs = Number((await once(socket, "message"))[0]);
    }
    socket.close();
  },
  async close() {
    const socket = await connect();
    const closed = once(socket, "close");
    socket.close();
    assert.equal((await closed)[0], "forced close");
  },
};

async function main() {
  for (const [name, check] of Object.entries(checks)) {
    await check();
    console.log("ok", name);
  }
  process.exit();
}

main();
