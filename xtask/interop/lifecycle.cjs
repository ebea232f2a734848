// A page that is left, frozen and gone back to, and what a thousand channels leave behind in it.
//
// Usage: lifecycle.cjs FOLDER URL CHROMIUM, where FOLDER has the module `lifecycle` and the server
// at URL is the conformance-server.
//
// Prints `ok NAME` or `not ok NAME: what happened` for each check.
"use strict";

const assert = require("node:assert/strict");
const { chromium } = require("playwright-core");
const WebSocket = require("ws");
const { args, serve } = require("./chromium.cjs");

const TIMEOUT_MS = 20_000;
const CHANNELS = 1000;
const [folder, url, executablePath] = process.argv.slice(2);

const shell = `<!doctype html><meta charset="utf-8"><title>lifecycle</title>
<link rel="icon" href="data:,">
<script type="module">
  import start, * as page from "./lifecycle.js";
  start().then(() => { window.page = page; });
</script>`;

/** The messages that the server sends to somebody else. */
function ask(path, count) {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(new URL(path, url));
    const messages = [];
    socket.on("message", (message) => {
      messages.push(message.toString());
      if (messages.length === count) {
        socket.close();
        resolve(messages);
      }
    });
    socket.on("error", reject);
  });
}

/** Waits until the server has no connection but the one that asks. */
async function alone() {
  const deadline = Date.now() + TIMEOUT_MS;
  for (;;) {
    const [open] = await ask("connections", 1);
    if (open === "1") return;
    assert.ok(Date.now() < deadline, `${open} connections are still open`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

async function open(page) {
  await page.goto(`${page.files}lifecycle.html`);
  await page.waitForFunction(() => window.page);
}

/** How many objects of each kind live in the page, by the browser's own protocol. */
async function objects(protocol) {
  await protocol.send("HeapProfiler.collectGarbage");
  const counts = {};
  for (const kind of ["WebSocket", "Function", "MessageEvent", "CloseEvent", "ArrayBuffer"]) {
    const group = { objectGroup: "count" };
    const prototype = await protocol.send("Runtime.evaluate", {
      expression: `${kind}.prototype`,
      ...group,
    });
    const { objects } = await protocol.send("Runtime.queryObjects", {
      prototypeObjectId: prototype.result.objectId,
      ...group,
    });
    const { result } = await protocol.send("Runtime.callFunctionOn", {
      functionDeclaration: "function() { return this.length; }",
      objectId: objects.objectId,
      returnByValue: true,
    });
    counts[kind] = result.value;
    await protocol.send("Runtime.releaseObjectGroup", group);
  }
  counts.listeners = (await protocol.send("Memory.getDOMCounters")).jsEventListeners;
  return counts;
}

const received = (page) => page.evaluate(() => window.page.received());

async function receives(page, count) {
  await page.waitForFunction((count) => window.page.received().length >= count, count);
  return received(page);
}

const checks = {
  "a thousand channels leave no socket and no callback": async (page, protocol) => {
    await open(page);
    const use = (count) => page.evaluate(([url, count]) => window.page.open_and_close(url, count), [`${url}echo`, count]);
    // What the first use sets up for good.
    await use(2);
    await alone();
    const before = await objects(protocol);
    await use(CHANNELS);
    await alone();
    const after = await objects(protocol);
    assert.equal(after.WebSocket, 0);
    assert.deepEqual(after, before);
    return `${CHANNELS} channels: ${JSON.stringify(after)} before and after`;
  },
  "a page that is left closes its channel": async (page) => {
    await open(page);
    await page.evaluate((url) => window.page.listen(url), `${url}observe?id=101`);
    await page.goto("about:blank");
    assert.deepEqual(await ask("report?id=101", 1), ["close 1005"]);
    await alone();
  },
  "a page that is reloaded closes its channel": async (page) => {
    await open(page);
    await page.evaluate((url) => window.page.listen(url), `${url}observe?id=102`);
    await page.reload();
    assert.deepEqual(await ask("report?id=102", 1), ["close 1005"]);
    await alone();
  },
  "a tab that is closed ends its channel": async (page) => {
    await open(page);
    await page.evaluate((url) => window.page.listen(url), `${url}observe?id=103`);
    await page.close();
    // The browser may be faster than the closing handshake.
    const [end] = await ask("report?id=103", 1);
    assert.match(end, /^(close 1005|close 1001|end)/);
    await alone();
  },
  "a page gone back to knows that its channel has ended, and opens another": async (page) => {
    await open(page);
    await page.evaluate((url) => window.page.listen(url), `${url}burst?count=3`);
    await receives(page, 3);
    await page.goto("about:blank");
    // A page that was kept is not loaded again.
    await page.goBack({ waitUntil: "commit" });
    const [, , , end] = await receives(page, 4);
    assert.match(end, /this end/);
    await page.evaluate((url) => window.page.listen(url), `${url}burst?count=3`);
    assert.equal((await receives(page, 7)).length, 7);
  },
  "a frozen page misses nothing": async (page, protocol) => {
    await open(page);
    await page.evaluate((url) => window.page.listen(url), `${url}burst?count=1`);
    await receives(page, 1);
    await protocol.send("Page.setWebLifecycleState", { state: "frozen" });
    await page.evaluate((url) => void window.page.listen(url), `${url}burst?count=5000`);
    await protocol.send("Page.setWebLifecycleState", { state: "active" });
    const [, ...numbers] = await receives(page, 5001);
    assert.deepEqual(numbers, Array.from({ length: 5000 }, (_, number) => `${number}`));
  },
};

async function main() {
  const files = await serve(folder, { "lifecycle.html": shell });
  const browser = await chromium.launch({
    executablePath,
    args,
    // Pages are kept for the way back, as in everybody's browser.
    ignoreDefaultArgs: ["--disable-back-forward-cache"],
  });
  for (const [name, check] of Object.entries(checks)) {
    const page = await browser.newPage();
    page.files = files.url;
    page.setDefaultTimeout(TIMEOUT_MS);
    const complaints = [];
    page.on("pageerror", (error) => complaints.push(error.message));
    try {
      const protocol = await page.context().newCDPSession(page);
      const figure = await check(page, protocol);
      if (figure) console.log(`  ${figure}`);
      assert.deepEqual(complaints, []);
      console.log(`ok ${name}`);
    } catch (error) {
      process.exitCode = 1;
      const what = [error.message, ...complaints].join("; ").replace(/\s+/g, " ");
      console.log(`not ok ${name}: ${what}`);
    }
    await page.close();
  }
  await browser.close();
  files.close();
}

main();
