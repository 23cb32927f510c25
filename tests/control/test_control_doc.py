"""docs/control.md: its tables (and those of docs/osc.md) are the daemon's own, its examples load,
what it says of messages is so."""

import re
from typing import Any

import pytest
import yaml
from segued.control.knobs import ACTIONS, BY_NAME
from segued.control.mapping import DETAILS, ENCODERS, SOURCES, TARGETS
from segued.midi.messages import DATA_BYTES
from segued.midi.stream import MidiStream
from segued.settings.yaml_file import load_text

from tests.tools.make_control_doc import MESSAGES, PAGES, TABLES, Understood, made

from ..support.fakes import FoldingModel, Session, note_on, settings

TEXTS = [page.read_text(encoding="utf-8") for page in PAGES]
TEXT = TEXTS[0]  # docs/control.md
BLOCKS = re.findall(r"```yaml\n(.*?)```", TEXT, re.S)
ENTRIES = [
    entry for entry in re.findall(r"`(\{.*?\})`", TEXT) if {*yaml.safe_load(entry)} & {*TARGETS}
]


def test_the_tables_are_up_to_date() -> None:
    """If not: python -m tests.tools.make_control_doc"""
    assert [made(text) for text in TEXTS] == TEXTS
    assert {name for name in TABLES if f"<!-- table: {name} -->" in "".join(TEXTS)} == {*TABLES}


def test_everything_has_its_line() -> None:
    for name in (*BY_NAME, *ACTIONS, *SOURCES, *TARGETS, *DETAILS, *ENCODERS):
        assert f"\n| `{name}` |" in TEXT, name


@pytest.mark.parametrize("block", BLOCKS)
def test_each_set_up_loads(block: str) -> None:
    config = load_text(block, "control.md")
    assert config.control.map or config.control.feedback


@pytest.mark.parametrize("entry", ENTRIES)
def test_each_example_of_an_entry_loads(entry: str) -> None:
    presets = "[{name: calm, density: 0.5}]"
    config = load_text(f"control: {{map: [{entry}], presets: {presets}}}", "control.md")
    assert len(config.control.map) == 1


def test_the_examples_show_every_way_of_treating_a_control() -> None:
    text = "control:\n  presets: [{name: calm, hold: on}]\n  map:\n"
    effects = {
        load_text(f"{text}    - {entry}\n", "control.md").control.map[0].effect for entry in ENTRIES
    }
    for block in BLOCKS:
        effects |= {mapped.effect for mapped in load_text(block, "control.md").control.map}
    assert effects == {
        *("fade", "encode", "next", "set", "step", "hold", "do", "recall", "learn", "unlearn"),
    }


@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: message.name)
def test_a_message_does_what_the_page_says(message: Understood) -> None:
    session = Session(FoldingModel(), settings())
    if message.example[0] & 0xF0 != 0x90:
        session.receive(note_on(60))
        session.wait(100)
    before = _ear(session)
    passed = len(session.passed)
    for understood in MidiStream().feed(message.example):
        session.receive(understood)
    assert (message.example in session.passed[passed:]) == message.thru
    if message.heard and message.example[1] == 121:
        return  # it lifts a pedal that is not down
    assert (_ear(session) != before) == message.heard


def _ear(session: Session) -> tuple[Any, ...]:
    encoder, turns = session.player.improviser.context.encoder, session.player.turns
    return session.heard[:], encoder.holds, encoder._pedals.copy(), dict(turns._held)


def test_every_kind_of_message_is_on_the_page() -> None:
    told = {message.example[0] & 0xF0 for message in MESSAGES if message.example[0] < 0xF0}
    assert told == {status & 0xF0 for status in DATA_BYTES if status < 0xF0}
    named = {int(word, 16) for m in MESSAGES for word in re.findall(r"\bF[0-9A-F]\b", m.form)}
    assert named == {status for status in DATA_BYTES if status >= 0xF0} | {0xF0, 0xFE}
