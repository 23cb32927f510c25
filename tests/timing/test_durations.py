"""Lengths of time in seconds, beats and bars."""

import pytest
from segued.fields.durations import checked
from segued.timing.clock import Clock
from segued.timing.durations import seconds_of


@pytest.mark.parametrize(
    ("span", "seconds"),
    [(0.7, 0.7), ("1 beat", 0.5), ("3 beats", 1.5), ("0.5 beats", 0.25), ("2 bars", 3.0)],
)
def test_spans_in_seconds(span: float | str, seconds: float) -> None:
    clock = Clock(120.0, beats_per_bar=3)
    assert checked(span, 0.1, 60) == span
    assert seconds_of(span, clock, 10.0) == pytest.approx(seconds)


@pytest.mark.parametrize(
    "value", [0, 61, True, None, "bars", "0 bars", "-1 beats", "2 bar ", "9999 bars", "1e3 beats"]
)
def test_what_is_no_span(value: object) -> None:
    with pytest.raises(ValueError, match=r"^a number of seconds from .* or a text such as 2 beats"):
        checked(value, 0.1, 60, ("phrase",))


def test_words_are_spans_where_they_are_allowed() -> None:
    assert checked("phrase", 0.1, 60, ("phrase",)) == "phrase"
