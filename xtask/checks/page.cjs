// The page of `examples/web`, used as a person would; the server is the conformance-server.
"use strict";

const { run, url } = require("./chromium.cjs");

/** Opens the page, and waits until it lists this. */
async function lists(page, target, text) {
  await page.goto(`${page.files}index.html?${target}`);
  await page.locator("li", { hasText: text }).waitFor();
}

run({
  "lists what the server says": (page) => lists(page, `${url}greet?text=Hello!`, "Hello!"),
  "sends what is typed": async (page) => {
    await lists(page, `${url}greet?text=welcome`, "received: welcome");
    await page.getByLabel("Send a message").fill("안녕하세요 👋🏽");
    await page.keyboard.press("Enter");
    await page.locator("li", { hasText: "received: 안녕하세요 👋🏽" }).waitFor();
  },
  "tells how it ended": (page) => lists(page, `${url}close?code=4000&reason=enough`, "enough"),
  "tells what is wrong with a URL": (page) => lists(page, "http://127.0.0.1/", "ws://"),
});
