// Past, sounding and planned notes, from the events.

import { on, musicNow } from "./link.js";

export const NOTE = 1, PEDAL = 2, PLANNED = 3, REPLANNED = 4, TURN = 5, KEY = 6, TEMPO = 7,
  KNOB = 8, SILENCED = 9;
export const YOU = 1, SEGUE = 2, OTHER = 3; // OTHER: on a channel that Segue does not hear
const KEPT = 35; // seconds for which past notes are kept
const VANISH = 0.45; // seconds in which a dropped planned note fades
const LATE = 0.25; // seconds after its time when a planned note is given up
const NEAR = 0.08; // seconds by which the time of a planned note may differ in a new plan

export const music = {
  notes: [], // {who, pitch, velocity, from, to (null: it sounds), planned (its end, or null)}
  planned: [], // {pitch, velocity, from, to, gone (when it was dropped, or null)}
  pedals: [], // {from, to}
  turn: { segue: false, held: false, begins: 0, since: 0 },
  key: { tonic: 255, minor: false, sure: 0 },
  tempo: { source: 0, bar: 4, sure: 0, bpm: 0, first: 0 },
  VANISH,
};

let hears = null; // channels 1..16, or null: all
on("health", (health) => { hears = health.hears.length ? new Set(health.hears) : null; });

// Whose a note is, from its event.
export function ownerOf([, , who, , , channel]) {
  return who === YOU && hears && !hears.has(channel + 1) ? OTHER : who;
}

function sounding(who, pitch) {
  return music.notes.find((n) => n.who === who && n.pitch === pitch && n.to === null);
}

function end(note, time) {
  if (note) note.to = Math.max(time, note.from + 0.02);
}

function hear(event) {
  const [time, , , pitch, velocity] = event;
  const who = ownerOf(event);
  const before = sounding(who, pitch);
  end(before, time);
  if (velocity === 0) {
    // a panic ends the notes of both
    if (!before && who === SEGUE) for (const other of [YOU, OTHER]) end(sounding(other, pitch), time);
    return;
  }
  const note = { who, pitch, velocity, from: time, to: null, planned: null };
  if (who === SEGUE) {
    const plan = music.planned.find((p) => p.pitch === pitch && !p.gone
      && Math.abs(p.from - time) < LATE);
    if (plan) {
      note.planned = plan.to === null ? null : time + plan.to - plan.from;
      music.planned.splice(music.planned.indexOf(plan), 1);
    }
  }
  music.notes.push(note);
}

function plan([time, , pitch, velocity]) {
  if (velocity) {
    const back = music.planned.find((p) => p.gone && p.pitch === pitch
      && Math.abs(p.from - time) < NEAR);
    if (back) Object.assign(back, { from: time, to: null, velocity, gone: null });
    else music.planned.push({ pitch, velocity, from: time, to: null, gone: null });
    return;
  }
  const open = music.planned.findLast((p) => p.pitch === pitch && p.to === null && !p.gone);
  if (open) open.to = time;
  else {
    const note = sounding(SEGUE, pitch);
    if (note) note.planned = time;
  }
}

function vanish() {
  const now = musicNow();
  for (const p of music.planned) {
    p.gone ??= now;
    p.to ??= p.from + 0.3;
  }
  for (const n of music.notes) if (n.to === null) n.planned = null;
}

function silence(time) {
  for (const n of music.notes) if (n.to === null) end(n, time);
  for (const p of music.pedals) p.to ??= time;
  vanish();
}

function press([time, , , down]) {
  const last = music.pedals.at(-1);
  if (down && (!last || last.to !== null)) music.pedals.push({ from: time, to: null });
  else if (!down && last && last.to === null) last.to = time;
}

on("anew", () => {
  music.notes = [];
  music.planned = [];
  music.pedals = [];
});

on("open", (open) => { if (!open) silence(musicNow()); });

on("event", (event) => {
  const [time, kind, a, b, c, value] = event;
  if (kind === NOTE) hear(event);
  else if (kind === PEDAL) press(event);
  else if (kind === PLANNED) plan(event);
  else if (kind === REPLANNED) vanish();
  else if (kind === SILENCED) silence(time);
  else if (kind === TURN) {
    music.turn = { segue: a === 1, held: b === 1, begins: value, since: time };
  } else if (kind === KEY) music.key = { tonic: a, minor: b === 1, sure: value };
  else if (kind === TEMPO) music.tempo = { source: a, bar: b, sure: c / 100, bpm: value, first: time };
});

// Remove old notes. Called once a frame.
export function tidy(now) {
  if (music.notes.length && music.notes[0].to !== null && music.notes[0].to < now - KEPT) {
    music.notes = music.notes.filter((n) => n.to === null || n.to > now - KEPT);
  }
  music.pedals = music.pedals.filter((p) => p.to === null || p.to > now - KEPT);
  for (const p of music.planned) if (!p.gone && p.from < now - LATE) p.gone = now;
  music.planned = music.planned.filter((p) => !p.gone || now - p.gone < VANISH);
}
