// The page as an instrument: computer keyboard, touch and mouse, and MIDI keyboards in the browser.

import { on, send } from "./link.js";

const ROWS = ["KeyA", "KeyW", "KeyS", "KeyE", "KeyD", "KeyF", "KeyT", "KeyG", "KeyY", "KeyH",
  "KeyU", "KeyJ", "KeyK", "KeyO", "KeyL", "KeyP", "Semicolon", "Quote"];
const LETTERS = "awsedftgyhujkolp;'";
const BLACK = new Set([1, 3, 6, 8, 10]);
const NAMES = ["C", "C#", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B"];
const VELOCITY = 84;
const LOWEST = 12, HIGHEST = 96; // the range of the lowest key on the screen
const WHITE_WIDTH = 44; // pixels, about
const PEDAL = 64;

export class Instrument {
  constructor(synth, element) {
    this.synth = synth;
    this.element = element;
    this.base = 48;
    this.down = new Map(); // source (a key's code, a finger, a MIDI port and pitch) -> pitch
    this.mine = new Map(); // pitch -> how many sources hold it
    this.struck = new Map(); // pitch -> when it was sent, until the music process reports it
    this.echo = null; // milliseconds from a key to the music process and back
    this.pedal = false;
    this.onplay = () => {};
    this.build();
    new ResizeObserver(() => this.build()).observe(element);
    this.listen();
    on("open", () => this.releaseAll());
  }

  // --- playing

  press(source, pitch, velocity = VELOCITY) {
    if (this.down.has(source) || pitch < 0 || pitch > 127) return;
    this.onplay();
    this.down.set(source, pitch);
    const holds = this.mine.get(pitch) ?? 0;
    this.mine.set(pitch, holds + 1);
    if (holds) return;
    this.synth.noteOn("you", pitch, velocity);
    this.struck.set(pitch, performance.now());
    send("receive", [0x90, pitch, velocity]);
    this.light(pitch, "you", true);
  }

  release(source) {
    const pitch = this.down.get(source);
    if (pitch === undefined) return;
    this.down.delete(source);
    const holds = this.mine.get(pitch) - 1;
    if (holds) {
      this.mine.set(pitch, holds);
      return;
    }
    this.mine.delete(pitch);
    if (!this.pedal) this.synth.noteOff("you", pitch);
    send("receive", [0x80, pitch, 64]);
    this.light(pitch, "you", false);
  }

  sustain(down) {
    if (down === this.pedal) return;
    this.pedal = down;
    send("receive", [0xb0, PEDAL, down ? 127 : 0]);
    if (!down) {
      for (const name of [...this.synth.voices.keys()]) {
        const [part, pitch] = name.split(" ");
        if (part === "you" && !this.mine.has(Number(pitch))) this.synth.noteOff("you", Number(pitch));
      }
    }
  }

  releaseAll() {
    for (const source of [...this.down.keys()]) this.release(source);
    this.sustain(false);
  }

  // The music process reports a note of the performer. Returns whether this page played it.
  cameBack(pitch) {
    const sent = this.struck.get(pitch);
    if (sent === undefined) return this.mine.has(pitch);
    this.struck.delete(pitch);
    this.echo = performance.now() - sent;
    return true;
  }

  // --- keys on the screen

  build() {
    const width = this.element.clientWidth;
    const white = Math.max(8, Math.min(29, Math.round(width / WHITE_WIDTH)));
    this.element.replaceChildren();
    let pitch = this.base;
    for (let n = 0; n < white && pitch < 128; pitch += 1) {
      const key = document.createElement("div");
      const black = BLACK.has(pitch % 12);
      key.className = black ? "black" : "white";
      key.dataset.pitch = pitch;
      if (black) key.style.left = `${100 * n / white}%`;
      else {
        key.style.left = `${100 * n / white}%`;
        n += 1;
      }
      key.style.width = `${(black ? 62 : 100) / white}%`;
      const letter = LETTERS[pitch - this.base];
      if (letter) key.dataset.letter = letter;
      if (pitch % 12 === 0) key.dataset.name = `C${pitch / 12 - 1}`;
      this.element.append(key);
    }
    document.getElementById("octave").textContent = `${NAMES[this.base % 12]}${this.base / 12 - 1}`;
  }

  light(pitch, part, on) {
    this.element.querySelector(`[data-pitch="${pitch}"]`)?.classList.toggle(part, on);
  }

  shift(octaves) {
    this.releaseAll();
    this.base = Math.min(HIGHEST, Math.max(LOWEST, this.base + 12 * octaves));
    this.build();
  }

  // --- sources of notes

  listen() {
    const at = (event) => document.elementFromPoint(event.clientX, event.clientY)?.closest?.("[data-pitch]");
    const strength = (event, key) => {
      const { top, height } = key.getBoundingClientRect();
      return Math.round(48 + 62 * Math.min(1, Math.max(0, (event.clientY - top) / height)));
    };
    this.element.addEventListener("pointerdown", (event) => {
      const key = at(event);
      if (!key) return;
      event.preventDefault();
      this.element.setPointerCapture(event.pointerId);
      this.press(`finger ${event.pointerId}`, Number(key.dataset.pitch), strength(event, key));
    });
    this.element.addEventListener("pointermove", (event) => {
      const source = `finger ${event.pointerId}`;
      if (!this.down.has(source)) return;
      const key = at(event);
      if (!key || Number(key.dataset.pitch) === this.down.get(source)) return;
      this.release(source);
      this.press(source, Number(key.dataset.pitch), strength(event, key));
    });
    for (const over of ["pointerup", "pointercancel"]) {
      this.element.addEventListener(over, (event) => this.release(`finger ${event.pointerId}`));
    }
    addEventListener("keydown", (event) => {
      if (typing(event)) return;
      const place = ROWS.indexOf(event.code);
      if (place >= 0) {
        event.preventDefault();
        if (!event.repeat) this.press(event.code, this.base + place, event.shiftKey ? 112 : VELOCITY);
      } else if (event.code === "KeyZ" && !event.repeat) this.shift(-1);
      else if (event.code === "KeyX" && !event.repeat) this.shift(1);
    });
    addEventListener("keyup", (event) => this.release(event.code));
    addEventListener("blur", () => this.releaseAll());
    document.addEventListener("visibilitychange", () => { if (document.hidden) this.releaseAll(); });
  }

  // Listen to MIDI keyboards of the browser. One that is connected to Segue, too, would be heard twice.
  async useMidi(showNames) {
    const access = await navigator.requestMIDIAccess();
    const follow = () => {
      const names = [];
      for (const input of access.inputs.values()) {
        names.push(input.name);
        input.onmidimessage = ({ data }) => this.midi(input.id, data);
      }
      showNames(names);
    };
    access.onstatechange = ({ port }) => {
      if (port.type === "input" && port.state === "disconnected") this.unplugged(port.id);
      follow();
    };
    follow();
  }

  midi(id, [status, pitch, value]) {
    const kind = status & 0xf0;
    const source = `${id} ${status & 0x0f} ${pitch}`;
    if (kind === 0x90 && value) this.press(source, pitch, value);
    else if (kind === 0x80 || kind === 0x90) this.release(source);
    else if (kind === 0xb0 && pitch === PEDAL) this.sustain(value >= 64);
    else if (kind === 0xb0 || kind === 0xe0) send("receive", [status & 0xf0, pitch, value]);
  }

  unplugged(id) {
    for (const source of [...this.down.keys()]) if (source.startsWith(`${id} `)) this.release(source);
    this.sustain(false);
  }
}

// Whether a keystroke is meant for a text field, or is a shortcut of the browser.
export function typing(event) {
  if (event.ctrlKey || event.metaKey || event.altKey) return true;
  return event.target.matches?.("input[type=text], input[type=number], select, textarea") ?? false;
}
