"""A performance rendered without a clock: the same player, the same notes, the same bytes."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from segued.errors import DataError
from segued.midi.files import read_messages, write_messages
from segued.tools.render import LONGEST, perform, render_file

from .support.fakes import (
    FoldingModel,
    ScriptedModel,
    Session,
    Synth,
    Timed,
    control,
    note_off,
    note_on,
    settings,
    tokens,
    words,
)
from .support.performers import SETTINGS, performances

FOLDING = FoldingModel()
SEEDS = st.integers(0, 9)
TAP = [(0.0, note_on(60)), (0.2, note_off(60))]


def notes(played: list[Timed]) -> list[tuple[float, str]]:
    kinds = {0x90: "on", 0x80: "off"}
    return [
        (round(time, 6), f"{kinds[message[0] & 0xF0]}{message[1]}")
        for time, message in played
        if message[0] & 0xF0 in kinds
    ]


def scripted(script: str, *lines: str, **how: Any) -> list[Timed]:
    config = settings("sampling.temperature=0", *lines)
    return perform(ScriptedModel(tokens(script)), config, TAP, 0, **how)


def test_a_reply_is_rendered() -> None:
    played = scripted("v30 on64 t50 off64 on67 t25 off67")
    assert notes(played) == [(0.9, "on64"), (1.4, "off64"), (1.4, "on67"), (1.65, "off67")]


def test_a_key_that_the_performer_holds_too_has_both_its_ends_in_the_models_track() -> None:
    """The performer's channel 2 is passed thru and not heard, and the model plays on it."""
    performance = [(0.0, note_on(64, channel=1)), *TAP, (3.0, note_off(64, channel=1))]
    lines = ("sampling.temperature=0", "ports.listen_channel=1", "ports.reply_channel=2")
    model = ScriptedModel(tokens("v30 on64 t50 off64"))
    played = perform(model, settings(*lines), performance, 0)
    assert notes(played) == [(0.9, "on64"), (3.0, "off64")]


def test_a_pedal_may_lift_in_the_midst_of_a_reply() -> None:
    performance = [(0.0, control(64, 127)), *TAP, (1.2, control(64, 0))]
    played = perform(FOLDING, settings(), performance, 0)
    assert played[0][0] == pytest.approx(0.9)
    assert [time for time, _ in played if 1.2 < time < 2.9]


def test_without_a_performance_nothing_is_played() -> None:
    assert perform(FOLDING, settings(), [], 0) == []


def test_what_was_heard_may_be_collected() -> None:
    heard: list[int] = []
    scripted("v30 on64 t50 off64", heard=heard)
    assert words(heard).startswith("v19 on60 t20 off60 t70 v30 on64 t50 off64")


def test_it_may_end_after_some_seconds() -> None:
    played = scripted("v30 on64 t50 off64 on67 t25 off67", seconds=1.2)
    assert notes(played) == [(0.9, "on64"), (1.2, "off64")]
    assert played[-1] == (1.2, control(123, 0))


def test_silence_comes_at_the_end_of_the_seconds_however_many() -> None:
    assert scripted("v30 on64 t10 off64", seconds=500.0)[-1][0] == 500.0


def test_a_reply_without_end_ends_an_hour_after_the_performance() -> None:
    played = scripted("v30 on64 t10 off64", "turns.reply_length=endless")
    assert notes(played) == [(0.9, "on64"), (1.0, "off64")]
    assert played[-1][0] == pytest.approx(0.2 + LONGEST)


def test_a_performance_may_be_long() -> None:
    late = [(time + 3 * LONGEST, message) for time, message in TAP]
    played = perform(ScriptedModel(tokens("v30 on64")), settings(), [*TAP, *late], 0)
    assert [time for time, note in notes(played) if note.startswith("on")][-1] > 3 * LONGEST


def test_a_long_silence_is_no_endless_loop() -> None:
    config = settings("turns.silence=60", "turns.lookahead=0.05")
    assert notes(perform(FOLDING, config, TAP, 0))[0][0] == pytest.approx(60.2)


