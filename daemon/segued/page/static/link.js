// The connection to Segue, which reconnects by itself, and the clock of the music process.
//
// Times of events are seconds on that clock. `musicNow()` estimates it from the answers to pings; the
// answer with the shortest round trip is the most exact.

const AGAIN_MS = 1000;
const PING_MS = 2000;
const KEPT = 12; // answers that are kept; the one with the shortest round trip is used

const handlers = new Map();
let socket = null;
let answers = []; // [round trip in ms, offset in s]
let offset = null;

export const link = { open: false, roundTrip: null };

export function on(what, handler) {
  if (!handlers.has(what)) handlers.set(what, []);
  handlers.get(what).push(handler);
}

let version = null; // of the Segue that served this page

function tell(what, value) {
  if (what === "health") {
    version ??= value.version;
    if (value.version !== version) { // its statuses may differ from what this page knows
      location.reload();
      return;
    }
  }
  for (const handler of handlers.get(what) ?? []) handler(value);
}

export function send(...command) {
  if (link.open) socket.send(JSON.stringify(command));
}

export function musicNow() {
  return performance.now() / 1000 + (offset ?? 0);
}

// From a time of the music process to `performance.now()` of this page, in seconds.
export function pageTime(music) {
  return music - (offset ?? 0);
}

function answered(sentAt, now) {
  const arrived = performance.now();
  const trip = arrived - sentAt;
  answers = [...answers.slice(1 - KEPT), [trip, now - (arrived - trip / 2) / 1000]];
  const best = answers.reduce((a, b) => (b[0] < a[0] ? b : a));
  offset = best[1];
  link.roundTrip = best[0];
}

function connect() {
  const scheme = location.protocol === "https:" ? "wss" : "ws";
  socket = new WebSocket(`${scheme}://${location.host}/live`);
  socket.onopen = () => {
    link.open = true;
    answers = [];
    for (let i = 0; i < 4; i += 1) setTimeout(() => send("ping", performance.now()), 60 * i);
    tell("open", true);
  };
  socket.onclose = () => {
    link.open = false;
    tell("open", false);
    setTimeout(connect, AGAIN_MS);
  };
  socket.onmessage = ({ data }) => {
    const message = JSON.parse(data);
    if ("pong" in message) return answered(message.pong, message.now);
    if (offset === null) offset = message.now - performance.now() / 1000;
    if (message.table) tell("table", message.table);
    if (message.events) {
      if (message.anew) tell("anew");
      for (const event of message.events) tell("event", event);
    }
    if (message.health) tell("health", { ...message.health, now: message.now });
    if (message.refused) tell("refused", message.refused);
  };
}

setInterval(() => send("ping", performance.now()), PING_MS);
// Old answers are dropped, because the two clocks drift apart.
setInterval(() => { answers = answers.slice(-4); }, 20 * PING_MS);

export { connect, tell };
