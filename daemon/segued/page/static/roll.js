// The piano roll: past and sounding notes, and planned notes as outlines beyond the now-line.

import { link, musicNow } from "./link.js";
import { music, tidy, OTHER, SEGUE } from "./music.js";

const BLACK = new Set([1, 3, 6, 8, 10]);
const SPAN = 25; // the fewest pitches that are shown
const AHEAD = 0.18; // the share of the width beyond the now-line

export class Roll {
  constructor(canvas) {
    this.canvas = canvas;
    this.pen = canvas.getContext("2d", { alpha: false });
    this.low = 48;
    this.high = 76;
    this.seconds = null; // of the past that are shown; null: by the width
    this.style();
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.style());
    new ResizeObserver(() => this.resize()).observe(canvas);
    canvas.addEventListener("wheel", (event) => {
      event.preventDefault();
      const past = this.seconds ?? this.usual;
      this.seconds = Math.min(30, Math.max(4, past * (event.deltaY > 0 ? 1.15 : 1 / 1.15)));
    }, { passive: false });
    canvas.addEventListener("dblclick", () => { this.seconds = null; });
    this.resize();
    const draw = () => {
      requestAnimationFrame(draw);
      this.draw();
    };
    requestAnimationFrame(draw);
  }

  style() {
    const css = getComputedStyle(document.documentElement);
    const names = ["ground", "lane", "line", "bar", "ink", "quiet", "you", "segue", "other", "now"];
    this.colours = Object.fromEntries(names.map((n) => [n, css.getPropertyValue(`--${n}`).trim()]));
  }

  resize() {
    const { width, height } = this.canvas.getBoundingClientRect();
    const dots = Math.min(2, devicePixelRatio || 1);
    this.width = width;
    this.height = height;
    this.canvas.width = Math.round(width * dots);
    this.canvas.height = Math.round(height * dots);
    this.pen.setTransform(dots, 0, 0, dots, 0, 0);
    this.usual = Math.min(20, Math.max(6, width / 75));
  }

  fit() {
    const shown = [...music.notes, ...music.planned.filter((p) => !p.gone)].map((n) => n.pitch);
    let low = Math.min(...shown, 127), high = Math.max(...shown, 0);
    if (!shown.length) [low, high] = [53, 72];
    const lack = Math.max(0, SPAN - (high - low + 5));
    this.low += (low - 2 - lack / 2 - this.low) * 0.06;
    this.high += (high + 3 + lack / 2 - this.high) * 0.06;
  }

  draw() {
    if (!this.width) return;
    const now = musicNow();
    tidy(now);
    this.fit();
    const past = this.seconds ?? this.usual;
    this.scale = (this.width * (1 - AHEAD)) / past; // pixels a second
    this.nowX = this.width * (1 - AHEAD);
    this.x = (time) => this.nowX + (time - now) * this.scale;
    this.lane = this.height / (this.high - this.low);
    this.y = (pitch) => this.height - (pitch - this.low + 1) * this.lane;
    this.begin = now - past;
    this.lanes();
    this.bars(now);
    this.pedals(now);
    for (const planned of music.planned) this.plan(planned, now);
    for (const note of music.notes) if ((note.to ?? now) > this.begin) this.note(note, now);
    this.labels();
    this.nowLine();
  }

  labels() {
    const { pen, colours } = this;
    pen.font = "10px system-ui";
    pen.fillStyle = colours.quiet;
    for (let pitch = 12 * Math.ceil(this.low / 12); pitch <= this.high; pitch += 12) {
      pen.fillText(`C${pitch / 12 - 1}`, 6, this.y(pitch) + this.lane - 4);
    }
  }

  lanes() {
    const { pen, colours } = this;
    pen.fillStyle = colours.ground;
    pen.fillRect(0, 0, this.width, this.height);
    for (let pitch = Math.floor(this.low); pitch <= this.high; pitch += 1) {
      const y = this.y(pitch);
      if (BLACK.has(pitch % 12)) {
        pen.fillStyle = colours.lane;
        pen.fillRect(0, y, this.width, this.lane);
      }
      if (pitch % 12 === 0) {
        pen.fillStyle = colours.line;
        pen.fillRect(0, y + this.lane - 0.5, this.width, 1);
      }
    }
  }

  bars(now) {
    const { source, bpm, bar, first } = music.tempo;
    if ((source !== 1 && source !== 2) || !bpm) return;
    const beat = 60 / bpm;
    const end = now + (this.width - this.nowX) / this.scale;
    for (let n = Math.ceil((this.begin - first) / beat); first + n * beat < end; n += 1) {
      this.pen.fillStyle = ((n % bar) + bar) % bar === 0 ? this.colours.bar : this.colours.line;
      this.pen.fillRect(Math.round(this.x(first + n * beat)), 0, 1, this.height);
    }
  }

  pedals(now) {
    this.pen.fillStyle = this.colours.you;
    this.pen.globalAlpha = 0.5;
    for (const { from, to } of music.pedals) {
      this.pen.fillRect(this.x(from), this.height - 4, this.x(to ?? now) - this.x(from), 3);
    }
    this.pen.globalAlpha = 1;
  }

  box(from, to, pitch, inset = 0) {
    const height = Math.max(1, Math.max(3, Math.min(this.lane - 1, 20)) - 2 * inset);
    const x = this.x(from) + inset;
    const y = this.y(pitch) + (this.lane - height) / 2;
    const width = Math.max(2, this.x(to) - this.x(from) - 1 - 2 * inset);
    this.pen.beginPath();
    this.pen.roundRect(x, y, width, height, Math.min(4, height / 2, width / 2));
  }

  note({ who, pitch, velocity, from, to, planned }, now) {
    const { pen, colours } = this;
    pen.fillStyle = pen.strokeStyle = who === SEGUE ? colours.segue
      : who === OTHER ? colours.other : colours.you;
    if (to === null && planned !== null && planned > now) { // the outline fills while it sounds
      pen.globalAlpha = 0.7;
      pen.lineWidth = 1.5;
      this.box(from, planned, pitch, 0.75);
      pen.stroke();
    }
    pen.globalAlpha = 0.42 + 0.58 * (velocity / 127);
    if (to === null) {
      pen.shadowColor = pen.fillStyle;
      pen.shadowBlur = 14;
    }
    this.box(from, Math.min(to ?? now, now), pitch);
    pen.fill();
    pen.shadowBlur = 0;
    pen.globalAlpha = 1;
  }

  plan({ pitch, velocity, from, to, gone }, now) {
    const { pen, colours } = this;
    const left = gone ? Math.max(0, 1 - (now - gone) / music.VANISH) : 1;
    pen.strokeStyle = pen.fillStyle = colours.segue;
    pen.lineWidth = 1.5;
    this.box(from, to ?? from + 0.25, pitch, 0.75 + (1 - left) * 2);
    pen.globalAlpha = left * (0.06 + 0.12 * (velocity / 127));
    pen.fill();
    pen.globalAlpha = left * 0.9;
    if (gone) pen.setLineDash([3, 4]);
    pen.stroke();
    pen.setLineDash([]);
    pen.globalAlpha = 1;
  }

  nowLine() {
    const { pen, colours } = this;
    const fade = pen.createLinearGradient(this.nowX, 0, this.width, 0);
    fade.addColorStop(0, colours.now);
    fade.addColorStop(1, "transparent");
    pen.globalAlpha = 0.1;
    pen.fillStyle = fade;
    pen.fillRect(this.nowX, 0, this.width - this.nowX, this.height);
    pen.globalAlpha = link.open ? 0.9 : 0.3;
    pen.fillStyle = colours.now;
    pen.fillRect(Math.round(this.nowX) - 1, 0, 2, this.height);
    pen.globalAlpha = 1;
  }
}
