// The page: its fields, and what they have to do with the connection and the log.
import { fill, link, subprotocolsOf, wrongAddress } from "./address.js";
import { codeFor } from "./code.js";
import { makeConnection } from "./connection.js";
import { fromHex, sizeOf, sized } from "./data.js";
import { makeLog } from "./log.js";

const HISTORY_MAX = 100;
const FILE_SIZE_MAX = 64 << 20;
const REASON_SIZE_MAX = 123;
const element = (id) => document.getElementById(id);
const [url, subprotocols, reconnect, message, kind, file, view] =
  ["url", "subprotocols", "reconnect", "message", "kind", "file", "view"].map(element);
const fields = { url, subprotocols, reconnect, as: kind, message, view };

const log = makeLog(element("log"), element("entries"), { filter: element("filter"), view, search: element("search") });
const connection = makeConnection({
  tell,
  receive: (data, latency) => log.message("in", data, latency === null ? "" : `echoed after ${latency.toFixed(1)} ms`),
  remark: log.remark,
  wants: () => reconnect.checked,
});
let counting = null;
/** Whether somebody has asked for the connection that is being made. */
let isAsked = false;

/** Says what has to be mended; what is said again is read out again. */
function complain(text) {
  element("told").textContent = "";
  if (text) setTimeout(() => (element("told").textContent = text));
}

const VERBS = { connecting: "Cancel", open: "Disconnect", closing: "Disconnect", waiting: "Stop" };
const LOOKS = { open: "open", failed: "failed", waiting: "waiting" };

function tell(state, text, at) {
  clearInterval(counting);
  const count = () => (element("countdown").textContent = at ? ` in ${Math.max(0, Math.ceil((at - performance.now()) / 1000))} s` : "");
  count();
  if (at) counting = setInterval(count, 250);
  element("status").textContent = text;
  element("state").className = LOOKS[state] ?? "";
  // A button that is disabled or hidden would lose the focus.
  element("connect").textContent = VERBS[state] ?? "Connect";
  if (state === "open") {
    complain("");
    // Not by itself, while somebody types.
    if (isAsked && [element("connect"), url].includes(document.activeElement)) message.focus();
    isAsked = false;
  }
}

function connect() {
  const address = url.value.trim();
  let wrong = wrongAddress(address);
  try {
    const names = subprotocolsOf(subprotocols.value);
    isAsked = !wrong;
    if (!wrong) connection.open(address, names);
  } catch (error) {
    wrong ??= error instanceof DOMException ? wrongAddress(address, error) : error.message;
  }
  complain(wrong ?? "");
}

element("connection").addEventListener("submit", (event) => {
  event.preventDefault();
  if (VERBS[connection.state]) connection.close(...(connection.state === "open" ? [1000] : []));
  else connect();
});

element("closing").addEventListener("submit", (event) => {
  event.preventDefault();
  const code = element("close-code").value.trim();
  const reason = element("close-reason").value;
  const size = sizeOf(reason);
  if (connection.state !== "open") complain("Nothing to close: there is no connection.");
  else if (!/^(1000|[34]\d{3})$/.test(code)) complain(`“${code}” may not be sent by a page: 1000 may, and 3000 to 4999.`);
  else if (size > REASON_SIZE_MAX) complain(`The reason is ${sized(size)} long: ${REASON_SIZE_MAX} fit.`);
  else connection.close(Number(code), reason), complain("");
});

async function content() {
  if (kind.value === "hex") return fromHex(message.value);
  if (kind.value === "text") return message.value;
  const [chosen] = file.files;
  if (!chosen) throw new Error("Not sent: choose a file first.");
  if (chosen.size > FILE_SIZE_MAX) throw new Error(`Not sent: the file has ${sized(chosen.size)}, and ${sized(FILE_SIZE_MAX)} is the most.`);
  return new Uint8Array(await chosen.arrayBuffer());
}

const past = [];
let place = 0;

async function send() {
  try {
    const data = await content();
    // As everywhere, Enter in an empty field sends nothing.
    if (!sizeOf(data)) return;
    if (!connection.send(data)) throw new Error("Not sent: there is no connection. Connect first.");
    log.message("out", data);
    complain("");
    if (kind.value === "file") return;
    if (past.at(-1) !== message.value) past.push(message.value);
    if (past.length > HISTORY_MAX) past.shift();
    place = past.length;
    message.value = "";
    grow();
  } catch (error) {
    complain(error.message);
  }
}

element("sending").addEventListener("submit", (event) => {
  event.preventDefault();
  send();
});

/** The field is as high as what stands in it, up to what the style allows. */
function grow() {
  if (CSS.supports("field-sizing", "content")) return;
  message.style.height = "auto";
  message.style.height = `${message.scrollHeight + 2}px`;
}

function recall(step) {
  place = Math.min(Math.max(place + step, 0), past.length);
  message.value = past[place] ?? "";
  grow();
}

message.addEventListener("input", grow);
message.addEventListener("keydown", (event) => {
  // Enter ends the composition of a Korean syllable (229 is what Safari says then); it does not send.
  const isComposing = event.isComposing || event.keyCode === 229;
  const isRecalled = message.value === "" || message.value === past[place];
  if (event.key === "Enter" && !event.shiftKey) {
    event.preventDefault();
    if (!isComposing) send();
  } else if (!isComposing && (event.key === "ArrowUp" || event.key === "ArrowDown") && isRecalled && past.length) {
    event.preventDefault();
    recall(event.key === "ArrowUp" ? -1 : 1);
  }
});

kind.addEventListener("change", () => {
  file.hidden = kind.value !== "file";
  message.hidden = !file.hidden;
  message.placeholder = kind.value === "hex" ? "ec 95 88 or ec9588" : "";
});

for (const button of document.querySelectorAll(".fold")) {
  button.addEventListener("click", () => {
    const isOpen = button.getAttribute("aria-expanded") === "true";
    button.setAttribute("aria-expanded", String(!isOpen));
    element(button.getAttribute("aria-controls")).hidden = isOpen;
  });
}

async function copy(text, button, said) {
  const before = button.dataset.name ?? button.textContent;
  button.dataset.name = before;
  let isCopied = true;
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    // Without https the browser has no clipboard for a page: the text is there to be copied by hand.
    isCopied = false;
  }
  button.textContent = isCopied ? "Copied" : said;
  setTimeout(() => (button.textContent = before), 2000);
}

element("link").addEventListener("click", (event) => copy(link(fields), event.currentTarget, "It is in the address bar"));

function showCode() {
  let names = [];
  try {
    names = subprotocolsOf(subprotocols.value);
  } catch {
    // It is told when it is used.
  }
  element("snippet").textContent = codeFor(element("language").value, url.value.trim(), names);
}

for (const source of [url, subprotocols]) source.addEventListener("input", showCode);
for (const source of [url, subprotocols, element("language")]) source.addEventListener("change", showCode);
element("copy-code").addEventListener("click", ({ currentTarget }) => {
  copy(element("snippet").textContent, currentTarget, "Select it and copy");
  getSelection().selectAllChildren(element("snippet"));
});

element("save").addEventListener("click", log.save);
element("clear").addEventListener("click", log.clear);

url.value = location.host ? `${location.protocol === "https:" ? "wss:" : "ws:"}//${location.host}/` : "ws://127.0.0.1:9001/";
fill(fields);
window.addEventListener("hashchange", () => fill(fields));
showCode();
