// What the checks in Chromium share: SCRIPT FOLDER URL CHROMIUM PICTURES, where FOLDER has the page, a server is at
// URL, and screenshots go to PICTURES.
"use strict";

const assert = require("node:assert/strict");
const fs = require("node:fs/promises");
const http = require("node:http");
const path = require("node:path");
const test = require("node:test");
const { chromium } = require("playwright-core");

const [folder, url, executablePath, pictures] = process.argv.slice(2);
const TIMEOUT_MS = 20_000;
const args = [
  "--no-sandbox", // Chromium refuses to start as root with its sandbox, as in CI.
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];
const types = { ".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".wasm": "application/wasm" };

/** Serves the folder's files, and pages given as text, on a free port. */
async function serve(pages) {
  const server = http.createServer(async (request, response) => {
    const name = path.basename(new URL(request.url, "http://page/").pathname);
    const content = pages[name] ?? (await fs.readFile(path.join(folder, name)).catch(() => null));
    response.writeHead(content === null ? 404 : 200, { "Content-Type": types[path.extname(name)] ?? "text/plain" });
    response.end(content);
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return server;
}

/** Waits until it is so. */
async function until(isSo, what) {
  const deadline = Date.now() + TIMEOUT_MS;
  while (!(await isSo())) {
    assert.ok(Date.now() < deadline, what());
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** Runs each check with a page of its own; what a page complains of fails it. */
function run(checks, { pages = {}, begin = () => {}, end = () => {}, viewport, ...options } = {}) {
  let browser, files;
  test.before(async () => {
    files = await serve(pages);
    browser = await chromium.launch({ executablePath, args, ...options });
  });
  for (const [name, check] of Object.entries(checks)) {
    test(name, { timeout: 6 * TIMEOUT_MS }, async () => {
      const page = await browser.newPage({ viewport });
      page.setDefaultTimeout(TIMEOUT_MS);
      page.files = `http://127.0.0.1:${files.address().port}/`;
      const complaints = [];
      page.on("pageerror", (error) => complaints.push(error.message));
      page.on("console", (message) => {
        if (["error", "warning"].includes(message.type())) complaints.push(message.text());
      });
      try {
        await begin(page);
        await check(page);
        assert.deepEqual(complaints, []);
      } finally {
        await end(page);
        await page.close();
      }
    });
  }
  test.after(async () => {
    await browser.close();
    files.close();
  });
}

module.exports = { url, pictures, run, until };
