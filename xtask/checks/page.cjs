// The page that `talkback echo` serves at `/`, used as a person would: by keyboard, with an input method, in small windows.
// It talks to a server of its own, with a log.
const assert = require("node:assert/strict");
const fs = require("node:fs/promises");
const { pictures, run, until, url: echoUrl } = require("./engines.cjs");
const { begin, end, fits, inputMethod, isAccessible, logs } = require("./person.cjs");

const DESK = { width: 960, height: 700 };
const greeting = "안녕하세요";
const home = echoUrl.replace("ws://", "http://");
const own = (page) => `ws://127.0.0.1:${page.server.address().port}/`;
const message = (page) => page.getByLabel("Send a message");
const status = (page, text) => page.locator("#status", { hasText: text }).waitFor();
const told = (page, text) => page.getByRole("alert").filter({ hasText: text }).waitFor();
const entry = (page, text) => page.locator("#log li", { hasText: text }).first().waitFor();
const button = (page, name) => page.getByRole("button", { name, exact: true });
const focus = (page) => page.evaluate(() => document.activeElement.id);
const entries = (page) => page.locator("#log li").count();

/** Opens the page with settings in its address. */
const open = (page, settings = {}) =>
  page.goto(`${home}#${new URLSearchParams({ url: own(page), ...settings })}`);

async function connect(page, settings) {
  await open(page, settings);
  await page.getByLabel("Server").press("Enter");
  await status(page, /^connected$/);
}

async function says(page, text) {
  await message(page).fill(text);
  await message(page).press("Enter");
}

/** What a function of the page's own scripts gives, or what it fails with. */
const call = (page, module, name, ...given) =>
  page.evaluate(
    async ([module, name, given]) => {
      try {
        return (await import(`/page/${module}.js`))[name](...given);
      } catch (error) {
        return error.message;
      }
    },
    [module, name, given],
  );

const hasNoViolation = (colorScheme) => async (page) => {
  await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
  await open(page, { subprotocols: "chat" });
  await isAccessible(page, "empty");
  for (const name of ["Settings", "Close …", "Code", "Paths"]) await button(page, name).click();
  await isAccessible(page, "unfolded");
  await page.getByLabel("Subprotocols").fill("");
  await button(page, "Connect").click();
  await status(page, /^connected$/);
  await says(page, greeting);
  await entry(page, "echoed after");
  page.socket.send("x".repeat(5_000));
  await entry(page, "Show more");
  await page.getByLabel("Code", { exact: true }).and(page.getByRole("textbox")).fill("99");
  await button(page, "Close with this code").click();
  await told(page, "1000 may, and 3000 to 4999");
  await isAccessible(page, "in use");
};

const isPictured = (name, colorScheme, viewport, settings = {}) => async (page) => {
  await page.setViewportSize(viewport);
  await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
  await connect(page, { message: "Hello!", ...settings });
  await message(page).press("Enter");
  await entry(page, "echoed after");
  await says(page, '{"name":"수진","ids":[1,2]}');
  await page.locator("#log .in", { hasText: "수진" }).waitFor();
  await says(page, greeting);
  await page.locator("#log .in", { hasText: greeting }).waitFor();
  await page.screenshot({ path: `${pictures}/page-${name}.png` });
  await fits(page);
};

