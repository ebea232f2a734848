// The log: what was sent and received, with remarks between; bounded in entries and in bytes.
import { bytesOf, shown, sized, sizeOf } from "./data.js";

const ENTRIES_MAX = 1000;
const BYTES_MAX = 32 << 20;
/** How many characters of a message are shown at first, and when the whole is asked for. */
const [BEGINNING, WHOLE] = [2000, 100_000];
const WORDS = { in: "received", out: "sent" };

export function makeLog(frame, list, { filter, view, search }) {
  let entries = [];
  let bytes = 0;
  // What came since the page was drawn last; `passed` of it is shown nowhere.
  let waiting = [];
  let [waiting_bytes, passed] = [0, 0];

  const isMessage = ({ kind }) => kind in WORDS;
  const make = (name, properties) => Object.assign(document.createElement(name), properties);

  function matches({ kind, item, data }) {
    const wanted = filter.value === "all" || filter.value === (kind in WORDS ? kind : "remark");
    const text = typeof data === "string" ? data : item.firstChild.textContent;
    return wanted && text.toLowerCase().includes(search.value.toLowerCase());
  }

  function button(text, act) {
    const made = make("button", { type: "button", textContent: text });
    made.addEventListener("click", act);
    return made;
  }

  function draw(entry) {
    const { item, kind, data, size, time, note, max = BEGINNING } = entry;
    const { text, isFixed, isWhole } = isMessage(entry) ? shown(data, view.value, max) : { text: data, isWhole: true };
    const body = make(isFixed ? "pre" : "div", { className: isFixed ? "text fixed" : "text", textContent: isWhole ? text : `${text} …` });
    const about = [WORDS[kind], time.toTimeString().slice(0, 8), isMessage(entry) && sized(size), note];
    const told = make("small", { textContent: about.filter(Boolean).join(", ") });
    const hadFocus = item.contains(document.activeElement);
    item.replaceChildren(body, told);
    if (!isWhole || max !== BEGINNING) {
      const more = make("span", {});
      const next = max === BEGINNING ? WHOLE : undefined;
      more.append(button(max === BEGINNING ? "Show more" : "Show less", () => draw(Object.assign(entry, { max: next }))), button("Save", () => download(entry)));
      item.append(more);
      if (hadFocus) more.firstChild.focus();
    }
    item.hidden = !matches(entry);
  }

  function download({ data, time }) {
    const isText = typeof data === "string";
    save([data], `message-${stamp(time)}.${isText ? "txt" : "bin"}`, isText ? "text/plain" : "application/octet-stream");
  }

  function save(parts, name, type) {
    const link = make("a", { href: URL.createObjectURL(new Blob(parts, { type })), download: name });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
  }

  const stamp = (time) => time.toISOString().replace(/[:.]/g, "-");

  function forget(count) {
    for (const { item, size } of entries.splice(0, count)) {
      bytes -= size;
      item.remove();
    }
  }

  function flush() {
    const isAtEnd = frame.scrollHeight - frame.scrollTop - frame.clientHeight < 40;
    if (passed) waiting.unshift({ kind: "remark warn", data: `${passed.toLocaleString("en")} messages came too fast to be shown`, size: 0, time: new Date() });
    for (const entry of waiting) {
      entry.item = make("li", { className: entry.kind });
      draw(entry);
      bytes += entry.size;
    }
    entries.push(...waiting);
    list.append(...waiting.map(({ item }) => item));
    [waiting, waiting_bytes, passed] = [[], 0, 0];
    while (entries.length > ENTRIES_MAX || (bytes > BYTES_MAX && entries.length > 1)) forget(1);
    if (isAtEnd) frame.scrollTop = frame.scrollHeight;
  }

  function add(kind, data, note) {
    const entry = { kind, data, size: kind in WORDS ? sizeOf(data) : 0, time: new Date(), note };
    // A page in the background is not drawn: what waits for it is bounded, too.
    if (!waiting.length) requestAnimationFrame(flush);
    waiting.push(entry);
    waiting_bytes += entry.size;
    while (waiting.length > ENTRIES_MAX || (waiting_bytes > BYTES_MAX && waiting.length > 1)) {
      waiting_bytes -= waiting.shift().size;
      passed += 1;
    }
    return entry;
  }

  const refilter = () => entries.forEach((entry) => (entry.item.hidden = !matches(entry)));
  search.addEventListener("input", refilter);
  filter.addEventListener("change", refilter);
  view.addEventListener("change", () => entries.forEach(draw));

  return {
    message: add,
    remark: (text, kind = "") => add(`remark ${kind}`.trim(), text),
    /** Says something more of an entry. */
    note(entry, note) {
      entry.note = note;
      if (entry.item) draw(entry);
    },
    clear: () => forget(entries.length),
    /** Saves what is shown: an object a line. */
    save() {
      const line = ({ kind, data, size, time }) => {
        const content = typeof data === "string" ? { text: data } : { hex: Array.from(bytesOf(data), (byte) => byte.toString(16).padStart(2, "0")).join("") };
        return `${JSON.stringify({ time: time.toISOString(), kind: WORDS[kind] ?? "remark", ...(kind in WORDS && { size }), ...content })}\n`;
      };
      save(entries.filter(matches).map(line), `talkback-${stamp(new Date())}.jsonl`, "application/x-ndjson");
    },
  };
}
