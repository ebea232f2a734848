// What a message is made of, and how it is shown: as text, as JSON or as hex.

const encoder = new TextEncoder();
const ROW_BYTES = 16;
/** Each level of JSON indents all that is in it: what is deeper is shown as it came. */
const DEPTH_MAX = 50;
const digits = (byte) => byte.toString(16).padStart(2, "0");

export const bytesOf = (data) => (typeof data === "string" ? encoder.encode(data) : data);

/** The size of text as it travels, without a copy of it; of a page's own texts, which have no half of a pair alone. */
export function sizeOf(data) {
  if (typeof data !== "string") return data.byteLength;
  let size = data.length;
  for (let at = 0; at < data.length; at += 1) {
    const unit = data.charCodeAt(at);
    // Each half of a surrogate pair makes two of its four bytes.
    if (unit > 0x7f) size += unit > 0x7ff && (unit < 0xd800 || unit > 0xdfff) ? 2 : 1;
  }
  return size;
}

export const sized = (size) => `${size.toLocaleString("en")} ${size === 1 ? "byte" : "bytes"}`;

/** Makes what cannot be seen visible: control characters, and those that turn the direction of the text around them. */
const visible = (text) =>
  text
    .replace(/[\0-\x08\x0b-\x1f]/g, (found) => String.fromCharCode(0x2400 + found.charCodeAt(0)))
    .replace(/[\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g, (found) => `<U+${found.charCodeAt(0).toString(16).toUpperCase().padStart(4, "0")}>`);

function dump(bytes) {
  const rows = [];
  for (let at = 0; at < bytes.length; at += ROW_BYTES) {
    const row = Array.from(bytes.subarray(at, at + ROW_BYTES));
    const hex = row.map(digits).join(" ").padEnd(3 * ROW_BYTES - 1);
    const text = row.map((byte) => (byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : ".")).join("");
    rows.push(`${at.toString(16).padStart(6, "0")}  ${hex}  ${text}`);
  }
  return rows.join("\n");
}

/** JSON with line ends, its numbers and keys as they came; `null` where it is none. */
function indented(text) {
  try {
    if (typeof JSON.parse(text) !== "object") return null;
  } catch {
    return null;
  }
  let [depth, deepest] = [0, 0];
  const line = () => `\n${"  ".repeat(depth)}`;
  const tokens = text.match(/"(?:[^"\\]|\\.)*"|[{}[\],:]|[^\s{}[\],:"]+/g);
  for (const token of tokens) {
    if ("{[".includes(token)) deepest = Math.max(deepest, (depth += 1));
    else if ("}]".includes(token)) depth -= 1;
  }
  if (deepest > DEPTH_MAX) return null;
  return tokens
    .map((token, at) => {
      const isEmpty = "{[".includes(tokens[at - 1]);
      if ("{[".includes(token)) return (depth += 1), "}]".includes(tokens[at + 1]) ? token : token + line();
      if ("}]".includes(token)) return (depth -= 1), isEmpty ? token : line() + token;
      return token === "," ? token + line() : token === ":" ? ": " : token;
    })
    .join("");
}

/** The beginning of a text, which does not end within a character. */
function beginning(text, max) {
  const last = text.charCodeAt(max - 1);
  return text.slice(0, last >= 0xd800 && last < 0xdc00 ? max - 1 : max);
}

/** The first `max` characters (bytes, as hex) of a message: their text, whether its columns count, and whether it is whole. */
export function shown(data, view, max) {
  if (view === "hex" || typeof data !== "string") {
    const size = sizeOf(data);
    const bytes = typeof data === "string" ? encoder.encode(beginning(data, max)) : data;
    return { text: dump(bytes.subarray(0, max)), isFixed: true, isWhole: size <= max };
  }
  // What is cut is no JSON any more, and to indent megabytes would keep the page from all else.
  const json = view === "json" && data.length <= max ? indented(data) : null;
  if (json !== null) return { text: visible(json), isFixed: true, isWhole: true };
  return { text: visible(beginning(data, max)), isFixed: false, isWhole: data.length <= max };
}

/** Reads hex digits, with blanks, commas, colons or `0x` between them. Fails with what is wrong, and where. */
export function fromHex(text) {
  const bytes = [];
  let high = null;
  for (const { 0: found, index } of text.matchAll(/0x|[\s,:]|[^]/gi)) {
    if (/^(0x|[\s,:])$/i.test(found)) {
      if (high !== null) throw new Error(`Not sent: the byte that ends at character ${index} has one hex digit, and needs two.`);
    } else if (!/[0-9a-f]/i.test(found)) {
      throw new Error(`Not sent: “${found}” at character ${index + 1} is no hex digit (0 to 9, a to f).`);
    } else if (high === null) {
      high = found;
    } else {
      bytes.push(parseInt(high + found, 16));
      high = null;
    }
  }
  if (high !== null) throw new Error("Not sent: the last byte has one hex digit, and needs two.");
  return Uint8Array.from(bytes);
}
