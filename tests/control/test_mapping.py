"""Mappings and presets in config.yaml: what they mean, and what is said about wrong ones."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from segued.control.knobs import ACTIONS, BY_NAME
from segued.control.mapping import DETAILS, SOURCES, TARGETS, Mapped
from segued.control.options import refuse_contradictions
from segued.errors import ConfigError
from segued.settings.config import Config, describe
from segued.settings.yaml_file import load_settings


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("mapping") / "config.yaml"


def read(path: Path, *entries: str, presets: str = "[]", more: str = "") -> Config:
    """The settings of a file whose first entry of `control.map` stands on line 3."""
    lines = ["control:", "  map:", *(f"    - {entry}" for entry in entries)]
    path.write_text("\n".join([*lines, f"  presets: {presets}", more]), encoding="utf-8")
    return load_settings(path)


def mapped(path: Path, entry: str) -> Mapped:
    return read(path, entry, presets="[{name: calm, temperature: 0.5}]").control.map[0]


def complaint(path: Path, *entries: str, presets: str = "[]", more: str = "") -> str:
    with pytest.raises(ConfigError) as caught:
        read(path, *entries, presets=presets, more=more)
    text = str(caught.value)
    assert text.startswith(f"{path}:")
    assert len(text.splitlines()) == 1
    return text.removeprefix(f"{path}:").replace(f"{path}:", "line ")


@pytest.mark.parametrize(
    ("entry", "effect", "says"),
    [
        ("{cc: 20, knob: temperature}", "fade", {"low": 0.0, "high": 4.0, "style": "fader"}),
        ("{cc: 20, knob: temperature, low: 1.5, high: 0.5}", "fade", {"low": 1.5, "high": 0.5}),
        ("{cc: 20, knob: mode}", "fade", {"values": ("continue", "duet", "solo", "listen")}),
        ("{cc: 20, knob: key, values: [off, C, G]}", "fade", {"values": ("off", "C", "G")}),
        ("{cc: 20, knob: gate}", "fade", {"values": (False, True)}),
        ("{cc: 20, knob: register, as: encoder}", "encode", {"step": 1.0, "low": -36}),
        ("{cc: 20, knob: density, as: offset encoder, step: 0.1}", "encode", {"step": 0.1}),
        ("{bend: true, knob: register}", "fade", {"number": 0, "style": "fader"}),
        ("{pressure: true, knob: dynamics, channel: 2}", "fade", {"channels": frozenset({1})}),
        ("{note: 36, knob: gate}", "next", {"values": (False, True), "number": 36}),
        ("{note: C2, knob: gate}", "next", {"number": 36}),
        ("{note: Bb3, knob: mode, value: duet}", "set", {"number": 58, "values": ("duet",)}),
        ("{note: 1, knob: mode, values: [duet, solo]}", "next", {"values": ("duet", "solo")}),
        ("{note: 1, knob: mode, step: -1}", "step", {"step": -1}),
        ("{note: 1, knob: register, step: 12, high: 24}", "step", {"step": 12, "high": 24}),
        ("{note: 1, knob: hold, momentary: true}", "hold", {"values": (True,)}),
        ("{note: 1, knob: gate, momentary: true, value: false}", "hold", {"values": (False,)}),
        ("{cc: 64, knob: gate, as: button}", "next", {"style": "button"}),
        ("{cc: 64, knob: temperature, value: 1}", "set", {"style": "button", "values": (1.0,)}),
        ("{cc: 64, action: take, release: give}", "do", {"name": "take", "release": "give"}),
        ("{program: 128, knob: mode, value: solo}", "set", {"number": 127}),
        ("{program: 1, preset: calm}", "recall", {"name": "calm", "number": 0}),
        ("{note: 1, learn: temperature, high: 2}", "learn", {"low": 0.0, "high": 2.0}),
        ("{note: 1, learn: take}", "learn", {"name": "take"}),
        ("{note: 1, unlearn: all}", "unlearn", {"name": "all"}),
        ("{cc: 1, knob: density, pick_up: false, pass: true}", "fade", {"pick_up": False}),
        ("{cc: 1, knob: density, channel: [16, 2]}", "fade", {"channels": frozenset({1, 15})}),
    ],
)
def test_what_an_entry_means(path: Path, entry: str, effect: str, says: dict[str, Any]) -> None:
    made = mapped(path, entry)
    assert made.effect == effect
    assert {key: getattr(made, key) for key in says} == says
    assert made.where == f"{path}:3"


@pytest.mark.parametrize(
    ("entry", "says"),
    [
        ("5", "3: control.map: an entry must hold 'key: value' pairs"),
        (
            "{}",
            "3: control.map: an entry needs exactly one of cc, cc14, note, program,",
        ),
        (
            "{cc: 1}",
            "an entry needs exactly one of knob, action, preset, learn, unlearn; this one has none",
        ),
        ("{cc: 1, note: 2, knob: gate}", "exactly one of cc, cc14,"),
        ("{cc: 1, knob: gate, action: take}", "this one has both knob and action"),
        ("{cc: 1, knbo: gate}", "unknown key 'knbo'; did you mean 'knob'?"),
        ("{cc: 1, knob: temprature}", "no knob named 'temprature'; did you mean 'temperature'?"),
        ("{cc: 1, action: tkae}", "no action named 'tkae'; did you mean 'take'?"),
        ("{cc: 1, action: take, release: gvie}", "no action named 'gvie'; did you mean 'give'?"),
        ("{cc: 1, knob: [1]}", "no knob named [1]"),
        ("{cc: 120, knob: gate}", "cc must be an integer from 0 to 119, not 120"),
        ("{cc: -1, knob: gate}", "cc must be an integer from 0 to 119, not -1"),
        ("{cc: true, knob: gate}", "cc must be an integer from 0 to 119, not True"),
        ("{note: 128, knob: gate}", "note must be a pitch from 0 to 127 or a name such as C4"),
        ("{note: H4, knob: gate}", "note must be a pitch from 0 to 127 or a name such as C4"),
        ("{note: G#9, knob: gate}", "note must be a pitch from 0 to 127"),
        ("{program: 0, preset: calm}", "program must be an integer from 1 to 128, not 0"),
        ("{bend: 1, knob: gate}", "bend must be true, not 1"),
        ("{cc: 1, knob: gate, channel: 17}", "channel must be a channel from 1 to 16 or a list"),
        ("{cc: 1, knob: gate, channel: []}", "channel must be a channel from 1 to 16 or a list"),
        ("{cc: 1, knob: temperature, high: 5}", "high must be a number from 0 to 4, not 5"),
        ("{cc: 1, knob: register, low: 0.5}", "low must be a whole number from -36 to 36, not 0.5"),
        ("{cc: 1, knob: temperature, low: 1, high: 1}", "low and high are both 1"),
        ("{cc: 1, knob: mode, low: 1}", "low does not go with cc and knob"),
        ("{cc: 1, knob: mode, values: [duet]}", "values must be a list of two values or more"),
        ("{cc: 1, knob: mode, values: [duet, sole]}", "one of continue, duet, solo, listen, not"),
        ("{note: 1, knob: temperature}", "a press of note needs value, values or step to change"),
        ("{note: 1, knob: temperature, value: 9}", "value must be a number from 0 to 4, not 9"),
        ("{note: 1, knob: temperature, step: 0}", "step must not be 0"),
        ("{note: 1, knob: temperature, step: up}", "step must be a number from -300 to 300"),
        ("{note: 1, knob: register, step: 0.5}", "step must be an integer from -127 to 127"),
        ("{note: 1, knob: gate, step: 1}", "gate is a switch and has no steps"),
        ("{note: 1, knob: mode, momentary: true}", "momentary needs the value of mode"),
        ("{program: 1, knob: gate, momentary: true}", "a program change has no release"),
        ("{program: 1, action: take, release: give}", "a program change has no release"),
        ("{note: 1, knob: gate, as: fader}", "as does not go with note and knob"),
        ("{bend: true, knob: gate, as: encoder}", "as must be one of fader, button, not 'encoder'"),
        ("{cc: 1, action: take, as: fader}", "as must be one of button, not 'fader'"),
        ("{cc: 1, action: take, low: 1}", "low does not go with cc and action"),
        ("{cc: 1, preset: loud}", "no preset named 'loud' in control.presets; there are none"),
        ("{cc: 1, action: next_preset}", "next_preset, but control.presets is empty"),
        ("{cc: 1, learn: learn}", "no knob or action named 'learn'"),
        ("{cc: 1, learn: gate, low: 1}", "low does not go with cc and learn"),
        ("{cc: 1, knob: gate, pass: 1}", "pass must be true or false, not 1"),
        ("{cc: 1, cc: 2, knob: gate}", "cc is given twice in one entry"),
        ("{cc: {a: 1}, knob: gate}", "control.map: cc takes a single value"),
        ("{cc: [1], knob: gate}", "cc must be an integer from 0 to 119, not [1]"),
    ],
)
def test_what_is_said_about_a_wrong_entry(path: Path, entry: str, says: str) -> None:
    said = complaint(path, entry)
    assert said.startswith("3: control.map: ")
    assert says in f"3: {said.removeprefix('3: ')}"


def test_an_error_names_the_line_of_its_key(path: Path) -> None:
    said = complaint(path, "cc: 20\n      channel: 3\n      knob: temprature")
    assert said.startswith("5: control.map: no knob named 'temprature'")


@pytest.mark.parametrize("value", ["5", "text", "{cc: 1}", "[1]"])
def test_a_map_is_a_list(path: Path, value: str) -> None:
    path.write_text(f"control:\n  map: {value}\n")
    with pytest.raises(ConfigError, match=r"control\.map"):
        load_settings(path)


def test_a_map_may_be_empty(path: Path) -> None:
    for value in ("", "[]", "~"):
        path.write_text(f"control:\n  map: {value}\n  presets: {value}\n")
        assert load_settings(path) == Config()


def test_settings_map_too() -> None:
    config = load_settings(None, ["control.map=[{cc: 20, knob: gate}]"])
    assert config.control.map[0].number == 20
    with pytest.raises(ConfigError, match=r"^--set control.map=.*: no knob named 'gat'; did you"):
        load_settings(None, ["control.map=[{cc: 20, knob: gat}]"])


# --- contradictions


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("{cc: 20, knob: gate}", "{cc: 20, knob: hold}"),
        ("{cc: 20, knob: gate}", "{cc: 20, action: take, channel: 3}"),
        ("{cc: 20, knob: gate, channel: [1, 2]}", "{cc: 20, knob: gate, channel: [2, 3]}"),
        ("{note: C2, knob: gate}", "{note: 36, action: panic}"),
        ("{program: 5, action: take}", "{program: 5, preset: calm}"),
        ("{cc: 1, knob: gate}", "{cc14: 1, knob: density}"),
        ("{cc14: 1, knob: density}", "{cc: 33, knob: gate, channel: 2}"),
        ("{bend: true, knob: register}", "{bend: true, knob: density, channel: 9}"),
    ],
)
def test_contradictory_mappings_are_refused_with_both_lines(
    path: Path, first: str, second: str
) -> None:
    said = complaint(
        path, first, "{cc: 7, knob: tempo}", second, presets="[{name: calm, hold: on}]"
    )
    assert said.startswith("5: control.map: ")
    assert "line 3 " in said


def test_one_control_may_mean_different_things_on_different_channels(path: Path) -> None:
    read(path, "{cc: 20, knob: gate, channel: 1}", "{cc: 20, knob: hold, channel: 2}")
    read(path, "{cc: 20, knob: gate}", "{note: 20, knob: gate}", "{program: 20, action: take}")


def test_what_was_learned_goes_before_what_is_written(path: Path) -> None:
    read(path, "{cc: 20, knob: gate}", "{cc: 20, channel: 1, knob: hold, learned: true}")


@pytest.mark.parametrize(
    ("presets", "says"),
    [
        ("[{temperature: 1}]", "a preset needs a name"),
        ("[{name: calm}]", "the preset 'calm' sets no knob and no model"),
        ("[{name: calm, model: x/y.onnx}]", "model must be a name of up to 32 letters, digits, -"),
        ("[{name: calm, model: 5}]", "model must be a name of up to 32 letters"),
        ("[{name: calm, temprature: 1}]", "unknown key 'temprature'; did you mean 'temperature'?"),
        ("[{name: calm, temperature: 9}]", "temperature must be a number from 0 to 4, not 9"),
        ("[{name: '', temperature: 1}]", "name must be a text of one line, not ''"),
        ("[{name: a, hold: on}, {name: a, gate: on}]", "there already is a preset 'a', at line 3"),
    ],
)
def test_wrong_presets(path: Path, presets: str, says: str) -> None:
    path.write_text(f"control:\n  map: []\n  presets: {presets}\n")
    assert says in complaint(path, presets=presets).replace("line 4", "line 3")


def test_a_preset_that_is_not_there(path: Path) -> None:
    said = complaint(path, "{cc: 1, preset: clam}", presets="[{name: calm, hold: on}]")
    assert "no preset named 'clam' in control.presets; there are: calm" in said


def test_member_channels_of_an_mpe_zone_turn_no_knobs(path: Path) -> None:
    entry = "{cc: 74, channel: 3, knob: gate}"
    said = complaint(path, entry, more="ports:\n  mpe: lower")
    assert "cc 74 on channel 3 belongs to single notes of the MPE zone" in said
    assert "line 6" in said
    read(path, "{cc: 74, knob: gate}", more="ports:\n  mpe: lower")


# --- properties

CHANNELS = st.one_of(
    st.just("all"),
    st.integers(1, 16),
    st.lists(st.integers(1, 16), min_size=1, max_size=3, unique=True),
)
CONTROLS = st.fixed_dictionaries(
    {"cc": st.integers(0, 3), "channel": CHANNELS, "knob": st.sampled_from(["gate", "hold"])}
)


@given(st.lists(CONTROLS, max_size=5))
def test_two_meanings_of_one_control_are_always_refused(entries: list[dict[str, Any]]) -> None:
    """And nothing else is."""
    seen: set[tuple[int, int]] = set()
    clash = False
    for entry in entries:
        channel = entry["channel"]
        several = range(1, 17) if channel == "all" else channel
        places = {(entry["cc"], c) for c in ([several] if isinstance(several, int) else several)}
        clash |= bool(places & seen)
        seen |= places
    try:
        load_settings(None, [f"control.map={entries}"])
    except ConfigError as error:
        assert clash, error
    else:
        assert not clash


WORDS = [*SOURCES, *TARGETS, *DETAILS, *BY_NAME, *ACTIONS, "C4", "all", "duet", "encoder"]
SCALARS = st.one_of(
    st.sampled_from(WORDS), st.booleans(), st.none(), st.integers(-2, 130), st.floats(0, 2)
)
ENTRIES = st.dictionaries(
    st.sampled_from(WORDS), st.one_of(SCALARS, st.lists(SCALARS, max_size=3)), max_size=5
)


@given(st.lists(ENTRIES, max_size=3))
def test_any_entry_is_read_or_refused_in_one_line(entries: list[dict[str, Any]]) -> None:
    for name in ("control.map", "control.presets", "ports.zones"):
        try:
            config = load_settings(None, [f"{name}={entries}"])
        except ConfigError as error:
            assert len(str(error).splitlines()) == 1
        else:
            refuse_contradictions(config.control.map)


def test_what_is_described_reads_back_the_same(path: Path) -> None:
    entries = [
        "{cc: 20, knob: temperature, low: 0.5, high: 1.5, channel: [1, 2]}",
        "{note: C2, knob: key, values: [off, follow, F#]}",
        "{cc: 64, action: take, release: give, pass: true}",
        "{program: 3, preset: quite calm}",
        "{cc: 30, knob: density, learned: true}",
    ]
    config = read(path, *entries, presets="[{name: quite calm, key: off, temperature: 0.5}]")
    text = describe(config)
    path.write_text(text, encoding="utf-8")
    assert load_settings(path) == config
    assert "    - {cc: 64, action: take, release: give, pass: true}\n" in text
