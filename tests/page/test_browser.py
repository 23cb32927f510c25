"""The page in a real Chromium: it plays, is answered, sees the plan, interrupts it, turns knobs."""

import json
import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from segued.model.loading import SHIPPED_FOR_GPU, SHIPPED_MODEL
from segued.model.own_models import CARD
from segued.ports.tcp import TcpClient
from segued.service import runtime_dirs
from segued.service.state_reader import Reader
from segued.tools.live_session import LiveSession

from tests.page.test_takes import take_in
from tests.service.test_daemon import status
from tests.support.waiting import wait_for

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
pytestmark = [
    pytest.mark.live,
    pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium (apt-get install chromium)"),
]

ROOT = Path(__file__).parents[2]
PRESETS = "presets: [{name: calm, density: 0.5}, {name: wild, density: 2, mode: duet}]"
SETTINGS = (
    *("ports.backend=tcp", "ports.tcp_port=0", "page.port=0", "sampling.seed=1"),
    *("turns.silence=0.6", "turns.reply_length=6", "control.learned=null"),
)
NO_SOUND = ["--no-sandbox", "--mute-audio"]
PLAYED = "asdfgfdsasdf"

Page = Any


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=NO_SOUND)
        yield browser
        browser.close()


STANDS_FOR_LEARN = """
import time
from segued.service.learning import open_folder, telling
with telling(open_folder()) as progress:
    for step in range(300):
        progress.tell("learning", step / 300)
        time.sleep(0.1)
"""
"""What `python -m segue_export` does here."""


@pytest.fixture
def session(tmp_path: Path) -> Iterator[LiveSession]:
    recorded = f"record.folder={tmp_path / 'takes'}"
    stand_in = tmp_path / "export" / "segue_export"
    stand_in.mkdir(parents=True)
    (stand_in / "__init__.py").touch()
    (stand_in / "__main__.py").write_text(STANDS_FOR_LEARN)
    config = tmp_path / "config.yaml"
    config.write_text(f"# mine\ncontrol: {{{PRESETS}}}\n")
    paths = [str(ROOT / "daemon"), str(stand_in.parent)]
    environment = {"PYTHONPATH": os.pathsep.join(paths), "XDG_DATA_HOME": str(tmp_path / "data")}
    with LiveSession(
        (*SETTINGS, recorded), config=config, runtime=tmp_path, environment=environment
    ) as session:
        yield session
        assert session.stop() == 0


def address(session: LiveSession) -> str:
    reader = Reader(session.runtime / (runtime_dirs.stem("Segue") + runtime_dirs.STATE_SUFFIX))
    facts = reader.read().facts
    reader.close()
    return str(facts["page"])


@pytest.fixture
def page(chromium: Any, session: LiveSession) -> Iterator[Page]:
    context = chromium.new_context(viewport={"width": 1280, "height": 800})
    page = context.new_page()
    mistakes: list[str] = []
    page.on("pageerror", lambda error: mistakes.append(str(error)))
    page.on("console", lambda told: mistakes.extend([told.text] * (told.type == "error")))
    wait_for(lambda: _opens(page, address(session)))
    becomes(page, "segue.link.open && document.querySelectorAll('.knob').length > 10")
    yield page
    context.close()
    assert mistakes == []


def _opens(page: Page, where: str) -> bool:
    try:
        page.goto(where)
    except playwright.Error:  # its server is being started
        return False
    return True


def becomes(page: Page, true: str) -> None:
    """Wait until an expression is so. (Playwright's own way is `eval`, which the page forbids.)"""
    wait_for(lambda: page.evaluate(f"!!({true})"))


def play(page: Page, keys: str = PLAYED, held: int = 60, pause: int = 70) -> None:
    for key in keys:
        page.keyboard.down(key)
        page.wait_for_timeout(held)
        page.keyboard.up(key)
        page.wait_for_timeout(pause)


def test_the_ready_line_names_the_page(session: LiveSession) -> None:
    assert any("ready on tcp" in line and address(session) in line for line in session.log)
    assert status(session.runtime)["page"] == address(session)


