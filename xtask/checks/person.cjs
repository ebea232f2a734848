// What the checks share that use a page as a person would.
const assert = require("node:assert/strict");
const { once } = require("node:events");
const axe = require("axe-core");
const { WebSocketServer } = require("ws");
const { until } = require("./engines.cjs");

/** Gives a page an echo server with a log: a line for each message, and one for the end of a connection. */
async function begin(page, port = 0) {
  page.server = new WebSocketServer({ host: "127.0.0.1", port });
  page.log = [];
  page.server.on("connection", (socket) => {
    page.socket = socket;
    socket.on("message", (message, binary) => {
      page.log.push(`received ${binary ? `${message.toString("hex")} as binary` : message}`);
      socket.send(message, { binary });
    });
    socket.on("close", (code, reason) => page.log.push(`closed ${code} ${reason}`.trim()));
  });
  await once(page.server, "listening");
}

const end = (page) => page.server.close();

/** Waits until the server's log is this. */
const logs = ({ log }, lines) =>
  until(() => JSON.stringify(log) === JSON.stringify(lines), () => `the log is ${JSON.stringify(log)}`);

/** Nothing is wider than the screen. */
async function fits(page) {
  const overhang = () => document.documentElement.scrollWidth - document.documentElement.clientWidth;
  assert.ok((await page.evaluate(overhang)) <= 0);
}

async function isAccessible(page, what, options = {}) {
  await page.evaluate(axe.source);
  const { violations } = await page.evaluate((options) => window.axe.run(options), options);
  const found = violations.map(({ id, nodes }) => `${id} (${nodes.map(({ html }) => html).join(", ")})`);
  assert.deepEqual(found, [], what);
}

/** What composes text in a field that has the focus, commits it, and presses Enter in the raw. */
async function inputMethod(page, field) {
  const protocol = await page.context().newCDPSession(page);
  const compose = async (syllables, before = "") => {
    for (const text of syllables) {
      await protocol.send("Input.imeSetComposition", { text, selectionStart: 1, selectionEnd: 1 });
      assert.equal(await field.inputValue(), before + text);
    }
  };
  const commit = (text) => protocol.send("Input.insertText", { text });
  const key = { type: "keyDown", key: "Enter", code: "Enter", text: "\r" };
  const enter = (code) => protocol.send("Input.dispatchKeyEvent", { ...key, windowsVirtualKeyCode: code });
  return { compose, commit, enter };
}

module.exports = { begin, end, fits, inputMethod, isAccessible, logs };
