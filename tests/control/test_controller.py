"""Mapped controls: what they set and do, pick-up, presets, learning. The player is a fake."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from segued.control.controller import Controller
from segued.control.knob_setter import COALESCE
from segued.control.knobs import ACTIONS, BY_NAME, KNOBS, Knobs
from segued.control.mapping import mapped_of
from segued.control.soft_takeover import NEAR, SoftTakeover, position_of
from segued.settings.yaml_file import load_settings

from ..support.fakes import control, note_off, note_on

PRESETS = "control.presets=[{name: calm, temperature: 0.5, mode: duet}, {name: wild, density: 2}]"


class Hand:
    """A control with a player that only remembers, and the hand that moves things."""

    def __init__(self, *entries: str, pick_up: bool = False) -> None:
        self.knobs = Knobs()
        self.log: list[Any] = []
        self.said: list[str] = []
        lines = [f"control.map=[{', '.join(entries)}]", PRESETS, f"control.pick_up={pick_up}"]
        self.control = Controller(load_settings(None, lines).control, self, self.said.append)
        self.now = 0.0

    def set(self, now: float, name: str, value: Any) -> None:
        self.knobs.set(name, value)
        self.log.append((name, value))

    def do(self, now: float, action: str) -> None:
        assert action in ACTIONS
        self.log.append(action)

    def __call__(self, *messages: bytes) -> list[Any]:
        """What these do, a second after each other."""
        self.log = []
        self.consumed = []
        for message in messages:
            self.now += 1.0
            self.control.setter.tick(self.now)
            self.consumed.append(self.control.receive(self.now, message))
        return self.log


def program(number: int, channel: int = 0) -> bytes:
    return bytes((0xC0 | channel, number - 1))


def bend(value: int, channel: int = 0) -> bytes:
    return bytes((0xE0 | channel, value & 0x7F, value >> 7))


# --- what controls do


@pytest.mark.parametrize(
    ("entry", "messages", "done"),
    [
        ("{cc: 20, knob: temperature}", [control(20, 127)], [("temperature", 4.0)]),
        ("{cc: 20, knob: temperature, low: 0.5, high: 1.5}", [control(20, 127)],
         [("temperature", 1.5)]),
        ("{cc: 20, knob: temperature, low: 1.5, high: 0.5}", [control(20, 127)],
         [("temperature", 0.5)]),
        ("{cc: 20, knob: register}", [control(20, 64), control(20, 0)], [("register", -36)]),
        ("{cc: 20, knob: mode}", [control(20, 40)], [("mode", "duet")]),
        ("{cc: 20, knob: mode, values: [solo, listen]}", [control(20, 0)], [("mode", "solo")]),
        ("{cc: 20, knob: gate}", [control(20, 63), control(20, 64)],
         [("gate", False), ("gate", True)]),
        ("{pressure: true, knob: dynamics}", [b"\xd0\x7f"], [("dynamics", 48)]),
        ("{bend: true, knob: register}", [bend(16383), bend(8192)],
         [("register", 36), ("register", 0)]),
        ("{cc: 20, knob: register, as: encoder}", [control(20, 2), control(20, 127)],
         [("register", 2), ("register", 1)]),
        ("{cc: 20, knob: register, as: offset encoder}", [control(20, 66), control(20, 63)],
         [("register", 2), ("register", 1)]),
        ("{cc: 20, knob: register, as: sign encoder, step: 5}", [control(20, 2), control(20, 65)],
         [("register", 10), ("register", 5)]),
        ("{cc: 20, knob: mode, as: encoder}", [control(20, 1), control(20, 120)],
         [("mode", "duet"), ("mode", "continue")]),
        ("{note: 36, knob: gate}", [note_on(36), note_off(36), note_on(36)],
         [("gate", False), ("gate", True)]),
        ("{note: 36, knob: mode, value: solo}", [note_on(36), note_off(36)], [("mode", "solo")]),
        ("{note: 36, knob: mode, values: [duet, solo]}", [note_on(36), note_on(36), note_on(36)],
         [("mode", "duet"), ("mode", "solo"), ("mode", "duet")]),
        ("{note: 36, knob: register, step: 30}", [note_on(36), note_on(36), note_on(36)],
         [("register", 30), ("register", 36)]),
        ("{note: 36, knob: mode, step: -1}", [note_on(36)], []),
        ("{note: 36, knob: hold, momentary: true}", [note_on(36), note_on(36, 0)],
         [("hold", True), ("hold", False)]),
        ("{cc: 64, knob: density, momentary: true, value: 2}", [control(64, 127), control(64, 0)],
         [("density", 2.0), ("density", 1.0)]),
        ("{cc: 64, action: take, release: give}",
         [control(64, 127), control(64, 100), control(64, 3), control(64, 0)], ["take", "give"]),
        ("{program: 5, knob: mode, value: listen}", [program(5), program(6)], [("mode", "listen")]),
        ("{program: 5, action: panic}", [program(5), program(5)], ["panic", "panic"]),
        ("{note: 36, preset: calm}", [note_on(36)], [("mode", "duet"), ("temperature", 0.5)]),
        ("{note: 36, action: next_preset}", [note_on(36), note_on(36), note_on(36)],
         [("mode", "duet"), ("temperature", 0.5), ("density", 2.0), ("mode", "duet"),
          ("temperature", 0.5)]),
        ("{note: 36, action: previous_preset}", [note_on(36)], [("density", 2.0)]),
    ],
)  # fmt: skip
def test_what_controls_do(entry: str, messages: list[bytes], done: list[Any]) -> None:
    hand = Hand(entry)
    assert hand(*messages) == done
    assert set(hand.consumed) - {False} == {True}


def test_every_knob_and_every_action_can_be_mapped_to_every_kind_of_control() -> None:
    for knob in KNOBS:
        for source in ("cc: 20", "bend: true", "pressure: true"):
            hand = Hand(f"{{{source}, knob: {knob.name}}}")
            low = knob.choices[0] if knob.choices else knob.low
            high = knob.choices[-1] if knob.choices else knob.high
            ends = {"cc": [control(20, 127), control(20, 0)], "bend": [bend(16383), bend(0)]}
            moves = ends.get(source.partition(":")[0], [b"\xd0\x7f", b"\xd0\x00"])
            start = knob.default
            expected = [(knob.name, v) for v in (high, low) if v != start or v == low]
            assert hand(*moves) == expected
        value = next(v for v in (*knob.choices, knob.high, knob.low) if v != knob.default)
        shown = str(value).lower() if isinstance(value, bool) else value
        for source, message in (("note: 1", note_on(1)), ("program: 1", program(1))):
            hand = Hand(f"{{{source}, knob: {knob.name}, value: {shown}}}")
            assert hand(message) == [(knob.name, value)]
    for action in set(ACTIONS) - {"learn", "unlearn", "next_preset", "previous_preset"}:
        for source, message in (("note: 1", note_on(1)), ("program: 1", program(1))):
            assert Hand(f"{{{source}, action: {action}}}")(message) == [action]


def test_only_what_is_mapped_is_consumed() -> None:
    hand = Hand("{cc: 20, knob: gate, channel: 2}", "{note: 36, action: take, pass: true}")
    hand(control(20, 127, 1), control(20, 127, 0), control(21, 127, 1), note_on(36), note_off(36),
         b"\xa0\x24\x10", note_on(37), program(21), bend(0))  # fmt: skip
    assert hand.consumed == [True] + [False] * 8


def test_a_note_off_whose_note_on_was_not_consumed_is_not_consumed_either() -> None:
    hand = Hand("{note: 36, action: take}")
    hand(note_off(36))
    assert hand.consumed == [False]
    hand(note_on(36), note_off(36), note_off(36))
    assert hand.consumed == [True, True, False]


def test_a_preset_may_ask_for_a_model() -> None:
    presets = "[{name: a, model: folk}, {name: b, density: 2}, {name: c, model: shipped, hold: on}]"
    hand = Hand()
    hand.control.apply(0.0, load_settings(None, [f"control.presets={presets}"]).control)
    for name, wanted in (("b", ""), ("a", "folk"), ("b", "folk"), ("c", "shipped")):
        hand.control.recall(0.0, name)
        assert hand.control.wanted_model == wanted, "the last that was asked for"
    assert hand.said[-1] == "preset c" and hand.knobs.hold


def test_a_preset_may_ask_for_music() -> None:
    presets = "[{name: a, hear: a.mid}, {name: b, density: 2}, {name: c, hear: [b.mid, c]}]"
    hand = Hand()
    hand.control.apply(0.0, load_settings(None, [f"control.presets={presets}"]).control)
    assert [preset.hear for preset in hand.control.options.presets] == [
        ("a.mid",),
        (),
        ("b.mid", "c"),
    ]
    for name, wanted in (("b", ""), ("a", "a"), ("b", "a"), ("c", "c")):
        hand.control.recall(0.0, name)
        assert hand.control.wanted_music == wanted, "the last that was asked for"


def test_a_preset_that_names_a_knob_beats_what_is_pending() -> None:
    hand = Hand("{cc: 20, knob: temperature}", "{note: 36, preset: calm}")
    for value in (10, 20, 30):
        hand.control.receive(0.0, control(20, value))
    hand.control.receive(0.0, note_on(36))
    hand.control.setter.tick(1.0)
    assert hand.knobs.temperature == 0.5


def test_a_flood_is_taken_together_and_ends_where_the_fader_ends() -> None:
    hand = Hand("{cc: 20, knob: temperature}")
    for i in range(1000):
        now = i / 1000
        due = hand.control.setter.next_due
        if due is not None and due <= now:
            hand.control.setter.tick(now)
        hand.control.receive(now, control(20, i % 128))
    assert hand.control.setter.next_due is not None
    hand.control.setter.tick(hand.control.setter.next_due)
    assert hand.control.setter.next_due is None
    assert len(hand.log) <= 1 / COALESCE + 2
    assert hand.knobs.temperature == 999 % 128 / 127 * 4


def test_whatever_is_held_down_is_let_go_when_the_input_is_gone() -> None:
    hand = Hand("{note: 36, knob: hold, momentary: true}", "{cc: 64, action: take, release: give}")
    hand(note_on(36), control(64, 127))
    hand.log = []
    hand.control.release_all(hand.now)
    assert hand.log == [("hold", False)]  # nobody gives what was not asked for
    assert hand(control(64, 127)) == ["take"]


# --- pick-up


def test_after_a_preset_a_knob_waits_until_the_fader_comes_by() -> None:
    hand = Hand("{cc: 20, knob: temperature}", "{note: 36, preset: calm}", pick_up=True)
    hand(control(20, 30), control(20, 40), control(20, 100))  # passes 1.0, which is at 31.75
    assert hand.knobs.temperature == 100 / 127 * 4
    hand(note_on(36))
    assert hand(control(20, 99), control(20, 50), control(20, 18)) == []
    assert hand(control(20, 15)) == [("temperature", 15 / 127 * 4)]  # 0.5 is at 15.9
    assert hand(control(20, 99)) == [("temperature", 99 / 127 * 4)]


def test_a_mapping_may_jump_though_the_rest_picks_up_and_the_other_way_round() -> None:
    hand = Hand("{cc: 20, knob: temperature, pick_up: false}", pick_up=True)
    assert hand(control(20, 127)) == [("temperature", 4.0)]
    hand = Hand("{cc: 20, knob: temperature, pick_up: true}", pick_up=False)
    assert hand(control(20, 127)) == []


def test_two_faders_of_one_knob_take_it_from_each_other_only_in_passing() -> None:
    hand = Hand("{cc: 20, knob: density}", "{cc: 21, knob: density}", pick_up=True)
    hand(control(20, 25), control(20, 60))
    hand(control(21, 0), control(21, 70))
    assert hand.knobs.density == pytest.approx(0.25 + 70 / 127 * 3.75)
    assert hand(control(20, 61)) == []


FADERS = st.sampled_from(
    [
        "{cc: 20, knob: temperature}",
        "{cc: 20, knob: temperature, low: 3.5, high: 0.25}",
        "{cc: 20, knob: register}",
        "{cc: 20, knob: dynamics, low: -20, high: 20}",
        "{bend: true, knob: tempo, low: 60, high: 180}",
    ]
)


@given(FADERS, st.lists(st.one_of(st.integers(0, 127), st.floats(0, 1)), max_size=20))
def test_with_pick_up_nothing_ever_jumps(entry: str, moves: list[int | float]) -> None:
    """A float sets the knob from elsewhere, to a place that the fader can reach."""
    fader_of = load_settings(None, [f"control.map=[{entry}]"]).control.map[0]
    knob, fader = BY_NAME[fader_of.name], SoftTakeover(fader_of, pick_up=True)
    width = abs(fader_of.high - fader_of.low)
    current = fader.value_at(0.5)
    last = None
    for move in moves:
        if isinstance(move, float):
            current = fader.value_at(move)
            continue
        place = position_of(move * 129) if fader_of.source == "bend" else move / 127
        value = fader.move(place, current)
        if value is not None:
            moved = 0.0 if last is None else abs(place - last)
            jump = abs(value - current) / width
            assert jump <= max(moved, NEAR) + (1 / width if knob.whole else 1e-9)
            current = value
        last = place


@given(FADERS, st.lists(st.integers(0, 127), min_size=1, max_size=20))
def test_a_fader_that_passes_its_whole_way_has_hold_of_its_knob(
    entry: str, moves: list[int]
) -> None:
    fader_of = load_settings(None, [f"control.map=[{entry}]"]).control.map[0]
    fader = SoftTakeover(fader_of, pick_up=True)
    current = fader.value_at(0.3)
    for place in (0.0, 1.0, *(move / 127 for move in moves)):
        current = value if (value := fader.move(place, current)) is not None else current
    assert current == fader.value_at(moves[-1] / 127)


def test_a_fader_takes_at_once_what_it_could_never_meet() -> None:
    """A value that is none of its own; a number beyond its way waits at the nearer end."""
    keys = mapped_of({"cc": 1, "knob": "key", "values": ["C", "F", "G"]})
    assert SoftTakeover(keys, pick_up=True).move(0.1, "off") == "C"
    fader = SoftTakeover(mapped_of({"cc": 1, "knob": "temperature", "high": 2}), pick_up=True)
    assert fader.move(0.5, 3.0) is None
    assert fader.move(1.0, 3.0) == 2.0


def test_a_switch_is_thrown_at_once() -> None:
    hand = Hand("{cc: 20, knob: gate}", pick_up=True)
    assert hand(control(20, 0), control(20, 127)) == [("gate", False), ("gate", True)]


def test_a_pitch_wheel_at_rest_is_half_way() -> None:
    assert [position_of(v) for v in (0, 8192, 16383)] == [0.0, 0.5, 1.0]


# --- learning

LEARN = "{note: 50, learn: temperature, low: 0.5, high: 1.5}"


def test_a_controller_is_learned_and_turns_its_knob_from_then_on() -> None:
    hand = Hand(LEARN)
    assert hand(note_on(50), note_off(50), control(33, 0, 2)) == [("temperature", 0.5)]
    assert hand.consumed == [True, True, True]
    assert hand(control(33, 127, 2), control(33, 127, 1)) == [("temperature", 1.5)]
    assert hand.consumed == [True, False]
    (learned,) = hand.control.learning.learned
    assert dict(learned.written) == {
        "cc": 33, "channel": 3, "knob": "temperature", "low": 0.5, "high": 1.5, "learned": True,
    }  # fmt: skip
    assert hand.control.learning.changed
    assert hand.said[-1] == "learned: cc 33 on channel 3 is now mapped to temperature"


def test_the_knob_that_was_turned_last_is_the_one_that_is_learned() -> None:
    hand = Hand(
        "{cc: 20, knob: density}", "{note: 51, action: learn}", "{note: 52, action: unlearn}"
    )
    hand(note_on(51), control(21, 5))
    assert not hand.control.learning.learned
    assert "turn a mapped knob first" in hand.said[-1]
    hand(control(20, 5), note_on(51), control(21, 127))
    assert hand.knobs.density == 4.0
    hand(note_on(52))
    assert not hand.control.learning.learned
    assert hand(control(21, 0)) == []


def test_learning_is_called_off_by_asking_again() -> None:
    hand = Hand(LEARN)
    hand(note_on(50), note_off(50), note_on(50), control(33, 0))
    assert not hand.control.learning.learned
    assert not hand.control.learning.changed


def test_one_control_for_each_thing_and_one_thing_for_each_control() -> None:
    hand = Hand(LEARN, "{note: 51, learn: density}", "{cc: 7, knob: gate}")
    hand(note_on(50), control(33, 0), note_on(51), control(33, 0), note_on(50), control(7, 3))
    names = [(m.number, m.name) for m in hand.control.learning.learned]
    assert names == [(33, "density"), (7, "temperature")]
    assert hand(control(7, 127)) == [("temperature", 1.5)]  # before what is written
    hand(note_on(51), control(34, 0))
    assert [(m.number, m.name) for m in hand.control.learning.learned] == [
        (7, "temperature"),
        (34, "density"),
    ]


def test_pads_and_buttons_are_learned_for_what_is_pressed() -> None:
    hand = Hand("{note: 50, learn: take}", "{note: 51, learn: hold}", "{note: 52, learn: panic}")
    hand(note_on(50), note_off(50), note_on(70), note_off(70))
    assert hand.consumed == [True] * 4
    assert hand(note_on(70)) == ["take"]
    hand(note_on(51), note_on(71), note_off(71))
    assert hand(note_on(71)) == [("hold", True)]
    hand(note_on(52), control(80, 127), control(80, 0))
    assert hand(control(80, 127)) == ["panic"]


def test_a_key_does_not_become_a_fader() -> None:
    hand = Hand(LEARN)
    hand(note_on(50), note_on(60), control(123, 0), program(3), bend(3), control(33, 0))
    assert hand.consumed == [True, False, False, False, False, True]


def test_a_pedal_does_not_become_a_fader_but_a_switch() -> None:
    hand = Hand(LEARN, "{note: 51, learn: gate}")
    hand(note_on(50), control(64, 127), control(64, 0), control(101, 0), control(33, 5))
    assert hand.consumed == [True, False, False, False, True]
    hand(note_on(51), control(66, 127))
    assert hand.control.learning.learned[-1].number == 66


def test_all_can_be_unlearned() -> None:
    hand = Hand(LEARN, "{note: 51, unlearn: all}", "{note: 52, unlearn: density}")
    hand(note_on(50), control(33, 0), note_on(52))
    assert len(hand.control.learning.learned) == 1
    hand(note_on(51))
    assert not [*hand.control.learning.learned]
    assert hand("\xb0\x21\x10".encode("latin-1")) == []


# --- properties

ENTRIES = st.lists(
    st.sampled_from(
        [
            "{cc: 1, knob: temperature}",
            "{cc: 2, knob: mode, as: encoder}",
            "{cc: 64, action: take, release: give}",
            "{note: 1, knob: hold, momentary: true}",
            "{note: 2, learn: density}",
            "{note: 3, learn: take}",
            "{note: 4, unlearn: all}",
            "{note: 5, action: learn}",
            "{note: 6, preset: wild, pass: true}",
            "{program: 2, action: next_preset, channel: 1}",
            "{bend: true, knob: register, channel: [1, 2]}",
            "{pressure: true, knob: gate}",
        ]
    ),
    unique=True,
)
BYTE = st.sampled_from([0, 1, 2, 3, 4, 5, 6, 63, 64, 65, 127])
CHANNEL = st.integers(0, 2)
MESSAGES = st.one_of(
    st.builds(note_on, BYTE, BYTE, CHANNEL),
    st.builds(note_off, BYTE, BYTE, CHANNEL),
    st.builds(control, BYTE, BYTE, CHANNEL),
    st.builds(lambda a, b, c: bytes((0xA0 | c, a, b)), BYTE, BYTE, CHANNEL),
    st.builds(lambda a, c: bytes((0xC0 | c, a)), BYTE, CHANNEL),
    st.builds(lambda a, c: bytes((0xD0 | c, a)), BYTE, CHANNEL),
    st.builds(lambda a, b, c: bytes((0xE0 | c, a, b)), BYTE, BYTE, CHANNEL),
)


@given(ENTRIES, st.booleans(), st.lists(st.tuples(MESSAGES, st.floats(0, 0.02)), max_size=40))
def test_whatever_comes_knobs_hold_what_they_may_and_nothing_stays_pending(
    entries: list[str], pick_up: bool, messages: list[tuple[bytes, float]]
) -> None:
    hand = Hand(*entries, pick_up=pick_up)
    down: set[tuple[int, int]] = set()
    for message, wait in messages:
        hand.now += wait
        hand.control.setter.tick(hand.now)
        consumed = hand.control.receive(hand.now, message)
        key = (message[0] & 0x0F, message[1])
        if message[0] & 0xF0 == 0x90 and message[2]:
            down = down | {key} if consumed else down
        elif message[0] & 0xE0 == 0x80:
            assert key in down or not consumed, "it kept a note-off whose note-on went on"
            down.discard(key)
    hand.control.setter.tick(hand.now + COALESCE)
    assert hand.control.setter.next_due is None
    for name, value in hand.knobs.values().items():
        assert BY_NAME[name].check(value) == value
    keys = [(m.source, m.number, c) for m in hand.control.learning.learned for c in m.channels]
    assert len(keys) == len(set(keys))
    assert len({m.name for m in hand.control.learning.learned}) == len(
        hand.control.learning.learned
    )


def test_a_controller_of_14_bits_turns_a_knob_in_fine_steps() -> None:
    hand = Hand("{cc14: 7, knob: temperature, low: 0, high: 4}")
    fine = [value for _, value in hand(control(7, 64), control(39, 1), control(39, 2))]
    assert fine[0] == pytest.approx(2.0)
    assert fine[1] - fine[0] == pytest.approx(4 / 16383, rel=0.01)
    assert fine[2] - fine[0] == pytest.approx(8 / 16383, rel=0.01)
    assert hand(control(7, 127), control(39, 127))[-1] == ("temperature", 4.0)
    assert hand(control(7, 0)) == [("temperature", 0.0)], "the coarse half sets the fine one to 0"


def test_a_button_of_14_bits_is_its_coarse_half() -> None:
    hand = Hand("{cc14: 7, action: take}")
    assert hand(control(39, 127), control(7, 127), control(39, 0), control(7, 0)) == ["take"]


def test_both_halves_are_consumed_unless_they_pass() -> None:
    for passes in (False, True):
        hand = Hand(f"{{cc14: 7, knob: density, pass: {str(passes).lower()}}}")
        for number in (7, 39):
            assert hand.control.receive(hand.now, control(number, 5)) is not passes


def test_learning_knows_a_controller_of_14_bits_by_what_comes_next() -> None:
    hand = Hand("{cc: 90, learn: temperature}")
    hand(control(90, 127), control(90, 0), control(5, 64), control(37, 2))
    assert [m.control for m in hand.control.learning.learned] == ["cc14 5 on channel 1"]
    assert hand.log[-1] == ("temperature", pytest.approx(4 * (64 * 128 + 2) / 16383, rel=0.001))
    other = Hand("{cc: 90, learn: temperature}")
    other(control(90, 127), control(90, 0), control(5, 64), control(5, 65), control(37, 2))
    assert [m.control for m in other.control.learning.learned] == ["cc 5 on channel 1"]
    assert other.consumed[-1] is False
