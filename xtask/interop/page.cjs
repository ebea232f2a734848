// The page of `examples/web` in Chromium, used as a person would.
//
// Usage: page.cjs FOLDER URL CHROMIUM, where the server at URL is the conformance-server.
//
// Prints `ok NAME` or `not ok NAME: what happened` for each check.
"use strict";

const { chromium } = require("playwright-core");
const { args, serve } = require("./chromium.cjs");

const TIMEOUT_MS = 20_000;
const [folder, url, executablePath] = process.argv.slice(2);

/** Opens the page, and waits until it lists this. */
async function lists(page, target, text) {
  await page.goto(`${page.files}index.html?${target}`);
  await page.locator("li", { hasText: text }).waitFor();
}

const checks = {
  "lists what the server says": (page) => lists(page, `${url}greet?text=Hello!`, "Hello!"),
  "sends what is typed": async (page) => {
    await lists(page, `${url}greet?text=welcome`, "received: welcome");
    await page.getByLabel("Send a message").fill("안녕하세요 👋🏽");
    await page.keyboard.press("Enter");
    await page.locator("li", { hasText: "received: 안녕하세요 👋🏽" }).waitFor();
  },
  "tells how it ended": (page) => lists(page, `${url}close?code=4000&reason=enough`, "enough"),
  "tells what is wrong with a URL": (page) => lists(page, "http://127.0.0.1/", "ws://"),
};

async function main() {
  const files = await serve(folder);
  const browser = await chromium.launch({ executablePath, args });
  let failed = false;
  for (const [name, check] of Object.entries(checks)) {
    const page = await browser.newPage();
    page.files = files.url;
    page.setDefaultTimeout(TIMEOUT_MS);
    const complaints = [];
    page.on("pageerror", (error) => complaints.push(error.message));
    try {
      await check(page);
      console.log(`ok ${name}`);
    } catch (error) {
      failed = true;
      const what = [error.message.split("\n")[0], ...complaints].join("; ");
      console.log(`not ok ${name}: ${what}`);
    }
    await page.close();
  }
  await browser.close();
  files.close();
  process.exitCode = failed ? 1 : 0;
}

main();
