// WebSocket-Node, faye-websocket or ws as the client of our echo server, as python/clients.py: clients.cjs NAME URL...
const assert = require("node:assert/strict");
const { randomBytes } = require("node:crypto");
const { once } = require("node:events");

const [name, url, ...others] = process.argv.slice(2);
const sizeMax = 2 ** 24;

// All of them have the interface that a page has.
const open = {
  faye(address, subprotocols, deflates) {
    const extensions = deflates ? [require("permessage-deflate")] : [];
    return new (require("faye-websocket").Client)(address, subprotocols, { extensions, maxLength: sizeMax });
  },
  websocket(address, subprotocols) {
    const limits = { maxReceivedFrameSize: sizeMax, maxReceivedMessageSize: sizeMax };
    return new (require("websocket").w3cwebsocket)(address, subprotocols, undefined, undefined, undefined, limits);
  },
  ws(address, subprotocols, deflates) {
    return new (require("ws"))(address, subprotocols, { perMessageDeflate: deflates, maxPayload: sizeMax });
  },
}[name];

/** A connection whose `next` is the next message, or how the connection ended. */
async function connect(address, subprotocols = [], deflates = true) {
  const socket = open(address, subprotocols, deflates);
  const [came, waiting] = [[], []];
  const push = (event) => (waiting.length ? waiting.shift()(event) : came.push(event));
  const next = () => (came.length ? came.shift() : new Promise((resolve) => waiting.push(resolve)));
  const opened = new Promise((resolve) => {
    socket.onopen = resolve;
    socket.onerror = () => resolve();
  });
  socket.binaryType = "arraybuffer";
  socket.onmessage = ({ data }) => push(typeof data === "string" ? data : Buffer.from(data));
  socket.onclose = ({ code, reason }) => push([code, reason]);
  await opened;
  return { socket, next };
}

const [long, large] = ["가나다 abc é 👋🏽 ".repeat(5_000), randomBytes(2 ** 20)];
// Alike, so that a context makes them shorter, and is missed where it is gone.
const alike = [0, 1, 2, 3, 4].map((number) =>
  JSON.stringify({ user: "이몽룡", number, tags: Array(9).fill("a") }).repeat(20),
);
// WebSocket-Node gives out no empty text through this interface.
const empty = name === "websocket" ? [] : [""];
const kinds = ["안녕하세요", "👋🏽 🇰🇷 👩‍👩‍👧", ...empty, Buffer.alloc(0), Buffer.from([0, 255])];
const messages = [...kinds, long, large, ...alike, ...alike.map((text) => Buffer.from(text)), long];

const isSame = (got, wanted) => (Buffer.isBuffer(wanted) ? wanted.equals(got) : got === wanted);

const echoes = (address, deflates) => async () => {
  const { socket, next } = await connect(address, [], deflates);
  for (const message of messages) {
    socket.send(message);
    const got = await next();
    assert.ok(isSame(got, message), `got ${String(got).slice(0, 100)}, wanted ${String(message).slice(0, 100)}`);
  }
  socket.close(1000);
  await next();
};

async function burst() {
  const { socket, next } = await connect(url);
  const sent = Array.from({ length: 1000 }, (_, index) => (index % 2 ? `${index}` : Buffer.from(`${index}`)));
  sent.forEach((message) => socket.send(message));
  for (const message of sent) assert.ok(isSame(await next(), message), `${message}`);
  socket.close(1000);
  await next();
}

const subprotocol = (offered, chosen) => async () => {
  const { socket, next } = await connect(url, offered);
  assert.equal(socket.protocol || "", chosen);
  socket.close(1000);
  await next();
};

/** At which of the URLs messages are compressed. */
async function deflate() {
  for (const [index, address] of [url, ...others].entries()) {
    const { socket, next } = await connect(`${address}deflate`);
    // WebSocket-Node has no compression.
    assert.equal(await next(), String(name !== "websocket" && index < 3));
    socket.close(1000);
  }
}

async function ping() {
  const { socket, next } = await connect(url);
  if (name === "faye") {
    await new Promise((resolve) => socket.ping("ping", resolve));
  } else {
    socket.ping("ping");
    assert.equal(String((await once(socket, "pong"))[0]), "ping");
  }
  socket.close(1000);
  await next();
}

const firstMessage = (path, wanted) => async () => {
  const { socket, next } = await connect(url + path);
  assert.deepEqual(await next(), wanted);
  socket.close();
};

async function close() {
  const { socket, next } = await connect(`${url}told`);
  socket.close(4002, "done");
  assert.deepEqual(await next(), [4002, "done"]);
}

async function refused() {
  const { next } = await connect(`${url}missing`);
  // 1006 is what a page sees.
  assert.equal((await next())[0], name === "faye" ? 1002 : 1006);
}

const checks = {
  "messages, neither end keeps a context": echoes(url),
  "messages, both ends keep theirs": echoes(others[0]),
  "messages, with small windows": echoes(others[1]),
  "messages, compression declined": echoes(others[2]),
  "messages, compression not offered": echoes(url, false),
  "messages in fragments": echoes(`${others[0]}fragments`),
  "a burst": burst,
  "subprotocol: none": subprotocol([], ""),
  "subprotocol: the one both know": subprotocol(["other", "chat"], "chat"),
  "what is compressed": deflate,
  // A page has none, and WebSocket-Node's none here.
  ...(name === "websocket" ? {} : { ping }),
  "ping of the server's": firstMessage("ping", "answered"),
  close,
  "close of the server's": firstMessage("bye", [4001, "bye"]),
  "no close frame": firstMessage("cut", [1006, name === "websocket" ? "Connection dropped by remote peer." : ""]),
  refused,
};

async function main() {
  for (const [title, check] of Object.entries(checks)) {
    let timer;
    const late = new Promise((_, reject) => (timer = setTimeout(reject, 60_000, new Error("it takes too long"))));
    try {
      await Promise.race([check(), late]);
      console.log("ok", title);
    } catch (error) {
      console.log(`not ok ${title}: ${error.message}`);
    }
    clearTimeout(timer);
  }
  // It goes without a close frame.
  await connect(`${url}told`);
  process.exit();
}

main();
