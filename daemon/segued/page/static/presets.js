// The presets: recalled by a click, and saved from the present values of the knobs.

import { ask } from "./ask.js";
import { make } from "./make.js";
import { on, send } from "./link.js";

function recall(name) {
  const button = make("button", { textContent: name, title: `recall the preset ${name}` });
  button.addEventListener("click", () => { send("recall", name); button.blur(); });
  return button;
}

export function drawPresets(element) {
  const name = make("input", { type: "text", id: "preset-name", maxLength: 60, placeholder: "name", ariaLabel: "name of the preset" });
  const save = make("button", { textContent: "Save knobs", title: "save the present values of all knobs as a preset" });
  const said = make("span", { className: "quiet", role: "status" });
  const all = make("div", { className: "presets", role: "group", ariaLabel: "presets" });
  let names = [];
  let sure = false; // whether replacing a preset was confirmed

  function reset(text = "") {
    sure = false;
    save.textContent = "Save knobs";
    save.classList.remove("sure");
    said.textContent = text;
  }

  async function store() {
    const chosen = name.value.trim();
    if (!chosen) {
      name.focus();
      return;
    }
    if (names.includes(chosen) && !sure) {
      sure = true;
      save.textContent = `Replace ${chosen}?`;
      save.classList.add("sure");
      return;
    }
    const replace = sure;
    save.disabled = true;
    reset("saving …");
    try {
      await ask("/presets", { method: "POST", body: JSON.stringify({ name: chosen, replace }) });
      said.textContent = `saved ${chosen}`;
      name.value = "";
    } catch (error) {
      said.textContent = error.message;
    }
    save.disabled = false;
    name.blur(); // so that the computer keyboard plays again
  }

  save.addEventListener("click", store);
  name.addEventListener("input", () => reset());
  name.addEventListener("keydown", (event) => { if (event.key === "Enter") store(); });
  on("health", ({ presets }) => {
    if (JSON.stringify(presets) === JSON.stringify(names)) return;
    names = presets;
    all.replaceChildren(...names.map(recall));
  });
  element.append(all, make("div", { className: "preset-save" }, name, save, said));
}
