// Node's ws as the client of an echo server: URL PID [CA]. Over wss:// it trusts the certificate in the file CA and no
// other. What only `talkback echo` passes, whose PID that is, python_client.py asks.
const assert = require("node:assert/strict");
const { randomBytes } = require("node:crypto");
const { once } = require("node:events");
const { readFileSync } = require("node:fs");
const test = require("node:test");
const WebSocket = require("ws");

const [url, , file] = process.argv.slice(2);
const ca = file && readFileSync(file);

async function connect(options = {}) {
  const socket = new WebSocket(url, { ca, ...options });
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
  const socket = await connect(options);
  const answer = receive(socket);
  fragments.forEach((fragment, index) => {
    socket.send(fragment, { fin: index === fragments.length - 1, binary: Buffer.isBuffer(message) });
  });
  const got = await answer;
  // In place of `assert.deepEqual`, which prints a megabyte when it fails.
  assert.ok(Buffer.isBuffer(message) ? message.equals(got) : got === message, "the answer differs");
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
  "fragments: text": echoes("안녕, world", {}, ["안", "", "녕, ", "world"]),
  "fragments: binary": echoes(large, {}, [large.subarray(0, 1), large.subarray(1, 70_000), large.subarray(70_000)]),
  "close: without a code": closeIsEchoed([], [1005, ""]),
  "close: 1000": closeIsEchoed([1000, "done"]),
  "close: 3000": closeIsEchoed([3000, "끝났어요"]),
  "close: 4999": closeIsEchoed([4999, "r".repeat(123)]),
};
for (const [name, check] of Object.entries(checks)) test(name, { timeout: 30_000 }, check);