def test_it_plays_and_is_answered(page: Page, session: LiveSession) -> None:
    play(page)
    becomes(page, "segue.music.notes.filter(n => n.who === 1).length === 12")
    assert page.evaluate("segue.instrument.echo") < 1000
    becomes(page, "segue.music.turn.begins > 0 && segue.music.planned.length > 0")
    becomes(page, "['Your turn ends …', 'Segue plays'].includes(who.textContent)")
    becomes(page, "document.getElementById('who').textContent === 'Segue plays'")
    becomes(page, "segue.music.notes.filter(n => n.who === 2).length > 3")
    becomes(page, "document.getElementById('why').textContent === 'it continues your music'")
    assert page.evaluate("segue.synth.voices instanceof Map && segue.synth.on")
    heard = [m for _, m in session.play(seconds=0.1)[1]]
    assert len([m for m in heard if m[0] == 0x90 and m[2]]) > 12, "the output has both"
    assert page.evaluate("segue.music.key.tonic < 12")


def test_the_plan_vanishes_when_it_is_interrupted(page: Page) -> None:
    play(page)
    becomes(page, "segue.music.turn.segue && segue.music.planned.filter(p => !p.gone).length > 1")
    page.keyboard.down("k")
    becomes(page, "!segue.music.turn.segue && segue.music.planned.some(p => p.gone)")
    page.keyboard.up("k")
    becomes(page, "segue.music.planned.every(p => !p.gone)")


def test_space_takes_and_gives_and_escape_is_panic(page: Page, session: LiveSession) -> None:
    play(page, "asdf")
    page.keyboard.press("Space")
    becomes(page, "segue.music.turn.segue")
    assert page.inner_text("#take-word") == "Give"
    page.keyboard.press("Space")
    becomes(page, "!segue.music.turn.segue")
    page.keyboard.press("Space")
    becomes(page, "segue.music.notes.some(n => n.who === 2 && n.to === null)")
    page.keyboard.press("Escape")
    becomes(page, "!segue.music.turn.segue && segue.music.notes.every(n => n.to !== null)")
    wait_for(lambda: status(session.runtime)["sounding"] == [])


def test_knobs_turn_on_every_page_and_in_the_music(
    page: Page, session: LiveSession, chromium: Any
) -> None:
    other = chromium.new_page()
    other.goto(address(session))
    shows = "document.querySelector('[data-knob={}]').dataset.value === '{}'"
    page.click("[data-knob=mode] >> text=duet")
    wait_for(lambda: status(session.runtime)["mode"] == "duet")
    becomes(other, shows.format("mode", "duet"))
    other.fill("#knob-density", "0")
    becomes(page, shows.format("density", "0.25"))
    page.dblclick("[data-knob=density] label")
    becomes(other, shows.format("density", "1"))
    page.select_option("#knob-scale", label="blues")
    becomes(other, shows.format("scale", "blues"))
    page.uncheck("#knob-gate")
    wait_for(lambda: status(session.runtime)["gate"] is False)
    becomes(page, "document.getElementById('why').textContent.includes('gate is closed')")
    other.close()


def test_presets_are_recalled_by_a_click(page: Page, session: LiveSession) -> None:
    page.click(".presets >> text=wild")
    wait_for(lambda: status(session.runtime)["mode"] == "duet")
    becomes(page, "document.querySelector('[data-knob=density]').dataset.value === '2'")
    page.click(".presets >> text=calm")
    becomes(page, "document.querySelector('[data-knob=density]').dataset.value === '0.5'")


def test_a_preset_is_saved_by_name_and_replaced_after_a_second_click(
    page: Page, session: LiveSession
) -> None:
    page.click("[data-knob=mode] >> text=solo")
    wait_for(lambda: status(session.runtime)["mode"] == "solo")
    page.fill("#preset-name", "dawn")
    page.click("text=Save knobs")
    page.wait_for_selector(".presets >> text=dawn")
    page.click("[data-knob=mode] >> text=listen")
    page.click(".presets >> text=dawn")
    wait_for(lambda: status(session.runtime)["mode"] == "solo")
    page.click("[data-knob=mode] >> text=duet")
    wait_for(lambda: status(session.runtime)["mode"] == "duet")
    page.fill("#preset-name", "calm")
    page.click("text=Save knobs")
    settings = session.runtime / "config.yaml"
    before = settings.read_text()
    page.click("text=Replace calm?")
    wait_for(lambda: settings.read_text() != before)
    assert "{name: calm, density: 1.0, mode: duet" in settings.read_text()
    assert settings.read_text().startswith("# mine")


def test_learning_is_started_followed_and_cancelled(page: Page) -> None:
    page.click("#tab-takes")
    page.wait_for_selector("#learning >> text=Trains a model on your playing")
    page.click("#learn")
    page.wait_for_selector("#learning progress")
    becomes(page, "/Learning: [1-9]\\d* %/.test(document.getElementById('learning').textContent)")
    play(page, "as")
    becomes(page, "segue.music.notes.filter(n => n.who === 1).length === 2")
    page.click("#learning >> text=Cancel")
    page.wait_for_selector("#learning >> text=Stopped: start it again")
    assert page.locator("#learn").is_enabled()


