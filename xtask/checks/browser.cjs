// The page that `talkback echo` serves and the page of `examples/web`, used as a person would. The example talks to the
// conformance-server at SUITE.
const assert = require("node:assert/strict");
const { run, suite, url } = require("./chromium.cjs");

const greeting = "안녕하세요";

/** Clicks, and waits until the page tells of another state. */
async function changesState(page, button) {
  const before = await page.locator("#state").textContent();
  await page.locator(button).click();
  await page.waitForFunction((before) => document.querySelector("#state").textContent !== before, before);
}

async function connects(page) {
  await page.goto(url.replace("ws://", "http://"));
  assert.equal(await page.locator("#url").inputValue(), url);
  await changesState(page, "#connect");
}

/** Opens the page, and waits until it lists this. */
async function lists(page, target, text) {
  await page.goto(`${page.files}index.html?${target}`);
  await page.locator("li", { hasText: text }).waitFor();
}

run({
  "page: connects": connects,
  "page: echoes what is typed": async (page) => {
    await connects(page);
    await page.getByLabel("Send a message").fill(greeting);
    await page.locator("#send").click();
    await page.locator("#log .out", { hasText: greeting }).waitFor();
    await page.locator("#log .in", { hasText: greeting }).waitFor();
  },
  "page: disconnects": async (page) => {
    await connects(page);
    await changesState(page, "#disconnect");
  },
  "example: lists what the server says": (page) => lists(page, `${suite}greet?text=Hello!`, "Hello!"),
  "example: sends what is typed": async (page) => {
    await lists(page, `${suite}greet?text=welcome`, "received: welcome");
    await page.getByLabel("Send a message").fill("안녕하세요 👋🏽");
    await page.keyboard.press("Enter");
    await page.locator("li", { hasText: "received: 안녕하세요 👋🏽" }).waitFor();
  },
  "example: tells how it ended": (page) => lists(page, `${suite}close?code=4000&reason=enough`, "enough"),
  "example: tells what is wrong with a URL": (page) => lists(page, "http://127.0.0.1/", "ws://"),
});
