// What is typed for a server, and the link that brings it back.

/** The remark for what was typed in place of a server's URL, with what `new WebSocket` said of it, if it was asked. */
export function wrongAddress(address, error) {
  const scheme = /^([a-z][a-z0-9+.-]*):\/\//i.exec(address)?.[1].toLowerCase();
  const rest = address.slice((scheme?.length ?? -3) + 3);
  if (!address) return "No server: type its URL, which begins with ws:// or wss://.";
  if (scheme === "http" || scheme === "https") return `${scheme}:// is the scheme of pages: the URL of a WebSocket is ${scheme.replace("http", "ws")}://${rest}`;
  if (!scheme) return `The URL of a WebSocket server begins with ws:// or wss://. Is it ws://${address}?`;
  if (scheme !== "ws" && scheme !== "wss") return `${scheme}:// is not the scheme of a WebSocket: that is ws:// or wss://.`;
  if (!/^[^/?#]/.test(rest)) return `No host behind ${scheme}://: it is ${scheme}://HOST:PORT/PATH.`;
  if (address.includes("#")) return `A WebSocket's URL has no fragment: take away “${address.slice(address.indexOf("#"))}”, or write %23 for the #.`;
  if (/[\s<>"`{}|\\^]/.test(rest.split(/[/?]/)[0])) return "The host has a character that no host can have.";
  if (!error) return null;
  if (error.name === "SecurityError") {
    return scheme === "ws" && location.protocol === "https:"
      ? `This page came over https, from where the browser opens wss:// only: wss://${rest}, or open this page over http.`
      : `The browser does not allow this connection: ${error.message}`;
  }
  const port = /:(\d+)$/.exec(rest.split(/[/?]/)[0])?.[1];
  if (port > 65535) return `The port ${port} is too large: 65535 is the largest.`;
  return `This URL cannot be used: ${error.message}`;
}

/** The subprotocols in a list with commas. Fails with what is wrong. */
export function subprotocolsOf(text) {
  const names = text.split(",").map((name) => name.trim()).filter(Boolean);
  const wrong = names.find((name) => !/^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/.test(name));
  if (wrong) throw new Error(`“${wrong}” cannot be a subprotocol: letters, digits and !#$%&'*+-.^_\`|~ can, without blanks.`);
  const twice = names.find((name, at) => names.indexOf(name) !== at);
  if (twice) throw new Error(`The subprotocol “${twice}” stands twice.`);
  return names;
}

/** Fills fields from the address's fragment, in which each has its name. It connects to nothing and sends nothing. */
export function fill(fields) {
  const settings = new URLSearchParams(location.hash.slice(1));
  for (const [name, field] of Object.entries(fields)) {
    if (!settings.has(name)) continue;
    const value = settings.get(name);
    if (field.type === "checkbox") field.checked = value === "1";
    else if (field.tagName !== "SELECT" || [...field.options].some((option) => option.value === value)) field.value = value;
    field.dispatchEvent(new Event("change"));
  }
}

/** Puts the fields into the address of the page; returns it. */
export function link(fields) {
  const settings = new URLSearchParams();
  for (const [name, field] of Object.entries(fields)) {
    const value = field.type === "checkbox" ? (field.checked ? "1" : "") : field.value;
    if (value) settings.set(name, value);
  }
  history.replaceState(null, "", `#${settings}`);
  return location.href;
}
