// The page that `talkback echo` serves and the page of `examples/web`, used as a person would. The example talks to the
// conformance-server at SUITE.
const assert = require("node:assert/strict");
const { run, suite, url } = require("./engines.cjs");

const greeting = "안녕하세요";

/** Clicks, and waits until the page tells of this state. */
async function reaches(page, state) {
  await page.locator("#connect").click();
  await page.locator("#status", { hasText: state }).waitFor();
}

async function connects(page) {
  await page.goto(url.replace("ws://", "http://"));
  assert.equal(await page.locator("#url").inputValue(), url);
  await reaches(page, /^connected$/);
}

run({
  "page: echoes what is typed": async (page) => {
    await connects(page);
    await page.getByLabel("Send a message").fill(greeting);
    await page.locator("#send").click();
    await page.locator("#log .out", { hasText: greeting }).waitFor();
    await page.locator("#log .in", { hasText: greeting }).waitFor();
  },
  "page: disconnects": async (page) => {
    await connects(page);
    await reaches(page, /^closed, code 1000$/);
  },
  "example: sends what is typed": async (page) => {
    await page.goto(`${page.files}index.html?${suite}greet?text=welcome`);
    await page.locator("li", { hasText: "received: welcome" }).waitFor();
    await page.getByLabel("Send a message").fill("안녕하세요 👋🏽");
    await page.keyboard.press("Enter");
    await page.locator("li", { hasText: "received: 안녕하세요 👋🏽" }).waitFor();
  },
});
