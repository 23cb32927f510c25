// Chooses the MIDI ports of Segue among those of the system.

import { ask, askJson } from "./ask.js";
import { make } from "./make.js";

const WAYS = [["input", "MIDI input"], ["output", "MIDI output"]];
const VIRTUAL = "virtual";

function name(port) {
  return port === VIRTUAL ? "a virtual port of Segue" : port;
}

// Returns a function to call when the tab is shown.
export function drawPorts(element) {
  const said = make("p", { className: "quiet", role: "status" });

  function choice(way, words, found) {
    const select = make("select", { id: `port-${way}` }, ...found[way].map((port) => make("option",
      { value: port, textContent: name(port), selected: port === found.using[way] })));
    select.addEventListener("change", async () => {
      select.disabled = true;
      said.textContent = "connecting …";
      try {
        const body = JSON.stringify({ [way]: select.value });
        said.textContent = await (await ask("/ports", { method: "POST", body })).text();
      } catch (error) {
        said.textContent = error.message;
        await look(true);
      }
      select.disabled = false;
      select.blur(); // so that the computer keyboard plays again
    });
    return make("div", { className: "port" }, make("label", { htmlFor: select.id, textContent: words }), select);
  }

  async function look(keep = false) {
    if (element.hidden) return;
    if (!keep) said.textContent = "searching …";
    try {
      const found = await askJson("/ports");
      const tcp = found.backend === "tcp"; // which has no MIDI ports
      if (tcp) said.textContent = "No MIDI system is in use: Segue listens on tcp. Play on this page.";
      else if (!keep) said.textContent = "Your choice is saved in the settings file.";
      const again = make("button", { textContent: "Search again" });
      again.addEventListener("click", () => look());
      element.replaceChildren(...(tcp ? [] : WAYS.map(([way, words]) => choice(way, words, found))), said, again);
    } catch (error) {
      said.textContent = error.message;
      element.replaceChildren(said);
    }
  }

  return look;
}
