// A page that is left, frozen and gone back to, and what a thousand channels leave behind in it. The server is the
// conformance-server.
const assert = require("node:assert/strict");
const { once } = require("node:events");
const WebSocket = require("ws");
const { engine, run, until, url } = require("./engines.cjs");

const CHANNELS = 1000;

/** The message that the server sends to somebody else. */
async function ask(path) {
  const socket = new WebSocket(new URL(path, url));
  const [message] = await once(socket, "message");
  socket.close();
  return message.toString();
}

/** Waits until the server has no connection but the one that asks. */
async function alone() {
  let open;
  await until(async () => (open = await ask("connections")) === "1", () => `${open} connections are still open`);
}

async function open(page) {
  await page.goto(`${page.files}lifecycle.html`);
  await page.waitForFunction(() => window.page);
}

const listen = (page, path) => page.evaluate((url) => window.page.listen(url), url + path);

/** Waits for this many messages, and returns all. */
async function receives(page, count) {
  await page.waitForFunction((count) => window.page.received().length >= count, count);
  return page.evaluate(() => window.page.received());
}

/** How many objects of each kind live in the page, by the browser's own protocol. */
async function objects(protocol) {
  await protocol.send("HeapProfiler.collectGarbage");
  const [counts, objectGroup] = [{}, "count"];
  for (const kind of ["WebSocket", "Function", "MessageEvent", "CloseEvent", "ArrayBuffer"]) {
    const prototype = await protocol.send("Runtime.evaluate", { expression: `${kind}.prototype`, objectGroup });
    const ofKind = { prototypeObjectId: prototype.result.objectId, objectGroup };
    const { objects } = await protocol.send("Runtime.queryObjects", ofKind);
    const call = { functionDeclaration: "function() { return this.length; }", returnByValue: true };
    counts[kind] = (await protocol.send("Runtime.callFunctionOn", { ...call, objectId: objects.objectId })).result.value;
    await protocol.send("Runtime.releaseObjectGroup", { objectGroup });
  }
  counts.listeners = (await protocol.send("Memory.getDOMCounters")).jsEventListeners;
  return counts;
}

/** Opens a channel, leaves the page in this way, and returns what the server has seen. */
async function leave(page, id, way) {
  await open(page);
  await listen(page, `observe?id=${id}`);
  await way(page);
  const seen = await ask(`report?id=${id}`);
  await alone();
  return seen;
}

// Firefox closes the sockets of a page that is left before the page learns of that.
const left = { chromium: "close 1005", firefox: "close 1001" }[engine];
const checks = {
  "a page that is left closes its channel": async (page) => {
    assert.equal(await leave(page, 101, () => page.goto("about:blank")), left);
  },
  "a page that is reloaded closes its channel": async (page) => {
    assert.equal(await leave(page, 102, () => page.reload()), left);
  },
  "a tab that is closed ends its channel": async (page) => {
    // The browser may be faster than the closing handshake.
    assert.match(await leave(page, 103, () => page.close()), /^(close 1005|close 1001|end)/);
  },
  "a page gone back to knows that its channel has ended, and opens another": async (page) => {
    await open(page);
    await listen(page, "burst?count=3");
    await receives(page, 3);
    await page.goto("about:blank");
    await page.goBack({ waitUntil: "commit" });
    await page.waitForFunction(() => window.page);
    // A page that was kept is not loaded again. Firefox keeps none that had an open socket.
    const kept = { chromium: 4, firefox: 0 }[engine];
    const received = await receives(page, kept);
    assert.equal(received.length, kept);
    if (kept) assert.match(received[3], /this end/);
    await listen(page, "burst?count=3");
    assert.equal((await receives(page, kept + 3)).length, kept + 3);
  },
};

// What only a browser's own protocol can do or tell.
const protocolOf = (page) => page.context().newCDPSession(page);
const chromium = {
  "a thousand channels leave no socket and no callback": async (page) => {
    await open(page);
    const protocol = await protocolOf(page);
    const use = (count) =>
      page.evaluate(([url, count]) => window.page.open_and_close(url, count), [`${url}echo`, count]).then(alone);
    // What the first use sets up for good.
    await use(2);
    const before = await objects(protocol);
    await use(CHANNELS);
    const after = await objects(protocol);
    assert.equal(after.WebSocket, 0);
    assert.deepEqual(after, before);
  },
  "a frozen page misses nothing": async (page) => {
    await open(page);
    await listen(page, "burst?count=1");
    await receives(page, 1);
    const protocol = await protocolOf(page);
    await protocol.send("Page.setWebLifecycleState", { state: "frozen" });
    await page.evaluate((url) => void window.page.listen(url), `${url}burst?count=5000`);
    await protocol.send("Page.setWebLifecycleState", { state: "active" });
    const [, ...numbers] = await receives(page, 5001);
    assert.deepEqual(numbers, Array.from({ length: 5000 }, (_, number) => `${number}`));
  },
};

// Pages are kept for the way back, as in everybody's browser.
run({ ...checks, ...(engine === "chromium" && chromium) }, { ignoreDefaultArgs: ["--disable-back-forward-cache"] });
