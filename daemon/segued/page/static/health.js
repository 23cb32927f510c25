// Lateness, connections, resources, and the last lines of the log.

import { make } from "./make.js";
import { on } from "./link.js";

const CPU_LOOKS = 8; // statuses over which CPU time is averaged, two per second

function duration(seconds) {
  const s = Math.floor(seconds);
  const [h, m] = [Math.floor(s / 3600), Math.floor(s / 60) % 60];
  return h ? `${h} h ${m} min` : m ? `${m} min ${s % 60} s` : `${s} s`;
}

function percent(share) {
  if (share === null) return "–";
  return share === 1 ? "100 %" : `${(100 * share).toFixed(share > 0.99 ? 2 : 1)} %`;
}

function bars({ histogram, edges_ms: edges }) {
  const most = Math.max(1, ...histogram);
  const all = histogram.map((count, place) => {
    const bar = make("div", { className: "bar" });
    bar.style.height = `${Math.max(count ? 4 : 0, 100 * count / most)}%`;
    const name = place < edges.length ? `${edges[place]}` : "more";
    return make("div", { className: "column", title: `${count} within ${name} ms` },
      make("div", { className: "shaft" }, bar), make("span", { textContent: name }));
  });
  return make("div", { className: "histogram", role: "img", ariaLabel: "lateness in milliseconds" }, ...all);
}

function facts(rows) {
  const list = make("dl");
  for (const [name, value] of rows) {
    list.append(make("dt", { textContent: name }), make("dd", { textContent: value }));
  }
  return list;
}

function peers(count) {
  return count === null ? "" : `, ${count} connected`;
}

// The share of one core that the music process used between two statuses; null: unknown.
function cpuShare(before, now) {
  if (!before || before.cpu_s === null || now.cpu_s === null || now.now <= before.now) return null;
  return Math.max(0, now.cpu_s - before.cpu_s) / (now.now - before.now);
}

function draw(element, h, cpu) {
  const shares = h.within_ms.map((within, place) => make("div", { className: "share" },
    make("strong", { textContent: percent(h.on_time[place]) }),
    make("span", { textContent: `within ${within} ms` })));
  const { ports, counts } = h;
  element.replaceChildren(
    make("div", { className: "timing" },
      make("h3", { textContent: "Lateness of planned notes (ms)" }), bars(h),
      make("div", { className: "shares" }, ...shares)),
    facts([
      ["input", `${ports.input || "none"}${peers(ports.peers_in)}`],
      ["output", `${ports.output || "none"}${peers(ports.peers_out)}`],
      ["model step", h.step_ms ? `${h.step_ms.median.toFixed(2)} ms, p99 ${h.step_ms.p99.toFixed(2)} ms` : "none yet"],
      ["clock", h.clock],
      ["notes", `${counts.notes_thru} of yours passed thru, ${counts.notes_played} of Segue's in ${counts.replies} ${counts.replies === 1 ? "reply" : "replies"}`],
      ["late notes", `${counts.late} of ${counts.planned} by more than 3 ms`],
      ["memory", h.memory_mb ? `${h.memory_mb.toFixed(0)} MB` : "unknown"],
      ["CPU", cpu === null ? "unknown" : `${(100 * cpu).toFixed(cpu < 0.1 ? 1 : 0)} % of one core`],
      ["uptime", h.uptime_s === null ? "not ready yet" : duration(h.uptime_s)],
      ["scheduling", h.scheduling],
      ["version", h.version],
    ]),
  );
}

function lines(element, errors) {
  const rows = errors.map(({ time, level, line }) => make("p", { className: level },
    make("time", { textContent: new Date(1000 * time).toLocaleTimeString() }), ` ${line}`));
  element.replaceChildren(...rows.reverse());
  if (!rows.length) element.append(make("p", { className: "quiet", textContent: "The log is empty." }));
}

export function drawHealth(element, log) {
  let last = null;
  let cpu = null;
  const looks = []; // the last few statuses: the system counts CPU time in steps of 10 ms
  on("health", (health) => {
    last = health;
    cpu = cpuShare(looks[0], health);
    looks.push(health);
    if (looks.length > CPU_LOOKS) looks.shift();
    if (!element.hidden) draw(element, health, cpu);
    if (!log.hidden) lines(log, health.errors);
  });
  return () => {
    if (!last) return;
    draw(element, last, cpu);
    lines(log, last.errors);
  };
}