@given(performances(), SETTINGS, SEEDS)
def test_the_same_seed_gives_the_same(
    performance: list[Timed], lines: tuple[str, ...], seed: int
) -> None:
    config = settings(*lines)
    first = perform(FOLDING, config, performance, seed, 30.0)
    assert perform(FoldingModel(), config, performance, seed, 30.0) == first


def test_another_seed_gives_another_reply() -> None:
    assert len({tuple(perform(FOLDING, settings(), TAP, seed)) for seed in range(5)}) == 5


@given(performances(), SETTINGS, SEEDS, st.sampled_from([None, 0.0, 0.9, 5.0, 30.0]))
def test_what_is_played_is_in_order_and_leaves_nothing_sounding(
    performance: list[Timed], lines: tuple[str, ...], seed: int, seconds: float | None
) -> None:
    if seconds is None:
        lines = (*lines, "turns.reply_length=2")
    played = perform(FOLDING, settings(*lines), performance, seed, seconds)
    times = [time for time, _ in played]
    assert times == sorted(times)
    assert seconds is None or all(0 <= time <= seconds for time in times)
    synth = Synth(deaf=True)
    for _, message in played:
        synth.take(message)
    assert synth.sounding == set()


def to_the_nanosecond(played: Sequence[Timed]) -> list[Timed]:
    return [(round(time, 9), message) for time, message in played]


@given(performances(), SETTINGS, SEEDS)
def test_it_plays_what_the_live_player_plays(
    performance: list[Timed], lines: tuple[str, ...], seed: int
) -> None:
    """As long as that keeps up; times may differ in their last digits."""
    session = Session(FOLDING, settings(*lines), seed)
    session.play(performance)
    end = session.now + 5.0
    session.until(end)
    session.player.silence(end)
    played = perform(FOLDING, settings(*lines), performance, seed, end)
    assert to_the_nanosecond(played) == to_the_nanosecond(session.replies)


def test_a_file_is_rendered_with_both_parts(tmp_path: Path) -> None:
    source, target, again = (tmp_path / name for name in ("in.mid", "out.mid", "again.mid"))
    write_messages(source, [("Me", [(0.0, b"\xc0\x05"), *TAP])])
    performance, played = render_file(FOLDING, settings(), source, target, 7)
    assert performance == [(0.0, b"\xc0\x05"), *TAP]
    assert played == perform(FOLDING, settings(), performance, 7)
    assert sorted(m for _, m in read_messages(target)) == sorted(
        message for _, message in [*performance, *played]
    )
    data = target.read_bytes()
    assert b"Performer" in data
    assert b"Segue" in data
    render_file(FOLDING, settings(), source, again, 7)
    assert again.read_bytes() == data
    render_file(FOLDING, settings(), source, again, 8)
    assert again.read_bytes() != data


def test_seconds_cut_the_performers_part_off_too(tmp_path: Path) -> None:
    source, target = tmp_path / "in.mid", tmp_path / "out.mid"
    write_messages(source, [("Me", [*TAP, (9.0, note_on(62)), (9.1, note_off(62))])])
    performance, played = render_file(FOLDING, settings(), source, target, 7, 3.0)
    assert [message for _, message in performance] == [note_on(60), note_off(60)]
    assert played[-1][0] == 3.0


def test_a_missing_file_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such MIDI file"):
        render_file(FOLDING, settings(), tmp_path / "no.mid", tmp_path / "out.mid", 0)


def test_by_expectation_it_comes_in_when_it_would_live() -> None:
    """The silence is thought about as soon as what was heard last is whole."""
    config = settings("turns.by=expectation", "steering.sensitivity=1")
    phrase = [(0.0, note_on(60)), (0.2, note_off(60)), (0.4, note_on(62)), (0.6, note_off(62))]
    live = Session(FoldingModel(), config, seed=3)
    live.play(phrase)
    live.until(1.5)
    rendered = perform(FoldingModel(), config, phrase, 3, seconds=1.5)
    begins = next(time for time, message in live.replies if message[0] & 0xF0 == 0x90)
    assert 0.6 < begins < 1.4
    assert rendered[0][0] == pytest.approx(begins)