run({
  "by keyboard alone": async (page) => {
    await open(page);
    await page.keyboard.press("Tab");
    assert.equal(await focus(page), "url");
    await page.keyboard.press("Enter");
    await status(page, /^connected$/);
    // The field for what comes next has the focus.
    assert.equal(await focus(page), "message");
    await page.keyboard.type("one");
    await page.keyboard.press("Shift+Enter");
    await page.keyboard.type(greeting);
    await page.keyboard.press("Enter");
    await logs(page, [`received one\n${greeting}`]);
    await entry(page, "echoed after");
    await page.keyboard.press("ArrowUp");
    assert.equal(await message(page).inputValue(), `one\n${greeting}`);
    await page.keyboard.press("ArrowDown");
    assert.equal(await message(page).inputValue(), "");
    // Past the log and its tools, and the buttons that unfold, back to the first.
    for (let steps = 0; (await focus(page)) !== "connect" && steps < 20; steps += 1) await page.keyboard.press("Shift+Tab");
    await page.keyboard.press("Enter");
    await status(page, "closed, code 1000");
    assert.equal(await focus(page), "connect");
    await page.keyboard.press("Tab");
    await page.keyboard.press("Enter");
    await page.getByLabel("Reconnect").waitFor();
    await logs(page, [`received one\n${greeting}`, "closed 1000"]);
  },
  "Hangul is composed, and Enter meanwhile sends nothing": async (page) => {
    await connect(page);
    const { compose, commit, enter } = await inputMethod(page, message(page));
    await compose("ㅎ하한");
    await enter(229);
    assert.equal(await message(page).inputValue(), "한");
    await commit("한");
    await compose("ㄱ그글", "한");
    await commit("글");
    await page.keyboard.press("Enter");
    await logs(page, ["received 한글"]);
  },
  "a link fills in, and neither connects nor sends": async (page) => {
    const hostile = "<img src=x onerror=alert(1)>";
    const settings = { subprotocols: "chat", reconnect: "1", as: "hex", message: "ec 95 88", view: "nonsense" };
    await open(page, settings);
    assert.equal(await page.getByLabel("Server").inputValue(), own(page));
    assert.equal(await message(page).inputValue(), "ec 95 88");
    await button(page, "Settings").click();
    assert.ok(await page.getByLabel("Reconnect").isChecked());
    assert.equal(await page.getByLabel("Subprotocols").inputValue(), "chat");
    assert.equal(await page.locator("#view").inputValue(), "text");
    await page.context().grantPermissions(["clipboard-read", "clipboard-write"]);
    await page.locator("#view").selectOption("JSON");
    await button(page, "Copy a link to this test").click();
    await button(page, "Copied").waitFor();
    const link = await page.evaluate(() => navigator.clipboard.readText());
    assert.deepEqual(Object.fromEntries(new URLSearchParams(new URL(link).hash.slice(1))), { ...settings, url: own(page), view: "json" });
    // The same page, told by the address bar.
    await page.evaluate((hash) => (location.hash = hash), `${new URLSearchParams({ url: hostile, message: hostile, subprotocols: hostile })}`);
    await page.waitForFunction((hostile) => document.querySelector("#message").value === hostile, hostile);
    await button(page, "Connect").click();
    await told(page, "begins with ws:// or wss://");
    assert.equal(await page.locator("img").count(), 0);
    assert.deepEqual([page.server.clients.size, page.log], [0, []]);
  },
  "binary messages, by hex and by file": async (page) => {
    await connect(page, { as: "hex" });
    await says(page, "EC 95, 88:00");
    await logs(page, ["received ec958800 as binary"]);
    await entry(page, "000000  ec 95 88 00");
    await says(page, "ec 9");
    await told(page, "the last byte has one hex digit");
    await says(page, "ec xy");
    await told(page, "“x” at character 4 is no hex digit");
    await page.locator("#kind").selectOption("file");
    await button(page, "Send").click();
    await told(page, "choose a file first");
    await page.getByLabel("File to send").setInputFiles({ name: "a.bin", mimeType: "application/octet-stream", buffer: Buffer.from([1, 2, 3]) });
    await button(page, "Send").click();
    await logs(page, ["received ec958800 as binary", "received 010203 as binary"]);
  },
  "closes with a code and a reason": async (page) => {
    await connect(page);
    await button(page, "Close …").click();
    const [code, reason] = [page.locator("#close-code"), page.getByLabel("Reason")];
    for (const wrong of ["1001", "5000", "2999", "", "x"]) {
      await code.fill(wrong);
      await code.press("Enter");
      await told(page, `“${wrong}” may not be sent`);
    }
    await code.fill("4000");
    await reason.fill("가".repeat(42));
    await reason.press("Enter");
    await told(page, "126 bytes long: 123 fit");
    await reason.fill("안녕");
    await reason.press("Enter");
    await logs(page, ["closed 4000 안녕"]);
    await status(page, "closed, code 4000");
    await reason.press("Enter");
    await told(page, "Nothing to close");
  },
  "shows JSON and hex, and searches, filters, saves and clears": async (page) => {
    await connect(page);
    const json = '{"big":12345678901234567890,"list":[],"a":[1,{"b":"x, y: [z]"}]}';
    await says(page, json);
    await says(page, "plain\u0007\u202Etxt");
    await page.locator("#log .in", { hasText: "plain␇<U+202E>txt" }).waitFor();
    await page.locator("#view").selectOption("JSON");
    const shown = '{\n  "big": 12345678901234567890,\n  "list": [],\n  "a": [\n    1,\n    {\n      "b": "x, y: [z]"\n    }\n  ]\n}';
    assert.equal(await page.locator("#log .in .text").first().textContent(), shown);
    const odd = await call(page, "data", "shown", '[[],{},"\\"[",1]', "json", 100);
    assert.equal(odd.text, '[\n  [],\n  {},\n  "\\"[",\n  1\n]');
    const deep = await call(page, "data", "shown", "[".repeat(500) + "]".repeat(500), "json", 2000);
    assert.equal(deep.text.length, 1000);
    const cut = await call(page, "data", "shown", `${"y".repeat(9)}😀`, "text", 10);
    assert.equal(cut.text, "y".repeat(9));
    await page.locator("#view").selectOption("hex");
    await entry(page, "000000  70 6c 61 69 6e 07 e2 80 ae 74 78 74");
    await page.locator("#view").selectOption("text");
    await page.locator("#filter").selectOption("sent");
    assert.equal(await page.locator("#log li:visible").count(), 2);
    await page.getByLabel("Search").fill("bytes");
    assert.equal(await page.locator("#log li:visible").count(), 0);
    await page.getByLabel("Search").fill("BIG");
    assert.equal(await page.locator("#log li:visible").count(), 1);
    const [saved] = await Promise.all([page.waitForEvent("download"), button(page, "Save").click()]);
    const lines = (await fs.readFile(await saved.path(), "utf8")).trim().split("\n");
    assert.equal(lines.length, 1);
    const { kind, size, text } = JSON.parse(lines[0]);
    assert.deepEqual([kind, size, text], ["sent", json.length, json]);
    await button(page, "Clear").click();
    assert.equal(await entries(page), 0);
  },
  "reconnects if that is wanted, and not where the server means its end": async (page) => {
    await connect(page, { reconnect: "1" });
    await page.evaluate(() => (Math.random = () => 0.2));
    page.socket.terminate();
    await page.locator("#state", { hasText: /^reconnecting \(code 1006\) in 1 s$/ }).waitFor();
    await says(page, "meanwhile");
    await told(page, "Not sent: there is no connection");
    assert.equal(await message(page).inputValue(), "meanwhile");
    await until(() => page.server.clients.size === 1, () => "it did not come back");
    await status(page, /^connected$/);
    page.socket.close(4000, "enough");
    await status(page, "closed, code 4000");
    await entry(page, "Closed by the server, code 4000, “enough”");
    await page.getByLabel("Server").press("Enter");
    await status(page, /^connected$/);
    page.socket.close(1012);
    await page.locator("#state", { hasText: /^reconnecting \(code 1012\) in 10 s$/ }).waitFor();
    await button(page, "Stop").click();
    await status(page, "not connected");
  },
  "says what is wrong with an address": async (page) => {
    await page.goto(home);
    for (const [address, wrong] of [
      ["", "type its URL"],
      ["ws://", "No host behind ws://"],
      ["ws:///path", "No host behind ws://"],
      ["ws://h/#frag", "take away “#frag”"],
      ["https://h/x", "the URL of a WebSocket is wss://h/x"],
      ["localhost:9001", "Is it ws://localhost:9001?"],
      ["ftp://h", "ftp:// is not the scheme"],
      ["ws://a b/", "The host has a character"],
      ["ws://h:70000/", "The port 70000 is too large"],
    ]) {
      await page.getByLabel("Server").fill(address);
      await page.getByLabel("Server").press("Enter");
      await told(page, wrong);
    }
    for (const [names, wrong] of [["a b", "“a b” cannot be a subprotocol"], ["chat, chat", "“chat” stands twice"]]) {
      assert.ok((await call(page, "address", "subprotocolsOf", names)).includes(wrong), wrong);
    }
    await page.getByLabel("Server").fill("ws://127.0.0.1:9/");
    await page.getByLabel("Server").press("Enter");
    await entry(page, "Could not connect to ws://127.0.0.1:9/");
    page.complaints.length = 0; // Chromium tells of the port.
  },
  "gives code for the server": async (page) => {
    await open(page, { subprotocols: "chat" });
    await button(page, "Code").click();
    for (const language of ["Rust", "Dart", "JavaScript"]) {
      await page.getByLabel("Language").selectOption(language);
      const code = await page.locator("#snippet").textContent();
      assert.ok(code.includes(own(page)) && code.includes("chat"), code);
    }
    assert.match(await call(page, "code", "codeFor", "Rust", 'ws://h/"\\', []), /connect\("ws:\/\/h\/\\"\\\\"\)/);
    assert.match(await call(page, "code", "codeFor", "Dart", "ws://h/$x'", []), /'ws:\/\/h\/\\\$x\\''/);
  },
  "what is long is shown by its beginning, and a flood by its end": async (page) => {
    await connect(page);
    page.socket.send("가".repeat(400_000));
    await entry(page, "1,200,000 bytes");
    assert.ok((await page.locator("#log .in .text").textContent()).length < 2_100);
    await button(page, "Show more").click();
    assert.ok((await page.locator("#log .in .text").textContent()).length > 50_000);
    assert.equal(await page.evaluate(() => document.activeElement.textContent), "Show less");
    await button(page, "Show less").press("Enter");
    for (let number = 0; number < 5_000; number += 1) page.socket.send(`${number}`);
    await entry(page, "4999");
    assert.ok((await entries(page)) <= 1_000);
  },
  "small windows hold it": async (page) => {
    for (const [width, height] of [[640, 300], [320, 640], [320, 300]]) {
      await page.goto("about:blank");
      await page.setViewportSize({ width, height });
      await connect(page);
      await says(page, "가나다라".repeat(50) + "w".repeat(200));
      await page.locator("#log .in").waitFor();
      await fits(page);
      await page.screenshot({ path: `${pictures}/page-${width}x${height}.png` });
      // Where it is both narrow and low the page scrolls, whole.
      if (width === 320 && height === 300) continue;
      assert.ok((await page.getByRole("heading").boundingBox()).y >= 0, "the title is cut");
      const overhang = await page.evaluate(() => document.documentElement.scrollHeight - innerHeight);
      assert.ok(overhang <= 0, `${width} × ${height} scrolls by ${overhang}`);
    }
  },
  "axe-core finds nothing, light": hasNoViolation("light"),
  "axe-core finds nothing, dark": hasNoViolation("dark"),
  "is pictured, light": isPictured("light", "light", { width: 720, height: 560 }, { view: "json" }),
  "is pictured, dark": isPictured("dark", "dark", { width: 720, height: 560 }),
}, { begin, end, device: { viewport: DESK } });
