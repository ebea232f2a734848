// Chromium as the client of `talkback echo`: the page that it serves and the page of `examples/web`, used as a person
// would, and the browser's own WebSocket. The example talks to the conformance-server at SUITE.
const assert = require("node:assert/strict");
const { run, suite, url } = require("./chromium.cjs");

const greeting = "안녕하세요";
const bytes = Array.from({ length: 70_000 }, (_, index) => (index * 31) % 256);

/** Clicks, and waits until the page tells of another state. */
async function changesState(page, button) {
  const before = await page.locator("#state").textContent();
  await page.locator(button).click();
  await page.waitForFunction((before) => document.querySelector("#state").textContent !== before, before);
}

async function connects(page) {
  await page.goto(url.replace("ws://", "http://"));
  assert.equal(await page.locator("#url").inputValue(), url);
  await changesState(page, "#connect");
}

/** Opens a WebSocket in the page, sends a message if there is one, and tells what came back and how it closed. */
const converse = (page, { message, code, reason, protocols = [] }) =>
  page.evaluate(
    ([url, message, code, reason, protocols]) =>
      new Promise((resolve, reject) => {
        const socket = new WebSocket(url, protocols);
        socket.binaryType = "arraybuffer";
        let answer;
        const close = () => socket.close(...(code ? [code, reason] : []));
        const send = () => socket.send(Array.isArray(message) ? new Uint8Array(message) : message);
        socket.onerror = () => reject(new Error("error event"));
        socket.onopen = message === null ? close : send;
        socket.onmessage = ({ data }) => {
          answer = typeof data === "string" ? data : Array.from(new Uint8Array(data));
          close();
        };
        socket.onclose = ({ code, reason, wasClean }) => {
          resolve({ answer, protocol: socket.protocol, closed: { code, reason, wasClean } });
        };
      }),
    [url, message ?? null, code, reason, protocols],
  );

const echoes = (message) => async (page) => assert.deepEqual((await converse(page, { message })).answer, message);

/** Opens the page, and waits until it lists this. */
async function lists(page, target, text) {
  await page.goto(`${page.files}index.html?${target}`);
  await page.locator("li", { hasText: text }).waitFor();
}

run({
  "page: connects": connects,
  "page: echoes what is typed": async (page) => {
    await connects(page);
    await page.getByLabel("Send a message").fill(greeting);
    await page.locator("#send").click();
    await page.locator("#log .out", { hasText: greeting }).waitFor();
    await page.locator("#log .in", { hasText: greeting }).waitFor();
  },
  "page: disconnects": async (page) => {
    await connects(page);
    await changesState(page, "#disconnect");
  },
  "WebSocket: text": echoes(`${greeting} 👋🏽`),
  "WebSocket: empty text": echoes(""),
  "WebSocket: binary": echoes(bytes),
  "WebSocket: empty binary": echoes([]),
  "WebSocket: subprotocol": async (page) => {
    assert.equal((await converse(page, { protocols: ["chat.v9", "chat.v2"] })).protocol, "chat.v2");
  },
  "WebSocket: close 4123": async (page) => {
    const { closed } = await converse(page, { code: 4123, reason: "잘 가요" });
    assert.deepEqual(closed, { code: 4123, reason: "잘 가요", wasClean: true });
  },
  "example: lists what the server says": (page) => lists(page, `${suite}greet?text=Hello!`, "Hello!"),
  "example: sends what is typed": async (page) => {
    await lists(page, `${suite}greet?text=welcome`, "received: welcome");
    await page.getByLabel("Send a message").fill("안녕하세요 👋🏽");
    await page.keyboard.press("Enter");
    await page.locator("li", { hasText: "received: 안녕하세요 👋🏽" }).waitFor();
  },
  "example: tells how it ended": (page) => lists(page, `${suite}close?code=4000&reason=enough`, "enough"),
  "example: tells what is wrong with a URL": (page) => lists(page, "http://127.0.0.1/", "ws://"),
});
