// The button that learns from the takes, with progress, cancelling and the result.

import { askJson } from "./ask.js";
import { make } from "./make.js";

const AGAIN_MS = 1000; // between updates, while the tab is shown
const ABOUT = "Trains a model on your playing, in the background. It is used only if it is better.";

function sentence(words) {
  return words[0].toUpperCase() + words.slice(1);
}

function left(seconds) {
  if (seconds === undefined) return "";
  return seconds < 90 ? `, ${seconds} s left` : `, ${Math.round(seconds / 60)} min left`;
}

// `panel` is the tab around `element`. Returns a function to call when the tab is shown.
export function drawLearning(element, panel) {
  const minutes = make("select", { id: "learn-minutes", ariaLabel: "duration" });
  const starred = make("select", { id: "learn-which", ariaLabel: "which takes" },
    make("option", { value: "", textContent: "all takes" }),
    make("option", { value: "starred", textContent: "takes with a star" }));
  const begin = make("button", { id: "learn", textContent: "Learn from my takes" });
  const said = make("p", { className: "quiet", role: "status" });
  const bar = make("progress", { max: 1, ariaLabel: "progress of learning" });
  const cancel = make("button", { textContent: "Cancel", title: "nothing is lost: the next start continues" });
  const agree = make("button", { textContent: "Download and learn" });
  const decline = make("button", { textContent: "Not now" });
  const hands = make("div", { className: "learn-hands" });
  let asking = false; // whether the user is asked about a download
  let wrong = ""; // why it could not be started

  function show(text, ...shown) {
    said.textContent = text;
    hands.replaceChildren(...shown);
  }

  function tell(told) {
    if (!minutes.options.length) {
      minutes.append(...told.minutes.map((n) => make("option", { value: n, textContent: `${n} minutes` })));
    }
    if (told.running) {
      asking = false;
      if (told.share) bar.value = told.share;
      else bar.removeAttribute("value"); // its length is unknown
      const far = told.share ? `: ${Math.round(100 * told.share)} %${left(told.left_s)}` : " …";
      show(sentence(told.stage) + far, bar, cancel);
    } else if (!asking) {
      const ended = [told.line && `${sentence(told.line)}.`, told.verdict].filter(Boolean).join(" ");
      show(wrong || ended || ABOUT, begin, minutes, starred);
    }
  }

  async function start(download) {
    begin.disabled = agree.disabled = true;
    wrong = "";
    show("starting …", begin, minutes, starred);
    try {
      const body = JSON.stringify({ minutes: Number(minutes.value), starred: starred.value !== "", download });
      const answer = await askJson("/learn", { method: "POST", body });
      asking = "asks" in answer;
      if (asking) show(`Learning needs torch in a separate environment: ${answer.asks}.`, agree, decline);
      else await look();
    } catch (error) {
      wrong = error.message;
      show(wrong, begin, minutes, starred);
    }
    begin.disabled = agree.disabled = false;
  }

  async function look() {
    if (panel.hidden) return;
    try {
      tell(await askJson("/learn"));
    } catch (error) {
      said.textContent = error.message;
    }
  }

  begin.addEventListener("click", () => start(false));
  agree.addEventListener("click", () => start(true));
  decline.addEventListener("click", () => { asking = false; look(); });
  cancel.addEventListener("click", async () => {
    said.textContent = "stopping …";
    try {
      await askJson("/learn", { method: "DELETE" });
    } catch (error) {
      said.textContent = error.message;
    }
  });
  element.replaceChildren(said, hands);
  setInterval(() => { if (!begin.disabled) look(); }, AGAIN_MS);
  return look;
}
