"""What a controller is sent so that it shows its knob: it would turn the knob to where it is."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from segued.control.feedback import messages_for
from segued.control.knobs import KNOBS
from segued.control.mapping import mapped_of
from segued.service.event_ring import KNOB, NOTE, Event
from segued.service.feedback import REST, Feedback

from ..support.fakes import FoldingModel, Session, settings

PLACES = {knob.name: place for place, knob in enumerate(KNOBS)}


def knob_is(name: str, value: float, time: float) -> Event:
    return Event(time, KNOB, PLACES[name], value=value)


@pytest.mark.parametrize(
    ("written", "value", "messages"),
    [
        ({"cc": 20, "knob": "density", "low": 0.5, "high": 2.5}, 1.5, [b"\xb0\x14\x40"]),
        ({"cc": 20, "knob": "density", "low": 0.5, "high": 2.5}, 4.0, [b"\xb0\x14\x7f"]),
        ({"cc": 20, "knob": "density", "low": 2.5, "high": 0.5}, 2.5, [b"\xb0\x14\x00"]),
        ({"cc": 20, "channel": 3, "knob": "gate", "as": "fader"}, True, [b"\xb2\x14\x5f"]),
        ({"cc14": 2, "knob": "quoting"}, 1.0, [b"\xb0\x02\x7f", b"\xb0\x22\x7f"]),
        ({"cc": 21, "knob": "quoting", "as": "encoder"}, 0.5, [b"\xb0\x15\x40"]),
        ({"note": 36, "channel": 10, "knob": "gate"}, True, [b"\x99\x24\x7f"]),
        ({"note": 36, "channel": 10, "knob": "gate"}, False, [b"\x89\x24\x40"]),
        ({"note": 36, "knob": "mode", "value": "duet"}, "duet", [b"\x90\x24\x7f"]),
        ({"note": 36, "knob": "mode", "value": "duet"}, "solo", [b"\x80\x24\x40"]),
        ({"note": 36, "knob": "mode"}, "solo", []),
        ({"program": 3, "knob": "mode", "value": "duet"}, "duet", []),
        ({"bend": True, "knob": "quoting"}, 0.5, []),
        ({"note": 36, "action": "take"}, True, []),
    ],
)
def test_a_control_shows_its_knob(
    written: dict[str, Any], value: Any, messages: list[bytes]
) -> None:
    assert messages_for(mapped_of(written), value) == messages


FADED = [knob for knob in KNOBS if knob.choices != (False, True)]


@given(st.sampled_from(FADED), st.floats(0.0, 1.0), st.booleans())
def test_what_is_shown_would_turn_the_knob_to_where_it_is(
    knob: Any, share: float, fine: bool
) -> None:
    """So a motor fader that says where it was moved to changes nothing, or next to nothing."""
    value = knob.check(knob.at(share))
    mapping = f"control.map=[{{{'cc14' if fine else 'cc'}: 5, knob: {knob.name}}}]"
    session = Session(FoldingModel(), settings(mapping, "control.pick_up=false"))
    for message in messages_for(mapped_of({"cc14" if fine else "cc": 5, "knob": knob.name}), value):
        session.receive(message)
    session.wait(50)
    now = getattr(session.player.knobs, knob.name)
    if knob.choices:
        assert now == value
    else:
        step = (knob.high - knob.low) / (16383 if fine else 127)
        assert abs(now - value) <= max(step, 1.0 if knob.whole else 0.0)


def test_a_hand_is_told_when_it_rests_and_only_of_what_changed() -> None:
    sent: list[bytes] = []
    feedback = Feedback(sent.append)
    feedback.map([mapped_of({"cc": 20, "knob": "quoting"}), mapped_of({"note": 1, "knob": "gate"})])
    for number in range(10):
        now = 10.0 + number / 20
        feedback.hear(knob_is("quoting", number / 10, now))
        feedback.show(now)
    feedback.hear(Event(10.5, NOTE, 1, 60, 80))
    assert sent == []
    feedback.show(now + REST)
    assert sent == [b"\xb0\x14\x72"]
    feedback.hear(knob_is("quoting", 0.9001, 11.0))
    feedback.hear(knob_is("gate", 0.0, 11.0))
    feedback.hear(knob_is("density", 2.0, 11.0))
    feedback.show(12.0)
    assert sent[1:] == [b"\x80\x01\x40"], "the ring would stand where it stands"
    feedback.map([mapped_of({"cc": 21, "knob": "quoting"})])
    feedback.show(13.0)
    assert sent[2:] == [b"\xb0\x15\x72"], "one that was learned is shown at once"


def test_everything_is_shown_again_after_a_while_but_no_knob_that_is_being_turned() -> None:
    """A connection that was just made may not have carried the first messages."""
    sent: list[bytes] = []
    feedback = Feedback(sent.append)
    feedback.map([mapped_of({"cc": 20 + i, "knob": k}) for i, k in enumerate(("gate", "quoting"))])
    for name in ("gate", "quoting"):
        feedback.hear(knob_is(name, 1.0, 1.0))
    feedback.show(2.0)
    first = sent.copy()
    feedback.hear(knob_is("quoting", 0.5, 3.0))
    feedback.repeat()
    feedback.show(3.0 + REST / 2)
    assert len(first) == 2 and sent == [*first, first[0]]
    feedback.show(3.0 + REST)
    assert sent[3:] == [b"\xb0\x15\x40"]
