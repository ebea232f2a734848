// The demo's tab, used as a person would: by keyboard, with an input method, at a desk and on a phone; and the recipe's
// app. The server is `talkback echo --web FOLDER`.
const assert = require("node:assert/strict");
const { pictures, run, url: echoUrl } = require("./engines.cjs");
const { begin, end, fits, inputMethod: inputMethodOf, isAccessible, logs } = require("./person.cjs");

const DESK = { width: 480, height: 640 };
const greeting = "안녕하세요";

const open = (page, folder = "") =>
  page.goto(`${page.files}${folder}index.html?ws://127.0.0.1:${page.server.address().port}/`);
const answers = (page, text) => page.locator("#answer", { hasText: text }).waitFor();
const hasState = (page, state) => page.locator("#state", { hasText: state }).waitFor();
const openFold = (page) => page.getByText("Connection", { exact: true }).press("Enter");
const field = (page) => page.getByLabel("Send a message");
// The page's own, once its program runs and has filled in the URL: before, an Enter sends nothing.
const hasFocus = (page) =>
  page.waitForFunction(() => document.activeElement?.id === "field" && document.querySelector("#url")?.value !== "");
const button = (page, name) => page.getByRole("button", { name, exact: true });
const listsTwo = (page) => page.locator("#log li").nth(1).waitFor();

/** Waits for the focus that the page gives its field, types, and presses Enter. */
async function type(page, text) {
  await hasFocus(page);
  await page.keyboard.type(text);
  await page.keyboard.press("Enter");
}

const says = async (page, text) => [await type(page, text), await answers(page, text)];

async function converses(page) {
  await open(page);
  assert.equal(await page.title(), "WebSocket Demo");
  assert.equal(await page.getByRole("heading", { level: 1 }).textContent(), "WebSocket Demo");
  assert.equal(await page.locator("#answer").textContent(), "");
  await says(page, "Hello!");
  // What was sent is selected: the next text replaces it.
  await says(page, greeting);
  assert.equal(await field(page).inputValue(), greeting);
  await logs(page, ["received Hello!", `received ${greeting}`]);
  await fits(page);
}

const hasNoViolation = (colorScheme) => async (page) => {
  await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
  await open(page);
  await isAccessible(page, "empty");
  await says(page, greeting);
  await openFold(page);
  await listsTwo(page);
  await isAccessible(page, "open");
  await button(page, "Disconnect").click();
  await hasState(page, "closed");
  await field(page).press("Enter");
  await page.getByRole("alert").filter({ hasText: "Not sent" }).waitFor();
  await isAccessible(page, "closed");
};

/** Takes a picture of the answer, which shows no more than is in use, and one with the section unfolded. */
const isPictured = (colorScheme, device, size) => async (page) => {
  await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
  await page.setViewportSize(size);
  await open(page);
  await says(page, greeting);
  await page.screenshot({ path: `${pictures}/tab-${device}${colorScheme}.png` });
  await page.setViewportSize({ ...size, height: DESK.height });
  await openFold(page);
  await listsTwo(page);
  await page.screenshot({ path: `${pictures}/tab-${device}${colorScheme}-unfolded.png` });
};

/** Opens the page; returns an input method for its field. */
async function inputMethod(page) {
  await open(page);
  await hasFocus(page);
  return inputMethodOf(page, field(page));
}

/** Composes in the page; then the server has this and no more: what is sent last shows that nothing was on its way. */
const composes = (message, steps) => async (page) => {
  await steps(page, await inputMethod(page));
  await type(page, "end");
  await logs(page, [`received ${message}`, "received end"]);
};

