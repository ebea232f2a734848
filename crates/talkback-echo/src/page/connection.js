// A connection to a server, which is made again if that is wanted: by the waits and the rules of a channel of talkback.

/** A wait is drawn from 0 (0.5 after a failure) to these, in seconds; they begin anew after a connection that lasted. */
const WINDOWS_S = [5, 10, 20, 30];
const [SHORTEST_S, STABLE_S] = [0.5, 5];
/** How many sent messages, of at most how many bytes, are held against what comes back, to tell how long that took. */
const UNANSWERED_MAX = 100;
const COMPARED_MAX = 64 << 10;

/** Whether a server that closes with this code means it. */
const ends = (code) => [1000, 1003, 1008, 1009, 1010].includes(code) || (code >= 3000 && code !== 3008);
/** Whether it is a mistake of one end, which time hardly mends: so many are let pass in a row. */
const isMistake = (code) => ![1001, 1005, 1006, 1011, 1012, 1013, 1014, 3008].includes(code);
const MISTAKES_MAX = 3;
/** From when to when to come back to a server that restarts, or is overloaded, in seconds. */
const WINDOWS_OF_CODE_S = { 1012: [5, 30], 1013: [15, 30] };
const told = ({ code, reason }) => `code ${code}${reason ? `, “${reason}”` : ""}`;

/** `tell` is called with each state: idle, connecting, open, closing, waiting. */
export function makeConnection({ tell, receive, remark, wants }) {
  let [state, socket, timer, target] = ["idle", null, null, null];
  let [failures, mistakes, window_s, opened] = [0, 0, 0, null];
  let isOurs = false;
  let unanswered = [];

  function set(next, text, more) {
    state = next;
    tell(next, text, more);
  }

  function begin() {
    clearTimeout(timer);
    [isOurs, opened, unanswered] = [false, null, []];
    // May throw, for a URL or a subprotocol.
    const own = (socket = new WebSocket(target.address, target.subprotocols));
    own.binaryType = "arraybuffer";
    set("connecting", "connecting …");
    own.onopen = () => {
      opened = performance.now();
      remark(`Connected to ${own.url}${own.protocol ? `, subprotocol ${own.protocol}` : ""}`, "good");
      set("open", "connected");
    };
    own.onmessage = ({ data }) => receive(typeof data === "string" ? data : new Uint8Array(data), answer(data));
    own.onclose = ended;
  }

  /** The time since the oldest message was sent that is like this one. */
  function answer(data) {
    const isSame = (sent) => typeof sent === typeof data && (sent === data || sameBytes(sent, data));
    const at = unanswered.findIndex(({ sent }) => isSame(sent));
    if (at < 0) return null;
    const [{ time }] = unanswered.splice(0, at + 1).slice(-1);
    return performance.now() - time;
  }

  function sameBytes(sent, data) {
    if (typeof sent === "string" || sent.byteLength !== data.byteLength) return false;
    const came = new Uint8Array(data);
    return sent.every((byte, at) => byte === came[at]);
  }

  function ended(event) {
    socket = null;
    const isFault = !event.wasClean && !isOurs;
    const failed = opened === null && !isOurs;
    if (failed) remark(`Could not connect to ${target.address} (${told(event)}). Check that the server is running, and host and port.`, "bad");
    else remark(`${isOurs ? "Closed by this page" : event.wasClean ? "Closed by the server" : "Connection lost"}, ${told(event)}`, isFault ? "bad" : "");
    if (!isOurs && wants() && !ends(event.code) && isLetPass(event)) return wait(event);
    set(isFault ? "failed" : "idle", `${isFault ? "failed" : "closed"}, code ${event.code}`);
  }

  function isLetPass({ code }) {
    const lasted_s = opened === null ? 0 : (performance.now() - opened) / 1000;
    if (opened !== null && lasted_s >= Math.max(STABLE_S, window_s)) [failures, mistakes] = [0, 0];
    mistakes = isMistake(code) ? mistakes + 1 : 0;
    return mistakes <= MISTAKES_MAX;
  }

  function again() {
    if (wants()) return begin();
    set("idle", "not connected");
  }

  function wait({ code }) {
    window_s = WINDOWS_S[Math.min(failures, WINDOWS_S.length - 1)];
    const [least_s, most_s] = WINDOWS_OF_CODE_S[code] ?? [failures ? SHORTEST_S : 0, window_s];
    const wait_s = least_s + Math.random() * (most_s - least_s);
    failures += 1;
    timer = setTimeout(again, wait_s * 1000);
    set("waiting", `reconnecting (code ${code})`, performance.now() + wait_s * 1000);
  }

  return {
    get state() {
      return state;
    },
    open(address, subprotocols) {
      [target, failures, mistakes, window_s] = [{ address, subprotocols }, 0, 0, 0];
      begin();
    },
    send(data) {
      if (state !== "open") return false;
      socket.send(data);
      if (data.length <= COMPARED_MAX) unanswered.push({ sent: data, time: performance.now() });
      if (unanswered.length > UNANSWERED_MAX) unanswered.shift();
      return true;
    },
    /** Ends a connection, a try, or the wait for one. May throw, for a code that may not be sent. */
    close(code, reason) {
      if (state === "waiting") {
        clearTimeout(timer);
        remark("Stopped reconnecting");
        set("idle", "not connected");
      } else if (socket) {
        socket.close(code, reason);
        isOurs = true;
        set("closing", "closing …");
      }
    },
  };
}
