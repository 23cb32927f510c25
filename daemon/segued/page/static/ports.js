// Which MIDI ports Segue listens to and plays to, chosen from those that there are.

import { make } from "./make.js";

const WAYS = [["input", "Segue listens to"], ["output", "Segue plays to"]];
const VIRTUAL = "virtual";

function name(port) {
  return port === VIRTUAL ? "a port of its own (virtual)" : port;
}

async function ask(options) {
  const answer = await fetch("/ports", options);
  const text = await answer.text();
  if (!answer.ok) throw new Error(text.trim() || answer.statusText);
  return text;
}

// Returns what is to be called when the ports are shown.
export function drawPorts(element) {
  const said = make("p", { className: "quiet", role: "status" });

  function choice(way, words, found) {
    const select = make("select", { id: `port-${way}` }, ...found[way].map((port) => make("option",
      { value: port, textContent: name(port), selected: port === found.using[way] })));
    select.addEventListener("change", async () => {
      select.disabled = true;
      said.textContent = "connecting …";
      try {
        said.textContent = await ask({ method: "POST", body: JSON.stringify({ [way]: select.value }) });
      } catch (error) {
        said.textContent = error.message;
        await look(true);
      }
      select.disabled = false;
      select.blur(); // the keys play again
    });
    return make("div", { className: "port" }, make("label", { htmlFor: select.id, textContent: words }), select);
  }

  async function look(keep = false) {
    if (element.hidden) return;
    if (!keep) said.textContent = "looking …";
    try {
      const found = JSON.parse(await ask());
      const tcp = found.backend === "tcp"; // it has no ports of that kind
      if (tcp) said.textContent = "There is no MIDI system in use here: Segue listens on tcp. Play on this page.";
      else if (!keep) said.textContent = "What you choose is kept in the settings file.";
      const again = make("button", { textContent: "Look again" });
      again.addEventListener("click", () => look());
      element.replaceChildren(...(tcp ? [] : WAYS.map(([way, words]) => choice(way, words, found))), said, again);
    } catch (error) {
      said.textContent = error.message;
      element.replaceChildren(said);
    }
  }

  return look;
}
