// How well it keeps time, what is connected, and the last lines of the log.

import { make } from "./make.js";
import { on } from "./link.js";

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

function draw(element, h) {
  const shares = h.within_ms.map((within, place) => make("div", { className: "share" },
    make("strong", { textContent: percent(h.on_time[place]) }),
    make("span", { textContent: `within ${within} ms` })));
  const { ports, counts } = h;
  element.replaceChildren(
    make("div", { className: "timing" },
      make("h3", { textContent: "How late notes were sent (ms)" }), bars(h),
      make("div", { className: "shares" }, ...shares)),
    facts([
      ["input", `${ports.input || "none"}${peers(ports.peers_in)}`],
      ["output", `${ports.output || "none"}${peers(ports.peers_out)}`],
      ["model step", h.step_ms ? `${h.step_ms.median.toFixed(2)} ms, p99 ${h.step_ms.p99.toFixed(2)} ms` : "none yet"],
      ["clock", h.clock],
      ["notes", `${counts.notes_thru} of yours passed on, ${counts.notes_played} of its own in ${counts.replies} replies`],
      ["late", `${counts.late} of ${counts.planned} by more than 3 ms`],
      ["memory", h.memory_mb ? `${h.memory_mb.toFixed(0)} MB` : "unknown"],
      ["up", h.uptime_s === null ? "not ready yet" : duration(h.uptime_s)],
      ["runs with", h.scheduling],
      ["version", h.version],
    ]),
  );
}

function lines(element, errors) {
  const rows = errors.map(({ time, level, line }) => make("p", { className: level },
    make("time", { textContent: new Date(1000 * time).toLocaleTimeString() }), ` ${line}`));
  element.replaceChildren(...rows.reverse());
  if (!rows.length) element.append(make("p", { className: "quiet", textContent: "nothing was logged yet" }));
}

export function drawHealth(element, log) {
  let last = null;
  on("health", (health) => {
    last = health;
    if (!element.hidden) draw(element, health);
    if (!log.hidden) lines(log, health.errors);
  });
  return () => {
    if (!last) return;
    draw(element, last);
    lines(log, last.errors);
  };
}
