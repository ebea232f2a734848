// The demo's tab on a phone: by touch, with the keyboard on the screen, in the background, and where the network goes and
// comes back. The server is `talkback echo --web FOLDER`; each page has one of its own.
const assert = require("node:assert/strict");
const { inBackground, pictures, run, until } = require("./engines.cjs");
const { begin, end, fits, inputMethod, isAccessible, logs } = require("./person.cjs");

const PHONE = { viewport: { width: 390, height: 844 }, deviceScaleFactor: 2, hasTouch: true, isMobile: true };
// What the keyboard leaves of the page (its `interactive-widget`).
const ABOVE_KEYBOARD = { width: 390, height: 430 };

const field = (page) => page.getByLabel("Send a message");
const send = (page) => page.getByRole("button", { name: "Send message", exact: true });
const answers = (page, text) => page.locator("#answer", { hasText: text }).waitFor();
const isConnected = (page) => until(() => page.server.clients.size === 1, () => `${page.server.clients.size} connections`);

async function open(page) {
  await page.goto(`${page.files}index.html?ws://127.0.0.1:${page.server.address().port}/`);
  await isConnected(page);
}

/** Taps the field, types, and taps the button. */
async function type(page, text) {
  await field(page).tap();
  await page.keyboard.insertText(text);
  await send(page).tap();
}

const says = async (page, text) => [await type(page, text), await answers(page, text)];

/** Whether all of it is on the screen. */
async function isSeen(page, element) {
  const [{ y, height }, screen] = [await element.boundingBox(), await page.evaluate(() => innerHeight)];
  assert.ok(y >= 0 && y + height <= screen, `${y} to ${y + height} of ${screen}`);
}

/** Has the server go without a word, as what is between does; what it sends later is another's. */
async function cut(page) {
  const { port } = page.server.address();
  page.server.close();
  page.socket.terminate();
  await until(() => page.server.clients.size === 0, () => "it is still connected");
  return () => begin(page, port);
}

const checks = {
  "by touch, Hangul is composed above the keyboard, and sent by the button": async (page) => {
    await open(page);
    await field(page).tap();
    await page.setViewportSize(ABOVE_KEYBOARD);
    for (const element of [field(page), send(page)]) await isSeen(page, element);
    const { compose, commit } = await inputMethod(page, field(page));
    await compose("ㅎ하한");
    await commit("한");
    await compose("ㄱ그글", "한");
    await send(page).tap();
    await answers(page, "한글");
    await isSeen(page, page.locator("#answer"));
    await page.screenshot({ path: `${pictures}/phone-keyboard.png` });
    // The keyboard stays for the next message.
    assert.equal(await page.evaluate(() => document.activeElement.id), "field");
    await page.keyboard.insertText("안녕하세요");
    await send(page).tap();
    await answers(page, "안녕하세요");
    await page.setViewportSize(PHONE.viewport);
    await page.screenshot({ path: `${pictures}/phone.png` });
    await logs(page, ["received 한글", "received 안녕하세요"]);
    await fits(page);
  },
  "by touch, it is looked into, disconnected and connected": async (page) => {
    await open(page);
    await page.getByText("Connection", { exact: true }).tap();
    await page.getByRole("button", { name: "Disconnect", exact: true }).tap();
    await page.locator("#state", { hasText: "closed" }).waitFor();
    await page.getByRole("button", { name: "Connect", exact: true }).tap();
    await page.locator("#state", { hasText: "open" }).waitFor();
    await says(page, "Hello!");
    // Fingers are wider than pointers.
    await isAccessible(page, "open", { rules: { "target-size": { enabled: true } } });
    await fits(page);
  },
  "in the background it misses nothing": async (page) => {
    await open(page);
    await says(page, "Hello!");
    await inBackground(page, () => page.socket.send("meanwhile"));
    await answers(page, "meanwhile");
    await says(page, "back");
    await logs(page, ["received Hello!", "received back"]);
  },
  "a connection that was lost in the background is made anew": async (page) => {
    await open(page);
    await says(page, "Hello!");
    await inBackground(page, async () => (await cut(page))());
    await isConnected(page);
    assert.equal(await page.locator("#answer").textContent(), "Hello!");
    await says(page, "back");
    await logs(page, ["received back"]);
    page.complaints.length = 0; // Chromium tells of what was reset.
  },
  "a network that goes is told, and what was typed meanwhile leaves when it is back": async (page) => {
    await open(page);
    await says(page, "Hello!");
    await page.context().setOffline(true);
    const back = await cut(page);
    await page.locator("#reconnecting", { hasText: /^reconnecting/ }).waitFor();
    await type(page, "안녕하세요");
    await page.locator("#reconnecting", { hasText: "; your message waits" }).waitFor();
    assert.equal(await page.locator("#answer").textContent(), "Hello!");
    await page.screenshot({ path: `${pictures}/phone-offline.png` });
    await fits(page);
    await back();
    await page.context().setOffline(false);
    await answers(page, "안녕하세요");
    assert.equal(await page.locator("#reconnecting").textContent(), "");
    await logs(page, ["received 안녕하세요"]);
    // Chromium tells of each try that was refused.
    const others = page.complaints.splice(0).filter((told) => !/ERR_(INTERNET_DISCONNECTED|CONNECTION_\w+)/.test(told));
    assert.deepEqual(others, []);
  },
};

run(checks, { begin, end, device: PHONE });
