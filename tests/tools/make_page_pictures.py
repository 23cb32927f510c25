"""Make the pictures of the page: docs/page.png (a laptop) and docs/page-phone.png.

    python -m tests.tools.make_page_pictures [FOLDER]

A daemon is played by the page's own keys in Chromium; the picture is taken while it answers. FOLDER
also gets a picture of each tab, to look at.
"""

import sys
import tempfile
from pathlib import Path
from typing import Any

from playwright.sync_api import sync_playwright
from segued.tools.live_session import LiveSession

from tests.page.test_browser import CHROMIUM, NO_SOUND, SETTINGS, address, becomes, play
from tests.page.test_takes import take_in
from tests.support.waiting import wait_for

DOCS = Path(__file__).parents[2] / "docs"
LAPTOP = {"viewport": {"width": 1280, "height": 800}}
PHONE = {
    "viewport": {"width": 390, "height": 844},
    "device_scale_factor": 2,
    "has_touch": True,
    "is_mobile": True,
}
TUNE = "asdfgfdsadgk"
TABS = ("takes", "models", "ports", "health", "log")
SOME = """control:
  map: [{cc: 20, knob: density}, {cc: 21, knob: temperature}]
  presets: [{name: calm, density: 0.5}, {name: wild, density: 2, temperature: 1.2}]
"""


def main(folder: Path | None) -> None:
    with tempfile.TemporaryDirectory() as made, sync_playwright() as driver:
        runtime = Path(made)
        config = runtime / "config.yaml"
        config.write_text(SOME)
        takes = runtime / "takes"
        take_in(takes)
        take_in(takes, "segue-20260102-190000.mid")
        settings = (*SETTINGS, f"record.folder={takes}")
        data = {"XDG_DATA_HOME": str(runtime / "data")}
        with LiveSession(settings, config=config, runtime=runtime, environment=data) as session:
            browser = driver.chromium.launch(executable_path=CHROMIUM, args=NO_SOUND)
            for name, device in (("page", LAPTOP), ("page-phone", PHONE)):
                context = browser.new_context(color_scheme="dark", **device)
                page = context.new_page()
                wait_for(lambda page=page: opens(page, address(session)))  # type: ignore[misc]
                becomes(page, "segue.link.open && document.querySelectorAll('.knob').length > 10")
                play(page, TUNE, held=150, pause=90)
                becomes(page, "segue.music.notes.filter(n => n.who === 2).length > 6")
                page.screenshot(path=DOCS / f"{name}.png")
                if folder is not None:
                    for tab in TABS:
                        page.click(f"#tab-{tab}")
                        page.wait_for_timeout(1500)
                        page.screenshot(path=folder / f"{name}-{tab}.png", full_page=True)
                page.keyboard.press("Escape")
                context.close()
            browser.close()
            session.stop()


def opens(page: Any, where: str) -> bool:
    page.goto(where)
    return True


if __name__ == "__main__":
    main(Path(sys.argv[1]) if sys.argv[1:] else None)
