// The demo's tab in Chromium, used as a person would: by keyboard, at a desk and on a phone.
//
// Usage: tab.cjs FOLDER URL CHROMIUM PICTURES, where FOLDER has the tab, `talkback echo --web FOLDER`
// listens at URL, and PICTURES is the folder that the screenshots go to.
//
// Prints `ok NAME` or `not ok NAME: what happened` for each check.
"use strict";

const assert = require("node:assert/strict");
const path = require("node:path");
const axe = require("axe-core");
const { chromium } = require("playwright-core");
const { WebSocketServer } = require("ws");
const { args, serve } = require("./chromium.cjs");
const composing = require("./tab_composing.cjs");

const TIMEOUT_MS = 20_000;
const DESK = { width: 480, height: 640 };
const PHONE = { width: 360, height: 740 };
const NARROWEST = { width: 320, height: 640 };
/** What a picture shows: no more than is in use. */
const PICTURE = { width: 480, height: 360 };
const PHONE_PICTURE = { width: 360, height: 480 };
const [folder, echoUrl, executablePath, pictures] = process.argv.slice(2);
const greeting = "안녕하세요";

/** An echo server with a log: a line for each message, and one for the end of a connection. */
async function logging() {
  const server = new WebSocketServer({ host: "127.0.0.1", port: 0 });
  const log = [];
  let last;
  server.on("connection", (socket) => {
    last = socket;
    socket.on("message", (message, isBinary) => {
      log.push(`received ${message}`);
      socket.send(message, { binary: isBinary });
    });
    socket.on("close", (code) => log.push(`closed ${code}`));
  });
  await new Promise((resolve) => server.on("listening", resolve));
  const url = `ws://127.0.0.1:${server.address().port}/`;
  const send = (message) => last.send(message);
  const close = (code, reason) => last.close(code, reason);
  return { url, log, send, close, end: () => server.close() };
}

