// The takes of this machine: list, piano roll, playback by the page's synth, star, deletion.

import { askJson } from "./ask.js";
import { make } from "./make.js";

const AGAIN_MS = 5000; // between updates, while the tab is shown
const AHEAD = 0.25; // seconds by which notes are sent to the synth before they sound
const PARTS = { 1: "you", 2: "segue" };

function stamp(seconds) {
  return new Date(1000 * seconds).toLocaleString([], { dateStyle: "medium", timeStyle: "short" });
}

function length(seconds) {
  return `${Math.floor(seconds / 60)}:${String(Math.floor(seconds % 60)).padStart(2, "0")}`;
}

function where(name) {
  return `/takes/${encodeURIComponent(name)}`;
}

// Draw a whole take. `at`: the position of playback in seconds, or null.
function draw(canvas, { notes, seconds }, at) {
  const { width, height } = canvas.getBoundingClientRect();
  const dots = Math.min(2, devicePixelRatio || 1);
  canvas.width = Math.round(width * dots);
  canvas.height = Math.round(height * dots);
  const pen = canvas.getContext("2d");
  const css = getComputedStyle(document.documentElement);
  pen.scale(dots, dots);
  const pitches = notes.map((note) => note[1]);
  const low = Math.min(...pitches, 60) - 2, high = Math.max(...pitches, 64) + 2;
  const lane = height / (high - low);
  const x = (time) => (time / Math.max(1, seconds)) * width;
  for (const [owner, pitch, , begin, end] of notes) {
    pen.fillStyle = css.getPropertyValue(`--${PARTS[owner]}`);
    pen.fillRect(x(begin), height - (pitch - low) * lane, Math.max(1.5, x(end) - x(begin)), Math.max(2, lane));
  }
  if (at !== null) {
    pen.fillStyle = css.getPropertyValue("--now");
    pen.fillRect(x(at), 0, 1.5, height);
  }
}

// Plays a take: sends notes to the synth shortly before they sound, until the end or `stop`.
class Playing {
  constructor(synth, take, shows, ends) {
    this.synth = synth;
    this.began = synth.context.currentTime + 0.1;
    const events = [];
    for (const [owner, pitch, velocity, begin, end] of take.notes) {
      events.push([begin, 1, PARTS[owner], pitch, velocity], [end, 0, PARTS[owner], pitch, 0]);
    }
    this.events = events.sort((a, b) => a[0] - b[0] || a[1] - b[1]);
    this.next = 0;
    this.timer = setInterval(() => this.feed(take, ends), 1000 * AHEAD / 4);
    const frame = () => {
      if (!this.timer) return;
      shows(Math.max(0, this.now));
      requestAnimationFrame(frame);
    };
    frame();
  }

  get now() {
    return this.synth.context.currentTime - this.began;
  }

  feed(take, ends) {
    for (; this.next < this.events.length && this.events[this.next][0] < this.now + AHEAD; this.next += 1) {
      const [time, on, part, pitch, velocity] = this.events[this.next];
      if (on) this.synth.noteOn(part, pitch, velocity, this.began + time);
      else this.synth.noteOff(part, pitch, this.began + time);
    }
    if (this.now > take.seconds + 1) ends();
  }

  stop() {
    clearInterval(this.timer);
    this.timer = 0;
    this.synth.silence();
  }
}

// `panel` is the tab around `element`; `sound` turns the synth on. Returns a function to call when the
// tab is shown.
export function drawTakes(element, panel, synth, sound, notice) {
  let open = null; // the name of the take whose roll is shown
  let playing = null;
  let shown = "";

  function stop() {
    playing?.stop();
    playing = null;
    element.querySelectorAll(".play").forEach((button) => { button.textContent = "Play"; });
  }

  async function detail(name, kept) {
    const take = await askJson(`${where(name)}/notes`);
    const canvas = make("canvas", { className: "take-roll" });
    const play = make("button", { className: "play", textContent: "Play" });
    const away = make("button", { className: "away", textContent: "Delete", disabled: kept,
      title: kept ? "remove its star first" : "" });
    play.addEventListener("click", () => {
      const was = playing;
      stop();
      if (was) return draw(canvas, take, null);
      sound(true);
      const ends = () => { stop(); draw(canvas, take, null); };
      playing = new Playing(synth, take, (at) => draw(canvas, take, at), ends);
      play.textContent = "Stop";
    });
    away.addEventListener("click", async () => {
      if (!away.classList.contains("sure")) {
        away.classList.add("sure");
        away.textContent = "Delete for good?";
        return;
      }
      stop();
      try {
        await askJson(where(name), { method: "DELETE" });
      } catch (error) {
        notice(error.message);
      }
      open = null;
      look();
    });
    const fetched = make("a", { href: where(name), download: name, textContent: "MIDI file" });
    const words = make("span", { className: "quiet", textContent: `${length(take.seconds)}, ${take.notes.length} notes` });
    const whole = make("div", { className: "take-detail" }, canvas,
      make("div", { className: "take-hands" }, play, fetched, away, words));
    requestAnimationFrame(() => draw(canvas, take, null));
    return whole;
  }

  function star(name, has) {
    const title = has ? "remove the star" : "add a star: the take cannot be deleted, and learning can choose it";
    const button = make("button", { className: "star", textContent: has ? "★" : "☆", title, ariaLabel: title });
    button.setAttribute("aria-pressed", has);
    button.addEventListener("click", async () => {
      try {
        await askJson(`${where(name)}/star`, { method: has ? "DELETE" : "PUT" });
      } catch (error) {
        notice(error.message);
      }
      shown = "";
      look();
    });
    return button;
  }

  function row({ name, ended, writing, star: has }) {
    const button = make("button", { className: "take", disabled: writing, title: name });
    button.append(make("span", { textContent: writing ? "recording" : stamp(ended) }));
    const head = make("div", { className: "take-head" }, button, ...(writing ? [] : [star(name, has)]));
    const item = make("div", { className: "take-row" }, head);
    item.dataset.take = name;
    const show = async () => {
      try {
        item.append(await detail(name, has));
        button.setAttribute("aria-expanded", true);
      } catch (error) {
        notice(error.message);
      }
    };
    button.addEventListener("click", () => {
      stop();
      const was = open;
      element.querySelectorAll(".take-detail").forEach((other) => other.remove());
      element.querySelectorAll(".take").forEach((other) => other.setAttribute("aria-expanded", false));
      open = was === name ? null : name;
      if (open) show();
    });
    if (open === name) show();
    return item;
  }

  async function look() {
    if (panel.hidden || playing) return;
    let found;
    try {
      found = await askJson("/takes");
    } catch (error) {
      element.replaceChildren(make("p", { className: "quiet", textContent: error.message }));
      return;
    }
    const text = JSON.stringify(found);
    if (text === shown && open !== null) return;
    shown = text;
    const rows = found.takes.map(row);
    if (!rows.length) {
      rows.push(make("p", { className: "quiet", textContent: found.recording ? "There are no takes yet."
        : "Nothing is recorded: set record.folder in the settings." }));
    }
    element.replaceChildren(...rows);
  }

  setInterval(look, AGAIN_MS);
  return look;
}
