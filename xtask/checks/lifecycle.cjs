// A page that is left, frozen and gone back to, what a thousand channels leave behind in it, and how channels that
// reconnect get on with what browsers do about connections that fail. The server is the conformance-server.
const assert = require("node:assert/strict");
const { once } = require("node:events");
const { WebSocket, WebSocketServer } = require("ws");
const { engine, inBackground, run, until, url } = require("./engines.cjs");

const CHANNELS = 1000;
// Tests that take as long as somebody wants them to.
const DOWN_MS = 1000 * (process.env.TALKBACK_DOWN_SECONDS ?? 20);

/** The messages that the server sends to somebody else, up to one that is the last. */
async function askAll(path, isLast) {
  const [socket, messages] = [new WebSocket(new URL(path, url)), []];
  socket.on("message", (message) => messages.push(message.toString()));
  await until(() => messages.some(isLast), () => `the server has sent no more than ${messages}`);
  socket.close();
  return messages;
}

/** The first of them. */
const ask = async (path) => (await askAll(path, () => true))[0];

/** Waits until the server has so many connections beside the one that asks. */
async function connections(count) {
  let open;
  const isSo = async () => (open = (await ask("connections")) - 1) === count;
  await until(isSo, () => `${open} connections are open`);
}

const alone = () => connections(0);

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

/** Has the page count its sockets, and tell how many to the same URL were opening at a time. */
const countSockets = (page) =>
  page.evaluate(() => {
    const sockets = new Map();
    window.sockets = { made: 0, openingAtOnce: 0 };
    window.WebSocket = class extends WebSocket {
      constructor(url, ...rest) {
        super(url, ...rest);
        const others = (sockets.get(url) ?? []).filter(({ readyState }) => readyState === WebSocket.CONNECTING);
        sockets.set(url, [...others, this]);
        window.sockets.made += 1;
        window.sockets.openingAtOnce = Math.max(window.sockets.openingAtOnce, others.length + 1);
      }
    };
  });

const stayConnected = (page, url) => page.evaluate((url) => window.page.stay_connected(url), url);

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

async function serve(page, port = 0) {
  const server = (page.server = new WebSocketServer({ host: "127.0.0.1", port }));
  await once(server, "listening");
  return server;
}

/** Has a page's server go, and its connections with it. */
function end({ server }) {
  server?.clients.forEach((client) => client.terminate());
  server?.close();
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
  "re94 a page gone back to connects again, and what was queued when it was left has arrived": async (page) => {
    // The server has one memory for all browsers.
    const id = process.pid;
    const target = `${url}in-turn?id=${id}&turns=${encodeURIComponent(`/observe?id=${id}\n/echo`)}`;
    await open(page);
    await page.evaluate(() => {
      // Before the channel learns of it.
      addEventListener("pagehide", () => ["1", "2", "3"].forEach((text) => window.page.send(text)));
      addEventListener("pageshow", ({ persisted }) => (window.persisted = persisted));
    });
    await stayConnected(page, target);
    await receives(page, 1);
    await page.goto("about:blank");
    const seen = await askAll(`report?id=${id}`, (message) => /^(close|end)/.test(message));
    await page.goBack({ waitUntil: "commit" });
    await page.waitForFunction(() => window.page);
    if (engine === "chromium") {
      assert.deepEqual(seen, ["1", "2", "3", left]);
      assert.deepEqual(await receives(page, 3), ["opened 1", "lost 1", "opened 2"]);
      assert.equal(await page.evaluate(() => window.persisted), true);
    } else {
      // The socket was closed before, and the page is another, which begins anew.
      assert.deepEqual(seen, [left]);
      assert.deepEqual(await page.evaluate(() => [window.persisted, window.page.received()]), [undefined, []]);
      await stayConnected(page, target);
      assert.deepEqual(await receives(page, 1), ["opened 1"]);
    }
    await connections(1);
  },
  "re98 channels whose server does not answer have one socket each, try after try": async (page) => {
    const [count, tries, timeoutMs] = [200, 10, 300];
    await open(page);
    await countSockets(page);
    const giveUp = (options) => window.page.give_up(...options);
    assert.equal(await page.evaluate(giveUp, [`${url}silent?`, count, tries, timeoutMs]), count);
    assert.deepEqual(await page.evaluate(() => window.sockets), { made: count * tries, openingAtOnce: 1 });
    // Each try that is given up is told of. Of 256 at a time, Chromium says another thing.
    const told = page.complaints.splice(0).filter((complaint) => /insufficient resources/i.test(complaint));
    assert.deepEqual(told, []);
    await alone();
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
    const server = await serve(page);
    const opened = once(server, "connection");
    await open(page);
    await page.evaluate((url) => window.page.listen(url), `ws://127.0.0.1:${server.address().port}/`);
    const [socket] = await opened;
    const numbers = Array.from({ length: 5000 }, (_, number) => `${number}`);
    await inBackground(page, () => {
      numbers.forEach((number) => socket.send(number));
      socket.close(1000, "all");
    });
    const [info, ...received] = (await receives(page, 5001)).reverse();
    assert.deepEqual(received.reverse(), numbers);
    assert.match(info, /1000.*all/);
  },
};

// Pages are kept for the way back, as in everybody's browser.
run({ ...checks, ...(engine === "chromium" && chromium) }, { end, ignoreDefaultArgs: ["--disable-back-forward-cache"] });

// Firefox holds a connection back to where another has failed, for 0.2 to 0.4 s, and half as long again each time.
const heldBack = {
  "re97 a server that was down is found again once Firefox lets it be": async (page) => {
    const { port } = (await serve(page)).address();
    await open(page);
    await countSockets(page);
    await stayConnected(page, `ws://127.0.0.1:${port}/`);
    await receives(page, 1);
    end(page);
    await page.waitForTimeout(DOWN_MS);
    await serve(page, port);
    const failed = (await page.evaluate(() => window.sockets.made)) - 1;
    assert.ok(failed > 3, `${failed} tries`);
    const [delay, wait, slack] = [Math.min(400 * 1.5 ** failed, 60_000), 1000, 5000];
    const isOpen = () => window.page.received().length >= 3;
    await page.waitForFunction(isOpen, undefined, { timeout: delay + wait + slack });
    assert.deepEqual(await receives(page, 3), ["opened 1", "lost 1", "opened 2"]);
    assert.equal(page.server.clients.size, 1);
    assert.equal((await page.evaluate(() => window.sockets)).openingAtOnce, 1);
    // It tells of each try that failed, or was given up while it was held back.
    assert.ok(page.complaints.splice(0).every((told) => /establish a connection|was interrupted/.test(told)));
  },
};
if (engine === "firefox") run(heldBack, { end, firefoxUserPrefs: {} });