async function until(what, isSo) {
  const deadline = Date.now() + TIMEOUT_MS;
  while (!isSo()) {
    assert.ok(Date.now() < deadline, what());
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** Waits until the server's log is this. */
const logs = ({ log }, lines) =>
  until(() => `the log is ${JSON.stringify(log)}`, () => JSON.stringify(log) === JSON.stringify(lines));

const open = (page) => page.goto(`${page.files}index.html?${page.server.url}`);
const answers = (page, text) => page.locator("#answer", { hasText: text }).waitFor();
const openFold = (page) => page.getByText("Connection", { exact: true }).press("Enter");

/** Waits for the focus that the page gives its field, types, and presses Enter. */
async function type(page, text) {
  await page.waitForFunction(() => document.activeElement?.id === "field");
  await page.keyboard.type(text);
  await page.keyboard.press("Enter");
}

async function converses(page) {
  await open(page);
  assert.equal(await page.title(), "WebSocket Demo");
  assert.equal(await page.getByRole("heading", { level: 1 }).textContent(), "WebSocket Demo");
  assert.equal(await page.locator("#answer").textContent(), "");
  await type(page, "Hello!");
  await answers(page, "Hello!");
  // What was sent is selected: the next text replaces it.
  await type(page, greeting);
  await answers(page, greeting);
  assert.equal(await page.getByLabel("Send a message").inputValue(), greeting);
  await logs(page.server, ["received Hello!", `received ${greeting}`]);
  await fits(page);
}

/** Nothing is wider than the screen. */
async function fits(page) {
  const [content, screen] = await page.evaluate(() => {
    const { scrollWidth, clientWidth } = document.documentElement;
    return [scrollWidth, clientWidth];
  });
  assert.ok(content <= screen, `${content} pixels on a screen of ${screen}`);
}

async function isAccessible(page, what) {
  await page.evaluate(axe.source);
  const { violations } = await page.evaluate(() => window.axe.run());
  const found = violations.map(({ id, nodes }) => `${id} (${nodes.map(({ html }) => html).join(", ")})`);
  assert.deepEqual(found, [], what);
}

async function hasNoViolation(page, colorScheme) {
  await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
  await open(page);
  await isAccessible(page, "empty");
  await type(page, greeting);
  await answers(page, greeting);
  await openFold(page);
  await page.locator("#log li").nth(1).waitFor();
  await isAccessible(page, "open");
  await page.getByRole("button", { name: "Disconnect" }).click();
  await page.locator("#state", { hasText: "closed" }).waitFor();
  await page.getByLabel("Send a message").press("Enter");
  await page.getByRole("alert").filter({ hasText: "Not sent" }).waitFor();
  await isAccessible(page, "closed");
}

/** Takes a picture of the answer, and one with the section unfolded. */
async function isPictured(page, colorScheme, name, size) {
  await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
  await page.setViewportSize(size);
  await open(page);
  await type(page, greeting);
  await answers(page, greeting);
  await page.screenshot({ path: path.join(pictures, `tab-${name}.png`) });
  await page.setViewportSize({ ...size, height: DESK.height });
  await openFold(page);
  await page.locator("#log li").nth(1).waitFor();
  await page.screenshot({ path: path.join(pictures, `tab-${name}-unfolded.png`) });
}

const checks = {
  "by keyboard alone": (page) => converses(page),
  "the same on a phone": async (page) => {
    await page.setViewportSize(PHONE);
    await converses(page);
  },
  "320 pixels are enough, with a long answer and the log": async (page) => {
    await page.setViewportSize(NARROWEST);
    await open(page);
    await openFold(page);
    const long = "가나다라".repeat(50) + "w".repeat(200);
    await page.getByLabel("Send a message").fill(long);
    await page.keyboard.press("Enter");
    await answers(page, long);
    await page.locator("#log li").nth(1).waitFor();
    await fits(page);
  },
  ...composing.checks({ open, answers, logs, type }),
  "the button sends, and gives the focus back": async (page) => {
    await open(page);
    await page.getByLabel("Send a message").fill("Hello!");
    const button = page.getByRole("button", { name: "Send message" });
    assert.equal(await button.getAttribute("title"), "Send message");
    await button.click();
    await answers(page, "Hello!");
    await page.keyboard.type("again");
    await page.keyboard.press("Enter");
    await logs(page.server, ["received Hello!", "received again"]);
  },
  "only the empty text is withheld": async (page) => {
    await open(page);
    await type(page, "");
    await type(page, " ");
    await logs(page.server, ["received  "]);
  },
  "tells how it ended, and connects again": async (page) => {
    await open(page);
    await type(page, "Hello!");
    await answers(page, "Hello!");
    await openFold(page);
    page.server.close(4000, "enough");
    await page.locator("#ending", { hasText: /4000.*enough/ }).waitFor();
    assert.match(await page.locator("#ending").textContent(), /the (peer|server)/);
    await page.getByRole("button", { name: "Connect", exact: true }).press("Enter");
    await page.locator("#state", { hasText: "open" }).waitFor();
    await page.getByRole("button", { name: "Disconnect" }).press("Enter");
    await page.locator("#state", { hasText: "closed" }).waitFor();
    assert.match(await page.locator("#ending").textContent(), /this end/);
  },
  "a URL that is none is told": async (page) => {
    await page.goto(`${page.files}index.html?http://127.0.0.1/`);
    await page.getByRole("alert").filter({ hasText: "ws://" }).waitFor();
  },
  "axe-core finds nothing, light": (page) => hasNoViolation(page, "light"),
  "axe-core finds nothing, dark": (page) => hasNoViolation(page, "dark"),
  "a flood is drawn, and its last 200 listed": async (page) => {
    await open(page);
    await openFold(page);
    await page.locator("#state", { hasText: "open" }).waitFor();
    for (let number = 0; number < 500; number += 1) page.server.send(`${number}`);
    await answers(page, "499");
    await page.waitForFunction(() => document.querySelector("#log").lastChild.textContent.endsWith("499"));
    assert.equal(await page.locator("#log li").count(), 200);
  },
  "leaving the page closes the socket": async (page) => {
    await open(page);
    await type(page, "Hello!");
    await answers(page, "Hello!");
    await page.goto("about:blank");
    await logs(page.server, ["received Hello!", "closed 1005"]);
  },
  "`talkback echo --web` serves it, and it finds its server": async (page) => {
    await page.goto(`${echoUrl.replace("ws://", "http://")}demo`);
    assert.equal(await page.locator("#url").inputValue(), echoUrl);
    await type(page, greeting);
    await answers(page, greeting);
  },
  "is pictured, light": (page) => isPictured(page, "light", "light", PICTURE),
  "is pictured, dark": (page) => isPictured(page, "dark", "dark", PICTURE),
  "is pictured on a phone, light": (page) => isPictured(page, "light", "phone-light", PHONE_PICTURE),
  "is pictured on a phone, dark": (page) => isPictured(page, "dark", "phone-dark", PHONE_PICTURE),
};

async function main() {
  const files = await serve(folder);
  const browser = await chromium.launch({ executablePath, args });
  for (const [name, check] of Object.entries(checks)) {
    const page = await browser.newPage({ viewport: DESK });
    page.files = files.url;
    page.server = await logging();
    page.setDefaultTimeout(TIMEOUT_MS);
    const complaints = [];
    page.on("pageerror", (error) => complaints.push(error.message));
    page.on("console", (message) => {
      if (["error", "warning"].includes(message.type())) complaints.push(message.text());
    });
    try {
      await check(page);
      assert.deepEqual(complaints, []);
      console.log(`ok ${name}`);
    } catch (error) {
      process.exitCode = 1;
      const what = [error.message, ...complaints].join("; ").replace(/\s+/g, " ");
      console.log(`not ok ${name}: ${what}`);
    }
    await page.close();
    page.server.end();
  }
  await browser.close();
  files.close();
}

main();
