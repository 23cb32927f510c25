// All knobs and actions, drawn from the table that Segue sends. A new knob needs no code here.

import { make } from "./make.js";
import { on, send } from "./link.js";
import { KNOB } from "./music.js";
import { drawPresets } from "./presets.js";

const FEW = 4; // up to so many choices are buttons; more are a list
const STEPS = 1000; // positions of a slider
const MINE_MS = 400; // after a change on this page, during which reported values are not shown
const ELSEWHERE = ["panic", "take", "give"]; // actions with a button elsewhere on the page

const knobs = []; // in the order of the table: {knob, show, turned}

function words(name) {
  return name.replaceAll("_", " ");
}

// From a value to the slider's position 0..1, and back. Linear or logarithmic, whichever puts the
// default nearer to the middle.
export function scaleOf({ low, high, default: usual }) {
  const even = { place: (v) => (v - low) / (high - low), value: (p) => low + p * (high - low) };
  if (low <= 0) return even;
  const ratio = Math.log(high / low);
  const log = { place: (v) => Math.log(v / low) / ratio, value: (p) => low * Math.exp(p * ratio) };
  const far = (scale) => Math.abs(scale.place(usual) - 0.5);
  return far(log) < far(even) ? log : even;
}

function round(value, { low, high, whole }) {
  if (whole) return Math.round(value);
  const digits = high - low > 20 ? 1 : 3;
  return Math.min(high, Math.max(low, Number(value.toFixed(digits))));
}

function slider(knob, set) {
  const scale = scaleOf(knob);
  const value = make("output");
  const input = make("input", { type: "range", min: 0, max: STEPS, id: `knob-${knob.name}` });
  input.addEventListener("input", () => {
    const turned = round(scale.value(input.value / STEPS), knob);
    value.textContent = turned;
    set(turned);
  });
  const show = (shown) => {
    input.value = Math.round(scale.place(shown) * STEPS);
    input.setAttribute("aria-valuetext", shown);
    value.textContent = round(shown, knob);
  };
  return { element: make("div", { className: "slider" }, input, value), show };
}

function list(knob, set) {
  const input = make("select", { id: `knob-${knob.name}` },
    ...knob.choices.map((choice, place) => make("option", { value: place, textContent: choice })));
  input.addEventListener("change", () => {
    set(knob.choices[input.value]);
    input.blur(); // so that the computer keyboard plays again
  });
  return { element: input, show: (value) => { input.value = knob.choices.indexOf(value); } };
}

function buttons(knob, set) {
  const all = knob.choices.map((choice) => {
    const button = make("button", { textContent: choice });
    button.addEventListener("click", () => set(choice));
    return button;
  });
  const show = (value) => all.forEach((button, place) => {
    button.setAttribute("aria-pressed", knob.choices[place] === value);
  });
  return { element: make("div", { className: "choices", role: "group" }, ...all), show };
}

function toggle(knob, set) {
  const input = make("input", { type: "checkbox", id: `knob-${knob.name}`, className: "switch" });
  input.addEventListener("change", () => set(input.checked));
  return { element: input, show: (value) => { input.checked = value; } };
}

function control(knob, set) {
  if (knob.choices.length === 0) return slider(knob, set);
  if (typeof knob.choices[0] === "boolean") return toggle(knob, set);
  return (knob.choices.length <= FEW ? buttons : list)(knob, set);
}

function row(knob) {
  const state = { knob, value: knob.default, turned: -Infinity };
  const set = (value) => {
    state.turned = performance.now();
    state.display(value);
    send("set", knob.name, value);
  };
  const { element, show } = control(knob, set);
  const learn = make("button", { className: "learn", title: "MIDI learn: click, then move a controller", textContent: "learn" });
  learn.addEventListener("click", () => {
    send("set", knob.name, state.value);
    send("do", "learn");
  });
  const label = make("label", { htmlFor: `knob-${knob.name}`, textContent: words(knob.name), title: knob.help });
  label.dataset.mapped = "";
  state.label = label;
  const whole = make("div", { className: "knob", title: knob.help }, label, element, learn);
  whole.dataset.knob = knob.name;
  whole.addEventListener("dblclick", (event) => {
    if (!event.target.matches(".learn, .choices button")) set(knob.default);
  });
  state.display = (value) => {
    state.value = value;
    show(value);
    whole.dataset.value = value;
    whole.classList.toggle("turned", value !== knob.default);
  };
  state.display(knob.default);
  knobs.push(state);
  return whole;
}

function action(name, help) {
  const button = make("button", { textContent: words(name), title: help });
  button.addEventListener("click", () => send("do", name));
  return button;
}

export function drawKnobs(element) {
  const presets = make("div");
  drawPresets(presets);
  on("table", ({ knobs: table, actions }) => {
    knobs.length = 0;
    const others = Object.entries(actions).filter(([name]) => !ELSEWHERE.includes(name));
    element.replaceChildren(
      presets,
      make("div", { className: "knobs" }, ...table.map(row)),
      make("div", { className: "actions" }, ...others.map(([name, help]) => action(name, help))),
      make("p", { className: "quiet", textContent: "Double click: default value. Hover: what the knob does." }),
    );
  });
  on("health", ({ mapped }) => {
    for (const { knob, label } of knobs) label.dataset.mapped = mapped[knob.name] ?? "";
  });
  on("event", ([, kind, place, , , value]) => {
    const state = knobs[place];
    if (kind !== KNOB || !state) return;
    clearTimeout(state.later);
    if (performance.now() - state.turned < MINE_MS) { // another page may have set it
      state.later = setTimeout(() => state.display(valueOf(state.knob, value)), MINE_MS);
    } else state.display(valueOf(state.knob, value));
  });
}

function valueOf({ choices }, value) {
  return choices.length ? choices[value] : value;
}
