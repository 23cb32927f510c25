// The page: connects its parts, and shows whose turn it is.

import { connect, link, musicNow, on, send, tell } from "./link.js";
import { music, NOTE, OTHER, ownerOf, SEGUE, SILENCED, YOU } from "./music.js";
import { Roll } from "./roll.js";
import { Synth } from "./synth.js";
import { Instrument, typing } from "./instrument.js";
import { drawKnobs } from "./knobs.js";
import { drawHealth } from "./health.js";
import { drawTakes } from "./takes.js";
import { drawLearning } from "./learn.js";
import { drawPorts } from "./ports.js";
import { drawModels } from "./models.js";

const NAMES = ["C", "C#", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B"];
const SOURCES = ["tempo", "your tempo", "MIDI clock", "set tempo"];
const NOTICE_MS = 5000;

const $ = (id) => document.getElementById(id);
const roll = new Roll($("roll"));
const synth = new Synth();
const instrument = new Instrument(synth, $("keys"));
const drawNow = drawHealth($("health"), $("log"));
drawKnobs($("knobs"));
const lookAtTakes = drawTakes($("takes-list"), $("takes"), synth, sound, notice);
const lookAtLearning = drawLearning($("learning"), $("takes"));
const lookAtPorts = drawPorts($("ports"));
const lookAtModels = drawModels($("models"));

// --- sound

function sound(on) {
  if (on) synth.start();
  else synth.stop();
  $("sound").setAttribute("aria-pressed", on);
  $("sound").textContent = on ? "Sound on" : "Sound off";
}
let chosen = false; // whether the user has chosen sound or silence
$("sound").addEventListener("click", () => { chosen = true; sound(!synth.on); });
$("volume").addEventListener("input", () => synth.setVolume(Number($("volume").value)));
instrument.onplay = () => { if (!chosen && !synth.on) sound(true); };

on("event", (event) => {
  const [time, kind, who, pitch, velocity] = event;
  if (kind === SILENCED) synth.silence();
  if (kind !== NOTE || time < musicNow() - 1) return; // too old to be played
  if (ownerOf(event) === OTHER) return; // drums, for example: the piano does not play them
  const part = who === SEGUE ? "segue" : "you";
  instrument.light(pitch, part, velocity > 0);
  if (who === YOU && instrument.cameBack(pitch) && velocity) return;
  if (!synth.on) return;
  if (velocity) synth.noteOn(part, pitch, velocity, synth.at(time));
  else if (who === SEGUE || !instrument.mine.has(pitch) && !instrument.pedal) {
    synth.noteOff(part, pitch, synth.at(time));
  }
});

// --- take, give, panic

function takeOrGive() {
  send("do", music.turn.segue ? "give" : "take");
}
$("take").addEventListener("click", () => { takeOrGive(); $("take").blur(); });
$("panic").addEventListener("click", () => { panic(); $("panic").blur(); });
function panic() {
  instrument.releaseAll();
  synth.silence();
  send("do", "panic");
}
addEventListener("keydown", (event) => {
  if (event.key === "Escape") panic();
  else if (event.code === "Space" && !typing(event)) {
    event.preventDefault();
    if (!event.repeat) takeOrGive();
  }
});
addEventListener("keyup", (event) => { // so that it does not also press a focused button
  if (event.code === "Space" && !typing(event)) event.preventDefault();
});
$("down").addEventListener("click", () => instrument.shift(-1));
$("up").addEventListener("click", () => instrument.shift(1));
if (navigator.requestMIDIAccess) {
  $("midi").hidden = false;
  $("midi").addEventListener("click", async () => {
    try {
      await instrument.useMidi((names) => {
        $("midi").textContent = names.length ? `MIDI: ${names.join(", ")}` : "no MIDI keyboard found";
      });
    } catch {
      notice("this browser does not let the page use MIDI keyboards");
    }
  });
}

// --- whose turn

const WORDS = { away: "Not connected", segue: "Segue plays", you: "You play",
  waits: "Your turn ends …", nobody: "Listening" };
const MEANWHILE = { segue: "it continues your music", you: "it listens",
  nobody: "it listens" }; // shown until the next diagnosis
const PLAIN = { listening: "play something", "Segue is playing": MEANWHILE.segue }; // reasons that WORDS already give
on("health", ({ mode, turns_by: by }) => {
  $("mode").textContent = mode;
  $("ends").textContent = mode === "continue" ? `turn ends by ${by === "manual" ? "Take" : by}` : "";
});
let why = "connecting", diagnosed = 0;
on("health", (health) => {
  why = health.running ? health.why[0] : "Segue has stopped";
  diagnosed = health.now - 0.3; // a status may be this old
});
on("open", (open) => { if (!open) why = "no connection to Segue: is it running?"; });

let shown = "";
function showTurn() {
  const { segue, held, begins, since } = music.turn;
  const now = musicNow();
  const waits = !segue && begins > now && link.open;
  const who = !link.open ? "away" : segue ? "segue" : held ? "you" : waits ? "waits" : "nobody";
  const left = waits ? Math.max(0, (begins - now) / Math.max(0.05, begins - since)) : 0;
  $("ring").style.strokeDasharray = `${100 * left} 100`;
  if (who !== shown) {
    shown = who;
    $("turn").dataset.who = who;
    $("take-word").textContent = segue ? "Give" : "Take";
  }
  if ($("who").textContent !== WORDS[who]) $("who").textContent = WORDS[who];
  let reason = waits ? "it answers unless you play on"
    : link.open && diagnosed < since ? MEANWHILE[who] : why;
  reason = PLAIN[reason] ?? reason;
  if ($("why").textContent !== reason) $("why").textContent = reason;
  requestAnimationFrame(showTurn);
}
requestAnimationFrame(showTurn);

setInterval(() => {
  $("other").hidden = !music.notes.some((note) => note.who === OTHER);
  const { tonic, minor, sure } = music.key;
  $("key").textContent = tonic > 11 ? "–" : `${NAMES[tonic]} ${minor ? "minor" : "major"}`;
  $("key-sure").value = sure;
  const { source, bpm, sure: steady } = music.tempo;
  $("tempo").textContent = source ? Math.round(bpm) : "–";
  $("tempo-source").textContent = SOURCES[source];
  $("tempo-sure").value = steady;
  const ms = (value) => `${value.toFixed(value < 10 ? 1 : 0)} ms`;
  const delays = [];
  if (synth.on && synth.latency) delays.push(`key to sound ${ms(synth.latency)}`);
  if (instrument.echo !== null) delays.push(`to Segue and back ${ms(instrument.echo)}`);
  else if (link.roundTrip !== null) delays.push(`connection ${ms(link.roundTrip)}`);
  $("delay").textContent = delays.join(" · ");
}, 250);

// --- notices and tabs

let hide = 0;
function notice(text) {
  $("notice").textContent = text;
  $("notice").hidden = false;
  clearTimeout(hide);
  hide = setTimeout(() => { $("notice").hidden = true; }, NOTICE_MS);
}
on("refused", notice);

const tabs = [...document.querySelectorAll("[role=tab]")];
for (const tab of tabs) {
  tab.addEventListener("click", () => {
    for (const other of tabs) {
      other.setAttribute("aria-selected", other === tab);
      $(other.getAttribute("aria-controls")).hidden = other !== tab;
    }
    drawNow();
    lookAtTakes();
    lookAtLearning();
    lookAtPorts();
    lookAtModels();
    tab.blur();
  });
}

// For tests and the console of the browser.
window.segue = { music, instrument, synth, roll, link, musicNow, send, tell };
connect();
