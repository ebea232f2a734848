// Node's ws as the client of our programs, as websockets_client.py: URL PID [CA]; PID 0 is no `talkback echo`.
const assert = require("node:assert/strict");
const { randomBytes } = require("node:crypto");
const { once } = require("node:events");
const { readFileSync } = require("node:fs");
const test = require("node:test");
const WebSocket = require("ws");

const [url, pid, file] = process.argv.slice(2);
const ca = file && readFileSync(file);

async function connect(subprotocols = [], options = {}) {
  const socket = new WebSocket(url, subprotocols, { ca, ...options });
  test.after(() => socket.terminate());
  await once(socket, "open");
  return socket;
}

const readable = (data, isBinary) => (isBinary ? data : data.toString());
const receive = async (socket) => readable(...(await once(socket, "message")));

async function close(socket, ...codeAndReason) {
  socket.close(...codeAndReason);
  const [code, reason] = await once(socket, "close");
  return [code, reason.toString()];
}

/** Sends a message, in these fragments if given, and expects it back unchanged. */
const echoes = (message, options = {}, fragments = [message]) => async () => {
  const socket = await connect([], options);
  const answer = receive(socket);
  fragments.forEach((fragment, index) => {
    socket.send(fragment, { fin: index === fragments.length - 1, binary: Buffer.isBuffer(message) });
  });
  const got = await answer;
  // In place of `assert.deepEqual`, which prints a megabyte when it fails.
  assert.ok(Buffer.isBuffer(message) ? message.equals(got) : got === message, "the answer differs");
  await close(socket, 1000);
};

async function messagesKeepTheirOrder() {
  const socket = await connect();
  const round = ["0", Buffer.from("0"), "", Buffer.alloc(0), "안녕하세요", Buffer.from([0, 255])];
  const [sent, received] = [Array(50).fill(round).flat(), []];
  socket.on("message", (...message) => received.push(readable(...message)));
  sent.forEach((message) => socket.send(message));
  while (received.length < sent.length) await once(socket, "message");
  assert.deepEqual(received, sent);
  await close(socket, 1000);
}

async function pingBetweenFragments() {
  const socket = await connect();
  const [pong, answer] = [once(socket, "pong"), receive(socket)];
  socket.send("Hello, ", { fin: false });
  socket.ping("between");
  assert.equal((await pong)[0].toString(), "between");
  socket.send("세계", { fin: true });
  assert.equal(await answer, "Hello, 세계");
  await close(socket, 1000);
}

async function pingIsAnswered() {
  const socket = await connect();
  const [payload, pong] = [Buffer.from("\0ping\xff", "latin1"), once(socket, "pong")];
  socket.ping(payload);
  assert.deepEqual((await pong)[0], payload);
  await close(socket, 1000);
}

const subprotocol = (offered, chosen) => async () => {
  const socket = await connect(offered);
  assert.equal(socket.protocol, chosen);
  await close(socket, 1000);
};

const closeIsEchoed = (sent, received = sent) => async () =>
  assert.deepEqual(await close(await connect(), ...sent), received);

const [large, long, plain] = [randomBytes(2 ** 20), "가나다 abc ".repeat(10_000), { perMessageDeflate: false }];
const checks = {
  "text: Korean": echoes("안녕하세요"),
  "text: emoji": echoes("👋🏽 🇰🇷 👩‍👩‍👧"),
  "text: empty": echoes(""),
  "text: 120 kB": echoes(long),
  "binary: empty": echoes(Buffer.alloc(0)),
  "binary: 1 MB": echoes(large),
  "uncompressed text: Korean": echoes("안녕하세요", plain),
  "uncompressed text: 120 kB": echoes(long, plain),
  "uncompressed binary: 1 MB": echoes(large, plain),
  "fragments: text": echoes("안녕, world", {}, ["안", "", "녕, ", "world"]),
  "fragments: binary": echoes(large, {}, [large.subarray(0, 1), large.subarray(1, 70_000), large.subarray(70_000)]),
  "fragments: a ping between": pingBetweenFragments,
  "messages of both kinds keep their order": messagesKeepTheirOrder,
  "ping is answered with its payload": pingIsAnswered,
  "subprotocol: none": subprotocol([], ""),
  "close: without a code": closeIsEchoed([], [1005, ""]),
  "close: 1000": closeIsEchoed([1000, "done"]),
  "close: 3000": closeIsEchoed([3000, "끝났어요"]),
  "close: 4999": closeIsEchoed([4999, "r".repeat(123)]),
};
const ofTalkbackEcho = {
  "subprotocol: the one both know": subprotocol(["chat.v9", "chat.v2"], "chat.v2"),
};
for (const [name, check] of Object.entries({ ...checks, ...(pid === "0" ? {} : ofTalkbackEcho) })) {
  test(name, { timeout: 30_000 }, check);
}
