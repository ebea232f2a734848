// What the checks in Chromium share: SCRIPT PAGES URL CHROMIUM PICTURES SUITE, where PAGES serves the pages, a server of
// WebSockets is at URL, and screenshots go to the folder PICTURES.
const assert = require("node:assert/strict");
const test = require("node:test");
const { chromium } = require("playwright-core");

const [files, url, executablePath, pictures, suite] = process.argv.slice(2);
const TIMEOUT_MS = 20_000;
// As root, as in CI, Chromium refuses to start with its sandbox.
const flags = "no-sandbox disable-quic no-first-run disable-background-networking disable-component-update disable-sync";
const args = `${flags} use-angle=swiftshader enable-unsafe-swiftshader`.split(" ").map((flag) => `--${flag}`);
async function until(isSo, what) {
  const deadline = Date.now() + TIMEOUT_MS;
  while (!(await isSo())) {
    assert.ok(Date.now() < deadline, what());
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** Runs each check with a page of its own; what a page complains of fails it. */
function run(checks, { begin = () => {}, end = () => {}, viewport, ...options } = {}) {
  let browser;
  test.before(async () => (browser = await chromium.launch({ executablePath, args, ...options })));
  for (const [name, check] of Object.entries(checks)) {
    test(name, { timeout: 6 * TIMEOUT_MS }, async () => {
      const page = await browser.newPage({ viewport });
      page.setDefaultTimeout(TIMEOUT_MS);
      page.files = files;
      const complaints = [];
      page.on("pageerror", (error) => complaints.push(error.message));
      page.on("console", (message) => {
        // egui reads its glyphs back from a canvas.
        const isTold = ["error", "warning"].includes(message.type()) && !/willReadFrequently/.test(message.text());
        if (isTold) complaints.push(message.text());
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
  test.after(() => browser.close());
}

module.exports = { url, suite, pictures, run, until };