def test_a_download_is_asked_about_first(page: Page) -> None:
    """Torch is here, so what the server would answer is answered."""
    sent: list[str] = []

    def answer(route: Any) -> None:
        if route.request.method != "POST":
            route.continue_()
            return
        sent.append(route.request.post_data)
        route.fulfill(json={"asks": "250 MB to download"} if len(sent) == 1 else {"started": 10})

    page.route("**/learn", answer)
    page.click("#tab-takes")
    page.click("#learn")
    page.wait_for_selector("#learning >> text=250 MB to download")
    page.wait_for_timeout(1500)  # the next looks do not take it away
    page.click("text=Download and learn")
    wait_for(lambda: len(sent) == 2)
    assert [json.loads(body)["download"] for body in sent] == [False, True]


def test_a_model_is_played_by_a_click(page: Page, session: LiveSession) -> None:
    folk = session.runtime / "data" / "segue" / "models" / "folk"
    folk.mkdir(parents=True)
    for file in (SHIPPED_MODEL, SHIPPED_FOR_GPU):
        shutil.copy(file, folk)
    (folk / CARD).write_text("{}")
    page.click("#tab-models")
    becomes(page, "document.querySelectorAll('.models button').length === 2")
    plays = "document.querySelector('[data-model={}]').getAttribute('aria-pressed') === 'true'"
    becomes(page, plays.format("shipped"))
    page.click("[data-model=folk]")
    becomes(page, plays.format("folk"))
    page.wait_for_selector("#models >> text=the model folk plays now")
    assert status(session.runtime)["model"]["name"] == "folk"
    page.click("[data-model=shipped]")
    becomes(page, plays.format("shipped"))
    shutil.rmtree(folk)
    page.click("[data-model=folk]")
    page.wait_for_selector("#models >> text=the model stays: no model 'folk' of yours")
    becomes(page, plays.format("shipped"))


def test_takes_are_seen_heard_and_deleted(page: Page, session: LiveSession) -> None:
    folder = session.runtime / "takes"
    path = take_in(folder)
    page.click("#tab-takes")
    becomes(page, "document.querySelectorAll('.take').length === 2")
    assert page.locator(".take").nth(0).is_disabled(), "it is being recorded now"
    page.click(f"[data-take='{path.name}'] .take")
    page.wait_for_selector(".take-hands >> text=0:03, 3 notes")
    page.click(f"[data-take='{path.name}'] .star")
    page.wait_for_selector(f"[data-take='{path.name}'] .star[aria-pressed=true]")
    page.wait_for_selector(".take-hands")
    assert page.locator(".away").is_disabled(), "one with a star is kept"
    page.click(f"[data-take='{path.name}'] .star")
    page.wait_for_selector(f"[data-take='{path.name}'] .star[aria-pressed=false]")
    page.wait_for_selector(".away:enabled")
    page.click(".take-hands >> text=Play")
    becomes(page, "segue.synth.on && segue.synth.voices.size > 0")
    page.click(".take-hands >> text=Stop")
    becomes(page, "segue.synth.voices.size === 0")
    page.click(".away")
    assert path.exists(), "it asks first"
    page.click(".away")
    wait_for(lambda: not path.exists())
    becomes(page, "document.querySelectorAll('.take').length === 1")


def test_ports_are_looked_at(page: Page) -> None:
    """On tcp there are none to choose from (see test_ports for those)."""
    page.click("#tab-ports")
    page.wait_for_selector("#ports >> text=listens on tcp")
    assert page.locator("#ports select").count() == 0


def test_an_older_page_is_told_that_it_is_one(page: Page) -> None:
    """What it asks for and is no more is refused, and it goes on."""
    page.evaluate("segue.send('set', 'grid_strength', 0.5)")
    page.wait_for_selector("#notice >> text=no such")
    assert page.evaluate("segue.link.open")


def test_a_page_of_another_version_is_loaded_anew(page: Page) -> None:
    page.evaluate("window.old = true")
    page.wait_for_timeout(700)  # it has been told of its own
    page.evaluate("setTimeout(() => segue.tell('health', { version: '0', of: 'another form' }))")
    page.wait_for_event("load")
    assert page.evaluate("window.old === undefined")
    becomes(page, "segue.link.open")