const [han, geul] = ["ㅎ하한", "ㄱ그글"];
const checks = {
  "by keyboard alone": converses,
  "320 pixels are enough, with a long answer and the log": async (page) => {
    await page.setViewportSize({ width: 320, height: 640 });
    await open(page);
    await openFold(page);
    const long = "가나다라".repeat(50) + "w".repeat(200);
    await field(page).fill(long);
    await page.keyboard.press("Enter");
    await answers(page, long);
    await listsTwo(page);
    await fits(page);
  },
  "Hangul is composed, and Enter meanwhile sends nothing": composes("한글", async (page, { compose, commit }) => {
    await compose(han);
    await page.keyboard.press("Enter");
    assert.equal(await field(page).inputValue(), "한");
    await commit("한");
    await compose(geul, "한");
    await commit("글");
    assert.deepEqual(page.log, []);
    await page.keyboard.press("Enter");
    await answers(page, "한글");
    assert.equal(await field(page).inputValue(), "한글");
  }),
  "an Enter that the input method took sends nothing": composes("한글", async (page, { compose, commit, enter }) => {
    await compose(han);
    await commit("한");
    // Safari tells of it when the composition is over, and by its code alone.
    await enter(229);
    await compose(geul, "한");
    await commit("글");
    await enter(13);
    await answers(page, "한글");
  }),
  "a space ends a syllable and stands behind it": composes("한 글", async (page, { compose, commit }) => {
    await compose(han);
    await commit("한");
    await page.keyboard.press("Space");
    await compose(geul, "한 ");
    await commit("글");
    await page.keyboard.press("Enter");
  }),
  "the button sends what is being composed whole and once": composes("한", async (page, { compose }) => {
    await compose(han);
    await button(page, "Send message").click();
    await answers(page, "한");
    assert.equal(await field(page).inputValue(), "한");
  }),
  "what is being composed stays when the focus goes": composes("한", async (page, { compose }) => {
    await compose(han);
    await page.getByText("Connection", { exact: true }).click();
    assert.equal(await field(page).inputValue(), "한");
    await field(page).click();
    await page.keyboard.press("Enter");
  }),
  "the button sends, and gives the focus back": async (page) => {
    await open(page);
    await field(page).fill("Hello!");
    assert.equal(await button(page, "Send message").getAttribute("title"), "Send message");
    await button(page, "Send message").click();
    await answers(page, "Hello!");
    await page.keyboard.type("again");
    await page.keyboard.press("Enter");
    await logs(page, ["received Hello!", "received again"]);
  },
  "tells how it ended, and connects again": async (page) => {
    await open(page);
    await says(page, "Hello!");
    await openFold(page);
    page.socket.close(4000, "enough");
    await page.locator("#ending", { hasText: /4000.*enough/ }).waitFor();
    assert.match(await page.locator("#ending").textContent(), /the (peer|server)/);
    await button(page, "Connect").press("Enter");
    await hasState(page, "open");
    await button(page, "Disconnect").press("Enter");
    await hasState(page, "closed");
    assert.match(await page.locator("#ending").textContent(), /this end/);
  },
  "a lost connection is told, and a message sent meanwhile leaves with the next": async (page) => {
    await open(page);
    await says(page, "Hello!");
    const { port } = page.server.address();
    page.server.close();
    page.socket.terminate();
    await page.locator("#reconnecting", { hasText: /^reconnecting( in \d+ s)? \(.+\)$/ }).waitFor();
    await type(page, greeting);
    await page.locator("#reconnecting", { hasText: "; your message waits" }).waitFor();
    assert.equal(await page.locator("#answer").textContent(), "Hello!");
    await isAccessible(page, "reconnecting");
    await begin(page, port);
    await answers(page, greeting);
    assert.equal(await page.locator("#reconnecting").textContent(), "");
    await logs(page, [`received ${greeting}`]);
    // Chromium tells of each try that was refused.
    assert.ok(page.complaints.splice(0).every((told) => told.includes("ERR_CONNECTION_REFUSED")));
  },
  "axe-core finds nothing, light": hasNoViolation("light"),
  "axe-core finds nothing, dark": hasNoViolation("dark"),
  "a flood is drawn, and its last 200 listed": async (page) => {
    await open(page);
    await openFold(page);
    await hasState(page, "open");
    for (let number = 0; number < 500; number += 1) page.socket.send(`${number}`);
    await answers(page, "499");
    await page.waitForFunction(() => document.querySelector("#log").lastChild.textContent.endsWith("499"));
    assert.equal(await page.locator("#log li").count(), 200);
  },
  "a URL that is none is told": async (page) => {
    await page.goto(`${page.files}index.html?http://127.0.0.1/`);
    await page.getByRole("alert").filter({ hasText: "ws://" }).waitFor();
  },
  "the recipe's app composes Hangul, and answers": async (page) => {
    await open(page, "app/");
    // It is drawn, and reads what is typed from an input that nobody sees.
    await page.waitForFunction(() => document.activeElement?.tagName === "INPUT");
    const protocol = await page.context().newCDPSession(page);
    for (const [syllable, steps] of Object.entries({ 한: han, 글: geul })) {
      for (const text of steps) await protocol.send("Input.imeSetComposition", { text, selectionStart: 1, selectionEnd: 1 });
      await protocol.send("Input.insertText", { text: syllable });
    }
    await page.keyboard.press("Enter");
    await logs(page, ["received 한글"]);
    await page.waitForTimeout(1_000); // The answer is on its way, and drawn by nobody who could tell.
    await page.screenshot({ path: `${pictures}/app-page.png` });
  },
  "leaving the page closes the socket": async (page) => {
    await open(page);
    await says(page, "Hello!");
    await page.goto("about:blank");
    await logs(page, ["received Hello!", "closed 1005"]);
  },
  "`talkback echo --web` serves it, and it finds its server": async (page) => {
    await page.goto(`${echoUrl.replace("ws://", "http://")}demo`);
    assert.equal(await page.locator("#url").inputValue(), echoUrl);
    await says(page, greeting);
  },
  "is pictured, light": isPictured("light", "", { width: 480, height: 360 }),
  "is pictured, dark": isPictured("dark", "", { width: 480, height: 360 }),
  "is pictured on a phone, light": isPictured("light", "phone-", { width: 360, height: 480 }),
  "is pictured on a phone, dark": isPictured("dark", "phone-", { width: 360, height: 480 }),
};

run(checks, { begin, end, device: { viewport: DESK } });
