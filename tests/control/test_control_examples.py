"""The examples of control, played by the shipped model: each shows what its name says."""

from functools import cache

import pytest
from segued.midi.files import read_tracks
from segued.model.loading import load_model
from segued.settings.yaml_file import load_settings

from tests.tools.make_control_examples import EXAMPLES, Played, play
from tests.tools.make_examples import FOLDER

from ..support.fakes import Timed

pytestmark = pytest.mark.slow

BY_NAME = {example.name: example for example in EXAMPLES}


@cache
def played(name: str) -> Played:
    return play(load_model(load_settings(None)), BY_NAME[name])


def note_ons(part: list[Timed], start: float = 0.0, end: float = 1e9) -> list[Timed]:
    return [
        (time, message)
        for time, message in part
        if start <= time < end and message[0] & 0xF0 == 0x90 and message[2]
    ]


def a_second(part: list[Timed], start: float, end: float) -> float:
    """Notes a second."""
    return len(note_ons(part, start, end)) / (end - start)


@pytest.mark.parametrize("name", BY_NAME)
def test_the_shipped_file_has_what_was_played_and_ends_in_silence(name: str) -> None:
    tracks = read_tracks(FOLDER / f"{name}.mid")
    parts = [part for track, part in tracks if track]
    assert [track.split(":")[0] for track, _ in tracks if track] == ["Performer", "Thru", "Segue"]
    wanted = sorted(BY_NAME[name].performance, key=lambda timed: timed[0])
    assert [message for _, message in parts[0]] == [message for _, message in wanted]
    assert note_ons(parts[2])
    assert not played(name).session.sounding(deaf=True)


def test_fader() -> None:
    example = played("fader")
    assert not [m for _, m in example.thru if m[0] == 0xB0], "the fader is not passed on"
    assert a_second(example.model, 22, 30) < a_second(example.model, 36, 42)


def test_foot_switch() -> None:
    model = played("foot-switch").model
    assert 5.0 <= note_ons(model)[0][0] < 5.2
    assert not note_ons(model, 12.0)
    assert all(time <= 12.01 or message[0] & 0xF0 == 0xB0 for time, message in model)


def test_presets() -> None:
    example = played("presets")
    assert not [m for _, m in example.thru if m[0] & 0xF0 == 0xC0]
    assert a_second(example.model, 17, 24) > a_second(example.model, 26, 31)
    knobs = example.session.player.knobs
    assert (knobs.dynamics, knobs.temperature) == (-24, 1.3)  # calm leaves the temperature
    assert knobs.density == 0.25  # the fader went by, and has it


def test_pads() -> None:
    example = played("pads")
    assert not [m for _, m in example.thru if m[0] & 0x0F == 9]
    assert note_ons(example.model, 1, 12), "solo plays by itself"
    assert note_ons(example.model, 13, 21), "duet plays along"
    assert note_ons(example.model, 22, 30)
    assert not note_ons(example.model, 30.01, 33), "the gate is shut"
    assert note_ons(example.model, 33, 40)


def test_learn() -> None:
    example = played("learn")
    (learned,) = example.session.player.control.learning.learned
    assert (learned.number, learned.name) == (33, "density")
    assert example.session.player.knobs.density == 0.25
    assert a_second(example.model, 24, 34) < a_second(example.model, 14, 18)
    assert not [m for _, m in example.thru if m[0] == 0xB0]


def test_split() -> None:
    example = played("split")
    left = [message for time, message in example.thru if time >= 14.0]
    assert left and all(message[1] < 60 for message in left)
    assert note_ons(example.model, 14, 20), "the left hand does not stop the reply"
    heard = {id for id in example.session.heard if id < 60}
    own = {message[1] for _, message in note_ons(example.model)}
    assert heard <= own, "what it heard below C4 is its own"


def test_mpe() -> None:
    example = played("mpe")
    assert {message[0] & 0x0F for _, message in example.thru} == {0}
    plain = [m[1] for _, m in sorted(BY_NAME["mpe"].performance, key=lambda timed: timed[0])
             if m[0] & 0xF0 == 0x90]  # fmt: skip
    assert [message[1] for _, message in note_ons(example.thru)] == [p + 1 for p in plain]
    assert {message[0] & 0x0F for _, message in note_ons(example.model)} == {0}
