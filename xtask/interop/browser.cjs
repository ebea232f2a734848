// Chromium as the client of `talkback echo`: the page that it serves, used as a person would, and
// the browser's own WebSocket.
//
// Usage: browser.cjs URL CHROMIUM
//
// Prints `ok NAME` or `not ok NAME: what happened` for each check.
"use strict";

const assert = require("node:assert/strict");
const { chromium } = require("playwright-core");
const { args } = require("./chromium.cjs");

const TIMEOUT_MS = 20_000;
const [url, executablePath] = process.argv.slice(2);
const greeting = "안녕하세요";

async function pageConnects(page) {
  await page.goto(url.replace("ws://", "http://"));
  const before = await page.locator("#state").textContent();
  assert.equal(await page.locator("#url").inputValue(), url);
  await page.locator("#connect").click();
  await page.waitForFunction(
    (before) => document.querySelector("#state").textContent !== before,
    before,
  );
}

async function pageEchoes(page) {
  await page.getByLabel("Send a message").fill(greeting);
  await page.locator("#send").click();
  await page.locator("#log .out", { hasText: greeting }).waitFor();
  await page.locator("#log .in", { hasText: greeting }).waitFor();
}

async function pageDisconnects(page) {
  const before = await page.locator("#state").textContent();
  await page.locator("#disconnect").click();
  await page.waitForFunction(
    (before) => document.querySelector("#state").textContent !== before,
    before,
  );
}

/** Opens a WebSocket in the page, sends a message, and tells what comes back. */
function echoInPage(page, message) {
  return page.evaluate(
    ([url, message]) =>
      new Promise((resolve, reject) => {
        const socket = new WebSocket(url);
        socket.binaryType = "arraybuffer";
        socket.onerror = () => reject(new Error("error event"));
        socket.onopen = () => socket.send(Array.isArray(message) ? new Uint8Array(message) : message);
        socket.onmessage = ({ data }) => {
          socket.close();
          resolve(typeof data === "string" ? data : Array.from(new Uint8Array(data)));
        };
      }),
    [url, message],
  );
}

async function echoes(page, message) {
  assert.deepEqual(await echoInPage(page, message), message);
}

async function closeIsEchoed(page) {
  const event = await page.evaluate(
    (url) =>
      new Promise((resolve) => {
        const socket = new WebSocket(url);
        socket.onopen = () => socket.close(4123, "잘 가요");
        socket.onclose = ({ code, reason, wasClean }) => resolve({ code, reason, wasClean });
      }),
    url,
  );
  assert.deepEqual(event, { code: 4123, reason: "잘 가요", wasClean: true });
}

async function subprotocol(page) {
  const chosen = await page.evaluate(
    (url) =>
      new Promise((resolve, reject) => {
        const socket = new WebSocket(url, ["chat.v9", "chat.v2"]);
        socket.onerror = () => reject(new Error("error event"));
        socket.onopen = () => {
          socket.close();
          resolve(socket.protocol);
        };
      }),
    url,
  );
  assert.equal(chosen, "chat.v2");
}

const bytes = Array.from({ length: 70_000 }, (_, index) => (index * 31) % 256);
const checks = {
  "page: connects": pageConnects,
  "page: echoes what is typed": pageEchoes,
  "page: disconnects": pageDisconnects,
  "WebSocket: text": (page) => echoes(page, `${greeting} 👋🏽`),
  "WebSocket: empty text": (page) => echoes(page, ""),
  "WebSocket: binary": (page) => echoes(page, bytes),
  "WebSocket: empty binary": (page) => echoes(page, []),
  "WebSocket: subprotocol": subprotocol,
  "WebSocket: close 4123": closeIsEchoed,
};

/** A promise in the page may never settle; a check may not. */
function inTime(promise) {
  let timer;
  const timeout = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error("ran out of time")), TIMEOUT_MS);
  });
  return Promise.race([promise, timeout]).finally(() => clearTimeout(timer));
}

async function main() {
  const browser = await chromium.launch({ executablePath, args });
  const page = await browser.newPage();
  page.setDefaultTimeout(TIMEOUT_MS);
  const errors = [];
  page.on("pageerror", (error) => errors.push(String(error)));
  const tell = (name, check) =>
    inTime(check())
      .then(() => console.log(`ok ${name}`))
      .catch((error) => console.log(`not ok ${name}: ${String(error).split("\n").join(" ")}`));
  for (const [name, check] of Object.entries(checks)) {
    await tell(name, () => check(page));
  }
  await tell("page: no script error", async () => assert.deepEqual(errors, []));
  await inTime(browser.close());
}

main().catch((error) => {
  console.error(String(error));
  process.exit(1);
});
