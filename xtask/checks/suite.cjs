// The tests that wasm-bindgen's runner serves at PAGES, run by opening its page; prints what the page tells of them.
const { files, launch, until } = require("./engines.cjs");

const TIMEOUT_MS = 300_000;

async function main() {
  const browser = await launch();
  const page = await browser.newPage();
  // Asked from outside, as the tests count the page's own timers.
  const output = () => page.evaluate(() => document.querySelector("#output")?.textContent ?? "");
  const isOver = async () => (await output()).includes("test result: ");
  try {
    await page.goto(files);
    await until(isOver, () => "the tests have not ended", TIMEOUT_MS, 100);
  } finally {
    console.log(await output());
    await browser.close();
  }
}

main();
