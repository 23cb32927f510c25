"""Knobs: what they allow, and that a controller's way and a value's way are the same way."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from segued.control.knobs import ACTIONS, KNOBS, Knob

BY_NAME = {knob.name: knob for knob in KNOBS}


def test_defaults_are_allowed_and_names_are_told_apart() -> None:
    for knob in KNOBS:
        assert knob.check(knob.default) == knob.default
        assert knob.help
    assert len(BY_NAME) == len(KNOBS)
    assert not set(BY_NAME) & set(ACTIONS)


@given(st.sampled_from(KNOBS), st.floats(0, 1))
def test_every_place_of_a_knob_is_a_value_of_it(knob: Knob, share: float) -> None:
    value = knob.at(share)
    assert knob.check(value) == value
    back = knob.at(knob.share(value))
    assert back == value if knob.choices else back == pytest.approx(value)
    assert knob.at(0.0) == (knob.choices[0] if knob.choices else knob.low)
    assert knob.at(1.0) == (knob.choices[-1] if knob.choices else knob.high)


@pytest.mark.parametrize(
    ("name", "value", "why"),
    [
        ("temperature", 5, "a number from 0 to 4"),
        ("temperature", True, "a number from 0 to 4"),
        ("register", 1.5, "a whole number from -36 to 36"),
        ("gate", 1, "one of false, true"),
        ("mode", "loud", "one of continue, duet, solo, listen"),
    ],
)
def test_what_is_not_allowed_is_told(name: str, value: object, why: str) -> None:
    with pytest.raises(ValueError, match=f"^{why}$"):
        BY_NAME[name].check(value)
