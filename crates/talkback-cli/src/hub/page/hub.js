// One hub, by the subprotocol talkback.topics.v1: it comes back by itself, and goes on where it was.

const [SHORTEST_MS, LONGEST_MS] = [200, 5000];

/** `draw` is called after each change; `remark` with what a person is to know. */
export function makeHub({ address, key, topics, draw, remark, receive }) {
  /** Of each topic: where it is, how many came, how late the last one was, and whether it is told that it missed some. */
  const rows = new Map(topics.map((name) => [name, { at: null, count: 0, lag: null, missed: "no" }]));
  const hub = { address, rows, state: "waiting", status: "connecting …" };
  let [socket, timer, failures, isOver] = [null, null, 0, false];

  function set(state, status) {
    Object.assign(hub, { state, status });
    draw();
  }

  const say = (what) => socket.send(JSON.stringify(what));

  function begin() {
    const names = ["talkback.topics.v1", ...(key ? [`talkback.key.${key}`] : [])];
    // May throw, for a URL or a key.
    socket = new WebSocket(address, names);
    socket.onopen = () => {
      failures = 0;
      set("open", "connected");
      for (const [topic, { at }] of rows) say({ do: "subscribe", topic, ...(at && { after: at }) });
    };
    socket.onmessage = ({ data }) => {
      handle(JSON.parse(data));
      draw();
    };
    socket.onclose = ({ code, reason }) => {
      if (isOver) return;
      failures += 1;
      if (hub.state === "open") remark(`${address} is gone: code ${code}${reason && `, ${reason}`}`, "bad");
      // Not all pages at once.
      const longest = Math.min(SHORTEST_MS * 2 ** failures, LONGEST_MS);
      timer = setTimeout(begin, SHORTEST_MS + Math.random() * (longest - SHORTEST_MS));
      set("waiting", failures > 3 ? "not reached, or this page or its key is refused; trying again" : "connecting again …");
    };
  }

  function handle(told) {
    const row = rows.get(told.topic);
    if (told.error) return remark(`${address}: ${told.error}`, "bad");
    if ("stale" in told) return set("waiting", "connected, but hears nothing of the other hubs");
    if ("live" in told) return set("open", "connected");
    if (!row) return;
    if (told.subscribed) {
      if (row.at && !told.recovered) row.missed = "yes";
      if (row.at) remark(`${address}, ${told.topic}: ${told.recovered ? "goes on where it was" : "what it missed is not kept any more"}`, told.recovered ? "good" : "warn");
    }
    if (told.gap || told.reset) {
      row.missed = "yes";
      remark(`${address}, ${told.topic}: ${told.reset ? "begins anew" : "some were missed"}`, "warn");
    }
    if (told.at) row.at = told.at;
    if (!["data", "text", "base64"].some((name) => name in told)) return;
    const payload = "data" in told ? told.data : (told.text ?? `binary, in Base64: ${told.base64}`);
    row.count += 1;
    if (typeof payload?.sent === "number") row.lag = Date.now() - payload.sent;
    receive(hub, told.topic, payload);
  }

  begin();
  return Object.assign(hub, {
    publish(topic, payload) {
      if (socket.readyState !== WebSocket.OPEN) return false;
      say({ do: "publish", topic, ...payload });
      return true;
    },
    /** Ends its process; what came of it. */
    async kill() {
      const url = new URL("/kill", address.replace(/^ws/, "http"));
      try {
        const headers = key ? { Authorization: `Bearer ${key}` } : {};
        const { status } = await fetch(url, { method: "POST", headers });
        return status === 404 ? `${address} was started without --allow-kill` : `${address} does not let this page do so: ${status}`;
      } catch {
        // It answers nothing any more.
        return null;
      }
    },
    end() {
      isOver = true;
      clearTimeout(timer);
      socket.close(1000);
    },
  });
}