def test_two_pages_that_turn_one_knob_agree_at_the_end(
    page: Page, session: LiveSession, chromium: Any
) -> None:
    other = chromium.new_page()
    other.goto(address(session))
    becomes(other, "segue.link.open && document.querySelectorAll('.knob').length > 10")
    for step in range(10):
        page.fill("#knob-density", str(100 * step))
        other.fill("#knob-density", str(1000 - 90 * step))
    value = "document.querySelector('[data-knob=density]').dataset.value"
    page.wait_for_timeout(600)  # the hands rest
    wait_for(lambda: page.evaluate(value) == other.evaluate(value))
    other.close()


def test_a_controller_is_learned_by_a_click(page: Page, session: LiveSession) -> None:
    page.hover("[data-knob=focus]")
    page.click("[data-knob=focus] .learn")
    page.wait_for_timeout(100)
    session.client.send(b"\xb0\x15\x00")
    session.client.send(b"\xb0\x15\x7f")
    session.client.send(b"\xb0\x15\x20")
    becomes(page, "document.querySelector('[data-knob=focus]').dataset.value < 0.5")
    becomes(
        page, "document.querySelector('[data-knob=focus] label').dataset.mapped.startsWith('cc 21')"
    )
    page.click("#tab-log")
    page.wait_for_selector("#log p:has-text('focus')")


def test_a_midi_keyboard_of_the_browser_plays_and_is_unplugged(page: Page) -> None:
    """Chromium has none here, so what it would call is called."""
    page.evaluate("segue.instrument.midi('port', [0x93, 50, 100])")
    becomes(page, "segue.music.notes.some(n => n.pitch === 50 && n.to === null)")
    page.evaluate("segue.instrument.midi('port', [0xb0, 64, 127])")
    becomes(page, "segue.music.pedals.some(p => p.to === null)")
    page.evaluate("segue.instrument.unplugged('port')")
    becomes(page, "segue.music.notes.every(n => n.to !== null)")
    becomes(page, "segue.music.pedals.every(p => p.to !== null)")


def test_a_hidden_or_closed_page_lets_go_of_its_keys(page: Page, session: LiveSession) -> None:
    page.keyboard.down("a")
    wait_for(lambda: status(session.runtime)["held_key"])
    page.goto("about:blank")
    wait_for(lambda: status(session.runtime)["held_key"] is None)


def test_health_is_shown_and_the_page_survives_its_server(page: Page, session: LiveSession) -> None:
    play(page, "asdf")
    page.keyboard.press("Space")
    page.click("#tab-health")
    becomes(page, "document.querySelectorAll('.histogram .bar').length > 5")
    becomes(page, "document.querySelector('.share strong').textContent.includes('%')")
    becomes(page, "/[0-9] % of one core/.test(document.getElementById('health').textContent)")
    children = Path(f"/proc/{session.process.pid}/task/{session.process.pid}/children")
    server = int(children.read_text().split()[0])
    os.kill(server, signal.SIGKILL)
    becomes(page, "document.getElementById('who').textContent === 'Not connected'")
    becomes(page, "segue.link.open")
    becomes(page, "document.getElementById('who').textContent !== 'Not connected'")


def test_touch_plays_on_a_phone_and_nothing_is_wider_than_it(
    chromium: Any, session: LiveSession
) -> None:
    context = chromium.new_context(
        viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True
    )
    page = context.new_page()
    page.goto(address(session))
    becomes(page, "segue.link.open")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    box = page.locator(".keys .white").nth(2).bounding_box()
    page.touchscreen.tap(box["x"] + box["width"] / 2, box["y"] + 0.85 * box["height"])
    becomes(page, "segue.music.notes.some(n => n.who === 1 && n.pitch === 52)")
    assert json.loads(page.evaluate("JSON.stringify(segue.music.notes[0].velocity)")) > 80
    context.close()


def test_who_plays_by_tcp_is_seen_on_the_page(page: Page, session: LiveSession) -> None:
    assert isinstance(session.client, TcpClient)
    session.play([(0.0, b"\x95\x40\x50"), (0.2, b"\x85\x40\x40")], seconds=0.3)
    becomes(page, "segue.music.notes.some(n => n.who === 1 && n.pitch === 64 && n.to)")
    assert page.locator("#other").is_hidden()
    session.play([(0.0, b"\x99\x24\x50"), (0.2, b"\x89\x24\x40")], seconds=0.3)
    becomes(page, "segue.music.notes.some(n => n.who === 3 && n.pitch === 36 && n.to)")
    page.wait_for_selector("#other >> text=other channels")
    assert page.evaluate("!segue.synth.voices.has('you 36')"), "the piano plays no drums"
