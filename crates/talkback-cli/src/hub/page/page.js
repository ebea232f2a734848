// The page: two hubs, their topics, and what happens.
import { makeHub } from "./hub.js";

const ENTRIES_MAX = 500;
const element = (id) => document.getElementById(id);
const [first, second, topics, key, message, by, steady] =
  ["first", "second", "topics", "key", "message", "by", "steady"].map(element);
const make = (name, properties, ...children) => {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
};
let hubs = [];
let isDrawing = false;

/** Says what has to be mended; what is said again is read out again. */
function complain(text) {
  element("told").textContent = "";
  if (text) setTimeout(() => (element("told").textContent = text));
}

function remark(text, kind = "") {
  const log = element("log");
  const isAtEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 40;
  const time = make("time", { textContent: new Date().toTimeString().slice(0, 8) });
  element("entries").append(make("li", { className: kind }, time, ` ${text}`));
  if (element("entries").childElementCount > ENTRIES_MAX) element("entries").firstChild.remove();
  if (isAtEnd) log.scrollTop = log.scrollHeight;
}

/** Draws once for all that came since. */
function draw() {
  if (isDrawing) return;
  isDrawing = true;
  requestAnimationFrame(() => {
    isDrawing = false;
    hubs.forEach(drawHub);
  });
}

function card(hub) {
  const kill = make("button", { type: "button", className: "kill", textContent: "Kill it" });
  kill.addEventListener("click", async () => complain(await hub.kill()));
  const status = make("p", {});
  status.setAttribute("role", "status");
  const head = make("tr", {}, ...["Topic", "At", "Came", "Lag", "Missed"].map((name) => make("th", { scope: "col", textContent: name })));
  const body = make("tbody", {});
  const table = make("table", {}, make("thead", {}, head), body);
  const own = make("section", {}, make("header", {}, make("h2", { textContent: hub.address }), status), table, kill);
  own.setAttribute("aria-label", hub.address);
  return Object.assign(hub, { own, told: status, body });
}

function drawHub({ own, told, body, state, status, rows }) {
  own.className = `hub ${state}`;
  // What is the same is not read out again.
  if (told.textContent !== status) told.textContent = status;
  const cells = (row) => [row.at?.split("-")[1] ?? "", row.count, row.lag === null ? "" : `${row.lag} ms`, row.missed];
  body.replaceChildren(...[...rows].map(([name, row]) => make("tr", {}, ...[name, ...cells(row)].map((text) => make("td", { textContent: text })))));
}

function receive(hub, topic, payload) {
  if (typeof payload?.sent === "number") return;
  const text = typeof payload === "string" ? payload : JSON.stringify(payload);
  remark(`${hub.address}, ${topic}: ${text}`);
}

function connect() {
  const names = [...new Set(topics.value.split(",").map((name) => name.trim()).filter(Boolean))];
  const addresses = [first, second].map(({ value }) => value.trim()).filter(Boolean);
  const wrong = addresses.find((address) => !/^wss?:\/\/[^/]/.test(address));
  if (wrong) return complain(`“${wrong}” is no hub's URL, such as ws://localhost:9001/.`);
  if (!names.length || !addresses.length) return complain("Type a hub and a topic.");
  hubs.forEach((hub) => hub.end());
  try {
    hubs = addresses.map((address) => card(makeHub({ address, key: key.value, topics: names, draw, remark, receive })));
    complain("");
  } catch (error) {
    hubs = [];
    complain(`This cannot be used: ${error.message}`);
  }
  element("hubs").replaceChildren(...hubs.map(({ own }) => own));
  draw();
}

function publish(payload) {
  const hub = hubs[by.value] ?? hubs[0];
  const [topic] = hub?.rows.keys() ?? [];
  return Boolean(hub?.publish(topic, payload));
}

element("settings").addEventListener("submit", (event) => {
  event.preventDefault();
  connect();
});
element("sending").addEventListener("submit", (event) => {
  event.preventDefault();
  if (!message.value) return;
  const isSent = publish({ text: message.value });
  complain(isSent ? "" : "Not published: this hub is not connected.");
  if (isSent) message.value = "";
});
setInterval(() => steady.checked && publish({ data: { sent: Date.now() } }), 100);

const settings = new URLSearchParams(location.hash.slice(1));
first.value = location.host ? `${location.protocol === "https:" ? "wss:" : "ws:"}//${location.host}/` : "ws://localhost:9001/";
second.value = settings.get("other") ?? "";
topics.value = settings.get("topics") ?? topics.value;
if (second.value || settings.has("topics")) connect();
