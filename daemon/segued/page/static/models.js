// The models: the present one is marked, a click plays another.

import { askJson } from "./ask.js";
import { make } from "./make.js";
import { on, send } from "./link.js";

const MEGABYTE = 1e6;

// Returns a function to call when the tab is shown.
export function drawModels(element) {
  const rows = make("div", { className: "models", role: "group", ariaLabel: "models" });
  const said = make("p", { className: "quiet", role: "status" });
  const help = make("p", { className: "quiet", textContent: "A model plays until another is chosen or Segue is restarted. "
    + "segued learn makes one from your playing, segued models names it and chooses what plays at the start." });
  element.replaceChildren(rows, said, help);
  let plays = "", last = null;

  function mark() {
    for (const button of rows.children) button.setAttribute("aria-pressed", button.dataset.model === plays);
  }

  function row({ name, bytes }) {
    const button = make("button", { title: `play the model ${name}` }, make("span", { textContent: name }),
      make("small", { textContent: `${(bytes / MEGABYTE).toFixed(1)} MB` }));
    button.dataset.model = name;
    button.addEventListener("click", () => {
      said.textContent = name === plays ? `${name} plays already` : `loading ${name} …`;
      send("model", name);
      button.blur(); // so that the computer keyboard plays again
    });
    return button;
  }

  async function look() {
    if (element.hidden) return;
    try {
      rows.replaceChildren(...(await askJson("/models")).map(row));
      mark();
    } catch (error) {
      said.textContent = error.message;
    }
  }

  on("health", ({ model, last_reload: line }) => {
    if (line !== last && last !== null) said.textContent = line;
    last = line;
    if (model.name !== plays) {
      plays = model.name;
      mark();
    }
  });
  return look;
}
