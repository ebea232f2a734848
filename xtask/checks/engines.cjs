// What the checks in browsers share: SCRIPT ENGINE PROGRAM PAGES URL PICTURES SUITE, where ENGINE is chromium or firefox,
// and PROGRAM its program, PAGES serves the pages, a server of WebSockets is at URL, and screenshots go to the folder PICTURES.
const assert = require("node:assert/strict");
const { execFileSync } = require("node:child_process");
const test = require("node:test");
const playwright = require("playwright-core");

const [engine, executablePath, files, url, pictures, suite] = process.argv.slice(2);
const TIMEOUT_MS = 20_000;
// As root, as in CI, Chromium refuses to start with its sandbox.
const flags = "no-sandbox disable-quic no-first-run disable-background-networking disable-component-update disable-sync";
const args = `${flags} use-angle=swiftshader enable-unsafe-swiftshader`.split(" ").map((flag) => `--${flag}`);
// The channel is everybody's Firefox, which is driven by WebDriver BiDi; without it, it would have to be playwright's own.
// It holds back connections to where others have failed, for all tests of a page: what comes of that is no test's subject.
const firefoxUserPrefs = { "network.websocket.delay-failed-reconnects": false };
const own = { chromium: { args }, firefox: { channel: "moz-firefox", firefoxUserPrefs } };
const launch = (options = {}) => playwright[engine].launch({ executablePath, ...own[engine], ...options });

async function until(isSo, what, timeout = TIMEOUT_MS, interval = 20) {
  const deadline = Date.now() + timeout;
  while (!(await isSo())) {
    assert.ok(Date.now() < deadline, what());
    await new Promise((resolve) => setTimeout(resolve, interval));
  }
}

/**
 * Has something happen while the page is in the background and does not run. Its process is stopped, as a phone does it;
 * `Page.setWebLifecycleState` does not stop a page that is driven. In Chromium alone.
 */
async function inBackground(page, meanwhile) {
  const protocol = await page.context().browser().newBrowserCDPSession();
  const { processInfo } = await protocol.send("SystemInfo.getProcessInfo");
  const ids = processInfo.filter(({ type }) => type === "renderer").map(({ id }) => id);
  const states = () => `${execFileSync("ps", ["-o", "state=", "-p", ids.join()])}`.trim().split(/\s+/);
  const signal = (name) => ids.forEach((id) => process.kill(id, name));
  signal("SIGSTOP");
  try {
    await until(() => states().every((state) => state === "T"), () => `it runs in the background: ${states()}`);
    await meanwhile();
    // So that it comes while the page is stopped.
    await page.waitForTimeout(500);
  } finally {
    signal("SIGCONT");
  }
}

/**
 * Runs each check with a page of its own, on such a device (what `newPage` takes); what a page complains of fails it,
 * unless it takes that out of `complaints`.
 */
function run(checks, { begin = () => {}, end = () => {}, device, ...options } = {}) {
  let browser;
  test.before(async () => (browser = await launch(options)));
  for (const [name, check] of Object.entries(checks)) {
    test(name, { timeout: 6 * TIMEOUT_MS }, async () => {
      const page = await browser.newPage(device);
      page.setDefaultTimeout(TIMEOUT_MS);
      page.files = files;
      const complaints = (page.complaints = []);
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

module.exports = { engine, files, url, suite, pictures, inBackground, launch, run, until };
