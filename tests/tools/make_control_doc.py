"""Write the tables of docs/control.md and docs/osc.md anew, from those that Segue itself reads.

    python -m tests.tools.make_control_doc

Between `<!-- table: NAME -->` and `<!-- end -->` all is made; the prose around is written by hand.
tests/control/test_control_doc.py holds the page to this, and the table of messages to what a player
does.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from segued.control.knobs import ACTIONS, KNOBS, Knob, shown
from segued.control.mapping import DETAILS, ENCODERS, SOURCES, TARGETS
from segued.page import osc_messages
from segued.player.zones import DESTINATIONS

from tests.support.fakes import control, note_off, note_on

DOCS = Path(__file__).parents[2] / "docs"
PAGES = [DOCS / "control.md", DOCS / "osc.md"]
MARK = re.compile(r"(<!-- table: (\w+) -->\n).*?(<!-- end -->)", re.S)


@dataclass(frozen=True)
class Understood:
    """A message that Segue understands; what `thru` and the model's ear get of it."""

    name: str
    form: str
    example: bytes
    does: str
    thru: bool = True
    heard: bool = False


MESSAGES = (
    Understood("note-on", "9n key velocity", note_on(60), "heard; silences a reply, or joins it; "
               "velocity 0 is a note-off", heard=True),
    Understood("note-off", "8n key velocity", note_off(60), "heard", heard=True),
    Understood("aftertouch of a key", "An key value", b"\xa0\x3c\x40", ""),
    Understood("sustain pedal", "Bn 64", control(64, 127), "heard: released notes last until it "
               "lifts (from 64 on it is down)", heard=True),
    Understood("sostenuto, soft pedal", "Bn 66, 67", control(66, 127), "not heard; lifted (66) "
               "when all is silenced"),
    Understood("MPE configuration, bend range", "Bn 101, 100, 6", control(101, 0), "zones of an "
               "MPE keyboard, where `ports.mpe` is auto"),
    Understood("any other controller to 119", "Bn 0-119", control(1, 64), "bank select and MIDI's "
               "own meanings among them"),
    Understood("all sound off", "Bn 120", control(120, 0), "panic: 16 channels are silenced, the "
               "reply is given up, every key counts as up", thru=False, heard=True),
    Understood("reset all controllers", "Bn 121", control(121, 0), "the channel's pedal is up",
               heard=True),
    Understood("local control", "Bn 122", control(122, 0), "nothing", thru=False),
    Understood("all notes off, omni, mono, poly", "Bn 123-127", control(123, 0), "all keys and "
               "the pedal of the channel are up; the model's notes go on", heard=True),
    Understood("program change", "Cn program", b"\xc0\x05", ""),
    Understood("aftertouch of a channel", "Dn value", b"\xd0\x40", ""),
    Understood("pitch wheel", "En value", b"\xe0\x00\x40", ""),
    Understood("song position", "F2", b"\xf2\x00\x00", "followed (`sync.clock`)", thru=False),
    Understood("clock, start, continue, stop", "F8, FA, FB, FC", b"\xf8", "followed (`sync.clock`)",
               thru=False),
    Understood("time code, song select, tune request, reset", "F1, F3, F6, FF", b"\xf3\x00",
               "nothing", thru=False),
    Understood("system exclusive, active sensing", "F0, FE", b"\xfe", "nothing: passed over, of "
               "any length", thru=False),
)  # fmt: skip


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return "\n".join([*lines, *("| " + " | ".join(row) + " |" for row in rows)]) + "\n"


def _values(knob: Knob) -> str:
    if knob.choices:
        return ", ".join(f"`{shown(value)}`" for value in knob.choices)
    return f"{knob.low:g} to {knob.high:g}" + (", whole" if knob.whole else "")


def _words(table: dict[str, str]) -> list[list[str]]:
    return [[f"`{name}`", text] for name, text in table.items()]


TABLES: dict[str, Callable[[], str]] = {
    "knobs": lambda: _table(
        ["knob", "values", "at first", "what it does"],
        [[f"`{k.name}`", _values(k), f"`{shown(k.default)}`", k.help] for k in KNOBS],
    ),
    "osc_in": lambda: _table(["message to Segue", "what it does"], _words(osc_messages.IN)),
    "osc_out": lambda: _table(["message from Segue", "what it tells"], _words(osc_messages.OUT)),
    "actions": lambda: _table(["action", "what it does"], _words(ACTIONS)),
    "sources": lambda: _table(["what moves", ""], _words(SOURCES)),
    "targets": lambda: _table(["what it does", ""], _words(TARGETS)),
    "details": lambda: _table(["what more it may say", ""], _words(DETAILS)),
    "encoders": lambda: _table(["`as`", "how it counts"], _words(ENCODERS)),
    "zones": lambda: _table(
        ["`to`", "heard by the model", "passed thru"],
        [
            [f"`{name}`", "yes" if way & 1 else "no", "yes" if way & 2 else "no"]
            for name, way in DESTINATIONS.items()
        ],
    ),
    "messages": lambda: _table(
        ["message", "bytes", "thru", "heard", "what it does"],
        [
            [m.name, m.form, "yes" if m.thru else "no", "yes" if m.heard else "no", m.does]
            for m in MESSAGES
        ],
    ),
}


def made(page: str) -> str:
    """The page with its tables as they are now."""
    return MARK.sub(lambda found: found[1] + TABLES[found[2]]() + found[3], page)


if __name__ == "__main__":
    for page in PAGES:
        page.write_text(made(page.read_text(encoding="utf-8")), encoding="utf-8")
