// Node's ws as the client of an echo server.
//
// Usage: node_client.cjs URL [--ca FILE] [--pid PID]
//
// Over wss:// it trusts the certificate in FILE and no other. Prints `ok NAME` or
// `not ok NAME: what happened` for each check. With PID, the process id of `talkback echo`, come
// those that only that server passes; the last one ends it.
"use strict";

const assert = require("node:assert/strict");
const { randomBytes } = require("node:crypto");
const { once } = require("node:events");
const { readFileSync } = require("node:fs");
const { parseArgs } = require("node:util");
const WebSocket = require("ws");

const CHECK_TIMEOUT_MS = 30_000;
const {
  positionals: [url],
  values: { ca, pid },
} = parseArgs({
  allowPositionals: true,
  options: { ca: { type: "string" }, pid: { type: "string" } },
});
const tls = ca ? { ca: readFileSync(ca) } : {};

async function connect(subprotocols = [], options = {}) {
  const socket = new WebSocket(url, subprotocols, { ...tls, ...options });
  await once(socket, "open");
  return socket;
}

/** The next message: a string for text, a Buffer for binary. */
async function receive(socket) {
  const [data, isBinary] = await once(socket, "message");
  return isBinary ? data : data.toString();
}

async function close(socket, ...codeAndReason) {
  socket.close(...codeAndReason);
  const [code, reason] = await once(socket, "close");
  return [code, reason.toString()];
}

/** Sends a message, in these fragments if given, and expects it back unchanged. */
async function echoes(message, options = {}, fragments = [message]) {
  const socket = await connect([], options);
  const answer = receive(socket);
  fragments.forEach((fragment, index) => {
    const fin = index === fragments.length - 1;
    socket.send(fragment, { fin, binary: Buffer.isBuffer(message) });
  });
  assert.ok(isEqual(await answer, message), "the answer differs");
  await close(socket, 1000);
}

/** In place of `assert.deepEqual`, which prints a megabyte when it fails. */
function isEqual(got, wanted) {
  if (typeof got !== typeof wanted) return false;
  return Buffer.isBuffer(wanted) ? wanted.equals(got) : got === wanted;
}

async function messagesKeepTheirOrder() {
  const socket = await connect();
  const round = ["0", Buffer.from("0"), "", Buffer.alloc(0), "안녕하세요", Buffer.from([0, 255])];
  const sent = Array(50).fill(round).flat();
  const received = [];
  const all = new Promise((resolve) => {
    socket.on("message", (data, isBinary) => {
      received.push(isBinary ? data : data.toString());
      if (received.length === sent.length) resolve();
    });
  });
  sent.forEach((message) => socket.send(message));
  await all;
  assert.deepEqual(received, sent);
  await close(socket, 1000);
}

async function pingBetweenFragments() {
  const socket = await connect();
  const pong = once(socket, "pong");
  const answer = receive(socket);
  socket.send("Hello, ", { fin: false });
  socket.ping("between");
  assert.equal((await pong)[0].toString(), "between");
  socket.send("세계", { fin: true });
  assert.equal(await answer, "Hello, 세계");
  await close(socket, 1000);
}

async function pingIsAnswered() {
  const socket = await connect();
  const payload = Buffer.from([0, 112, 105, 110, 103, 255]);
  const pong = once(socket, "pong");
  socket.ping(payload);
  assert.deepEqual((await pong)[0], payload);
  await close(socket, 1000);
}

async function subprotocol(offered, chosen) {
  const socket = await connect(offered);
  assert.equal(socket.protocol, chosen);
  await close(socket, 1000);
}

async function closeIsEchoed(code, reason) {
  assert.deepEqual(await close(await connect(), code, reason), [code, reason]);
}

async function closeWithoutCode() {
  assert.deepEqual(await close(await connect()), [1005, ""]);
}

async function sigtermClosesWith1001() {
  const socket = await connect();
  const closed = once(socket, "close");
  process.kill(Number(pid), "SIGTERM");
  assert.equal((await closed)[0], 1001);
}

const large = randomBytes(1024 * 1024);
const long = "가나다 abc ".repeat(10_000);
const plain = { perMessageDeflate: false };
const checks = {
  "text: Korean": () => echoes("안녕하세요"),
  "text: emoji": () => echoes("👋🏽 🇰🇷 👩‍👩‍👧"),
  "text: empty": () => echoes(""),
  "text: 120 kB": () => echoes(long),
  "binary: empty": () => echoes(Buffer.alloc(0)),
  "binary: 1 MB": () => echoes(large),
  "uncompressed text: Korean": () => echoes("안녕하세요", plain),
  "uncompressed text: 120 kB": () => echoes(long, plain),
  "uncompressed binary: 1 MB": () => echoes(large, plain),
  "fragments: text": () => echoes("안녕, world", {}, ["안", "", "녕, ", "world"]),
  "fragments: binary": () =>
    echoes(large, {}, [large.subarray(0, 1), large.subarray(1, 70_000), large.subarray(70_000)]),
  "fragments: a ping between": pingBetweenFragments,
  "messages of both kinds keep their order": messagesKeepTheirOrder,
  "ping is answered with its payload": pingIsAnswered,
  "subprotocol: none": () => subprotocol([], ""),
  "close: without a code": closeWithoutCode,
  "close: 1000": () => closeIsEchoed(1000, "done"),
  "close: 3000": () => closeIsEchoed(3000, "끝났어요"),
  "close: 4999": () => closeIsEchoed(4999, "r".repeat(123)),
};
const checksOfTalkbackEcho = {
  "subprotocol: the one both know": () => subprotocol(["chat.v9", "chat.v2"], "chat.v2"),
  "SIGTERM closes with 1001": sigtermClosesWith1001,
};

async function main() {
  const asked = pid ? { ...checks, ...checksOfTalkbackEcho } : checks;
  for (const [name, check] of Object.entries(asked)) {
    let timer;
    const timeout = new Promise((_, reject) => {
      timer = setTimeout(() => reject(new Error("ran out of time")), CHECK_TIMEOUT_MS);
    });
    await Promise.race([check(), timeout])
      .then(() => console.log(`ok ${name}`))
      .catch((error) => console.log(`not ok ${name}: ${String(error).split("\n").join(" ")}`));
    clearTimeout(timer);
  }
  process.exit();
}

main();
