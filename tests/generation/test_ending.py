"""The end of a reply: which close is best, how it rings out, and that nothing comes after it."""

import math
from dataclasses import replace
from itertools import cycle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from segued.generation.ending import (
    LONGEST,
    LONGEST_RING,
    OVER_SECONDS,
    OVER_SHARE,
    OVERLAP,
    SHARE,
    Close,
    Ending,
    Sound,
    Triad,
    Usual,
    accent,
    closes,
    pulse_of,
    releases,
    sounds,
    stability,
)
from segued.generation.finale import Finale
from segued.generation.improviser import Improviser
from segued.generation.reply import Reply, Token
from segued.generation.shaping import Playing
from segued.model.loading import SHIPPED_MODEL
from segued.model.session import Model
from segued.timing.clock import Clock
from segued.timing.pulse import Pulse
from segued.tokens.events import NoteOff, NoteOn
from segued.tools.render import perform

from ..support.fakes import FoldingModel, Session, Timed, note_off, note_on, settings
from .test_best_of_n import MELODY, FuzzyModel, most_calls_of_a_thought, play

C = Triad.on(0, minor=False)
WALTZ = Pulse(time=10.5, beat=0.5, division=2, bar=3, downbeat=10.0, steady=1.0)
USUAL = Usual(0.25, 1.0)
CLOSE = Close(9, 4.0, 4.0, (60,), 0.25, 0.25, 0.0)
FREE = Ending(3.0, 5.0, 6.0, math.inf, C, None)
PLAYING = Playing(ending=1.0)
FINISHES = Reply(begin=3.0, length=5.0, seed=0, number=0, finishes=True)
PITCHES = st.lists(st.integers(21, 108), min_size=1, max_size=6, unique=True)

# --- what a close is worth


@given(PITCHES, st.integers(0, 11), st.booleans(), st.integers(-2, 2))
def test_rest_is_relative_to_the_key(
    pitches: list[int], tonic: int, minor: bool, octaves: int
) -> None:
    """Between 0 and 1, the same in each key and octave."""
    triad, value = Triad.on(tonic, minor), stability(pitches, Triad.on(tonic, minor))
    assert 0.0 <= value <= 1.0
    assert (value == 0.0) == (not any(p % 12 in triad for p in (min(pitches), max(pitches))))
    moved = [p + 5 + 12 * octaves for p in pitches]
    assert stability(moved, Triad.on((tonic + 5) % 12, minor)) == pytest.approx(value)


def test_nothing_is_more_at_rest_than_the_tonic() -> None:
    tonic, chord = stability([60], C), stability([48, 64, 67, 72], C)
    assert tonic == chord == 1.0
    fifth, inverted, foreign = (
        stability([67], C),
        stability([52, 60], C),
        stability([48, 53, 60], C),
    )
    assert 0.0 < fifth < inverted < tonic and foreign < tonic
    assert stability([62], C) == 0.0


def test_beats_are_stronger_than_what_is_between() -> None:
    assert accent(WALTZ, 10.0) == accent(WALTZ, 11.5) == accent(WALTZ, 8.5) == 1.0
    assert accent(WALTZ, 10.5) == accent(WALTZ, 11.02) == 0.6
    assert accent(WALTZ, 10.25) == accent(WALTZ, 10.1) == 0.0
    assert accent(replace(WALTZ, bar=4), 11.0) == 0.8


def test_the_beats_of_a_clock() -> None:
    clock = Clock(90.0, 3)
    pulse = pulse_of(clock, 7.3)
    for beat in range(8, 30):
        strong = accent(pulse, clock.time_of(beat))
        assert strong == (1.0 if beat % 3 == 0 else 0.6)


@pytest.mark.parametrize(
    "better",
    [
        replace(CLOSE, sounding=(72,), time=4.5),
        replace(CLOSE, rest=0.5),
        replace(CLOSE, approach=1.0),
    ],
)
def test_what_makes_a_close_better(better: Close) -> None:
    assert FREE.worth(better, USUAL) > FREE.worth(CLOSE, USUAL)


def test_what_makes_a_close_worse() -> None:
    worth = FREE.worth(CLOSE, USUAL)
    assert FREE.worth(replace(CLOSE, sounding=(62,)), USUAL) < worth
    assert FREE.worth(CLOSE, Usual(0.25, 4.0)) < worth  # a single note after chords
    in_time = replace(FREE, pulse=replace(WALTZ, downbeat=4.0))
    assert in_time.worth(replace(CLOSE, sounds_at=4.25), USUAL) == worth
    assert in_time.worth(CLOSE, USUAL) > worth
    late = replace(CLOSE, rest=9.0, time=5.9, sounds_at=5.9)
    assert replace(FREE, over=6.0).worth(late, USUAL) < FREE.worth(late, USUAL)


@given(st.floats(0.0, 1.0))
def test_the_knob_says_how_much_it_counts(strength: float) -> None:
    leans = replace(FREE, strength=strength, wanted=4.0)
    full = replace(FREE, wanted=4.0).worth(CLOSE, USUAL)
    assert leans.worth(CLOSE, USUAL) == pytest.approx(strength * full)


# --- how it rings out


@given(st.floats(0.06, 3.0), st.floats(0.0, 9.0), st.floats(0.2, 3.0), st.booleans(), st.booleans())
def test_the_last_notes_ring(
    gap: float, held: float, beat: float, on_beat: bool, exact: bool
) -> None:
    """Longer than usual, to a beat where there is one, not for ever, and no longer than allowed."""
    pulse = Pulse(0.0, beat, 1, 4, 0.0, 1.0) if on_beat else None
    ending = replace(FREE, pulse=pulse, over=6.0 if exact else math.inf)
    close = replace(CLOSE, held=held)
    rings = ending.released(close, Usual(gap, 1.0)) - close.time
    assert 0.0 < rings <= LONGEST_RING + 1e-9
    if not exact and gap < 1.0:
        assert rings >= gap - 1e-9
        if not on_beat:
            assert rings >= 2 * gap - 1e-9
    if exact:
        assert close.time + rings <= 6.0


def roll(*notes: tuple[float, float, int]) -> list[Sound]:
    """(begin, end, pitch): those that begin before 0 sounded before."""
    return [
        Sound(begin, end, pitch, -1 if begin < 0 else number)
        for number, (begin, end, pitch) in enumerate(notes)
    ]


def test_chords_are_found() -> None:
    notes = roll(
        (-1.0, 1.5, 36), (0.0, 0.45, 60), (0.02, 1.4, 64), (0.5, 1.05, 67), (1.0, math.inf, 65)
    )
    first, second, third = closes(notes, 10.0, 2.0)
    assert first == Close(2, 0.0, 10.0, (36, 60, 64), 0.5, first.held, 0.0)
    assert first.held == pytest.approx(1.38)
    assert second.sounding == (36, 64, 67) and second.rest == 0.5 and second.sounds_at == 10.5
    assert third.sounding == (36, 64, 65), "what only sounds into it is not part of it"
    assert (third.rest, third.held, third.approach) == (1.0, 1.0, 1.0)


def test_what_sounds_at_the_close_ends() -> None:
    notes = roll((-7.0, 3.0, 36), (0.0, 0.6, 60), (0.5, 0.9, 64), (1.0, 2.0, 67))
    close = closes(notes, 0.0, 3.0)[1]
    assert releases(notes, close, 2.5, 8.0) == [(0.6, 60), (1.0, 36), (2.5, 64)]


@given(st.lists(st.tuples(st.floats(0, 3), st.floats(0.01, 4), st.integers(40, 80)), min_size=1))
def test_each_note_ends_once_and_none_begins(played: list[tuple[float, float, int]]) -> None:
    ends: dict[int, float] = {}
    notes = []
    for begin, length, pitch in sorted(played):
        if ends.get(pitch, -1.0) < begin:
            ends[pitch] = begin + length
            notes.append((begin, begin + length, pitch))
    sounding = roll(*notes)
    for close in closes(sounding, 0.0, 8.0):
        offs = releases(sounding, close, close.time + 0.5, 3.0)
        until = [n for n in sounding if n.token <= close.token]
        assert sorted(p for _, p in offs) == sorted(n.pitch for n in until if n.end > close.time)
        assert all(close.time - OVERLAP <= end <= close.time + 0.5 + OVERLAP for end, _ in offs)
        assert offs == sorted(offs)


def test_notes_are_found_in_tokens() -> None:
    events: list[list[NoteOn | NoteOff]] = [
        [NoteOn(5.0, 60, 80)], [], [NoteOff(5.5, 60)], [NoteOff(5.5, 40), NoteOn(5.5, 40, 9)],
    ]  # fmt: skip
    tokens = [Token(0, 0.0, each, drawn=True) for each in events]
    assert sounds(tokens, {40: -1.0}, 4.0) == [
        Sound(-1.0, 1.5, 40, -1), Sound(1.0, 1.5, 60, 0), Sound(1.5, math.inf, 40, 3),
    ]  # fmt: skip


# --- which replies have one


@given(st.floats(0.1, 100.0), st.booleans(), st.none() | st.just(WALTZ))
def test_when_it_may_close(length: float, exact: bool, pulse: Pulse | None) -> None:
    ending = Ending.of(replace(FINISHES, length=length, exact=exact), PLAYING, C, pulse)
    assert ending is not None
    assert ending.begin == pytest.approx(length - min(SHARE * length, LONGEST))
    assert ending.begin <= ending.wanted <= max(length, ending.begin)
    if exact:
        assert ending.latest < length == ending.over
    else:
        assert length < ending.latest <= length + min(OVER_SECONDS[1], OVER_SHARE * length) + 1e-9


@pytest.mark.parametrize(
    ("reply", "playing"),
    [
        (replace(FINISHES, finishes=False), PLAYING),
        (replace(FINISHES, length=math.inf), PLAYING),
        (replace(FINISHES, closed=True), PLAYING),
        (FINISHES, Playing()),
    ],
)
def test_what_has_no_end(reply: Reply, playing: Playing) -> None:
    assert Ending.of(reply, playing, C, None) is None


# --- replies that close


def finishing(
    model: FoldingModel, playing: Playing, length: float = 5.0, exact: bool = False
) -> tuple[Improviser, list[int]]:
    """It has heard a melody in C, which ended at two seconds, and begins at three."""
    heard: list[int] = []
    improviser = Improviser(model, playing, heard, triad=lambda: C)
    for i, pitch in enumerate(MELODY):
        improviser.hear(NoteOn(i / 3, pitch, 70))
        improviser.hear(NoteOff((i + 1) / 3, pitch))
    improviser.advance(2.02)
    improviser.prepare(3.0, length, finishes=True, exact=exact)
    return improviser, heard


def notes_of(taken: list[Token]) -> tuple[list[float], list[float]]:
    """When notes begin and when they end."""
    events = [event for token in taken for event in token.events]
    ons = [event.time for event in events if isinstance(event, NoteOn)]
    return ons, [event.time for event in events if isinstance(event, NoteOff)]


@given(st.integers(0, 200), st.sampled_from([1, 4]), st.floats(1.0, 9.0), st.booleans())
def test_a_reply_closes_near_its_end(
    seed: int, candidates: int, length: float, exact: bool
) -> None:
    playing = Playing(candidates=candidates, ending=1.0, seed=seed)
    improviser, heard = finishing(FuzzyModel(), playing, length, exact)
    taken = play(improviser, until=20.0)
    assert improviser.reply is None
    assert heard[-len(taken) :] == [token.id for token in taken]
    ons, offs = notes_of(taken)
    assert len(ons) == len(offs)
    latest = length if exact else length + min(OVER_SECONDS[1], OVER_SHARE * length)
    assert ons[-1] < 3.0 + latest + 0.01
    assert offs[-1] < 3.0 + (length if exact else latest + LONGEST_RING) + 0.011


@given(st.integers(0, 30), st.lists(st.sampled_from([0, 1, 2, 3, 5, 9, 40]), min_size=1))
def test_a_slow_machine_ends_the_same(seed: int, thoughts: list[int]) -> None:
    playing = Playing(candidates=3, ending=1.0, seed=seed)
    improviser, heard = finishing(FuzzyModel(), playing, 3.0)
    play(improviser, until=14.0)
    slow, same = finishing(FuzzyModel(), playing, 3.0)
    limits = cycle([*thoughts, 1])
    for now in np.arange(2.1, 60.0, 0.01):
        for _ in range(next(limits)):
            slow.think(now)
        while slow.due(now) is not None:
            pass
        if slow.reply is None:
            break
    assert slow.reply is None
    slow.advance(99.0)
    assert sorted(id for id in same if id < 256) == sorted(id for id in heard if id < 256)


def test_the_best_close_is_played() -> None:
    improviser, _ = finishing(FuzzyModel(), Playing(candidates=4, ending=1.0, lookahead=9.0))
    while not isinstance(improviser._best_of_n, Finale):
        assert improviser.think(2.1)
    finale = improviser._best_of_n
    while improviser._best_of_n is finale:
        assert improviser.think(2.1)
    usual = Usual.of([one.closes for one in finale._lasts])
    wanted, ending = improviser._recent_notes.features, finale._ending
    worths = {
        (number, close.time): one.score(wanted, finale._playing) + ending.worth(close, usual)
        for number, one in enumerate(finale._lasts)
        for close in one.closes
        if ending.begin <= close.time <= ending.latest
    }
    assert len({number for number, _ in worths}) == 4
    plan = improviser._plan
    assert plan is not None and plan.closing
    number, best = max(worths, key=worths.__getitem__)
    assert plan.candidate == number and plan.reached == pytest.approx(best)


def test_a_thought_is_one_call_of_the_model_at_most() -> None:
    model = FuzzyModel()
    improviser, _ = finishing(model, Playing(candidates=4, ending=1.0))
    assert most_calls_of_a_thought(model, improviser, 12.0) == 1


def test_after_the_close_nothing_begins_whatever_is_turned() -> None:
    for seed in range(8):
        session = Session(FoldingModel(), settings("turns.reply_length=3"), seed)
        for pitch in MELODY:
            session.tap(pitch, 100)
        session.await_note()
        while not (reply := session.player.improviser.reply) or not reply.closed:
            session.wait(10)
        begun = sum(note.startswith("on") for _, note in session.notes())
        session.set("temperature", 1.5)
        session.wait(9000)
        assert sum(note.startswith("on") for _, note in session.notes()) == begun
        assert not session.player.replying and not session.sounding()


@pytest.mark.parametrize("seed", range(6))
def test_bars_are_handed_over_on_the_bar(seed: int) -> None:
    lines = ("turns.by=bars", "turns.bars=1", "steering.tempo=120")
    session = Session(FoldingModel(), settings(*lines), seed)
    for pitch in MELODY[:4]:
        session.tap(pitch, 400)
    session.until(9.0)
    times = [time for time, _ in session.notes()]
    assert times[0] == pytest.approx(2.0, abs=0.02) and times[-1] <= 4.011


def test_a_duet_goes_on() -> None:
    both = []
    for ending in (0, 1):
        session = Session(
            FoldingModel(), settings("steering.mode=duet", f"steering.ending={ending}")
        )
        for pitch in MELODY:
            session.tap(pitch, 300)
        session.wait(9000)
        both.append(session.notes())
    assert both[0] == both[1] != []


# --- with the shipped model


def ode() -> list[Timed]:
    pitches = (64, 64, 65, 67, 67, 65, 64, 62, 60, 60, 62, 64, 64, 62, 62)
    return [
        timed
        for i, pitch in enumerate(pitches)
        for timed in ((i / 2, note_on(pitch, 80)), (i / 2 + 0.45, note_off(pitch)))
    ]


def closing(model: Model, ending: int) -> tuple[float, float]:
    """Shares of replies that end on the tonic chord; on a note longer than usual."""
    at_rest, long, count = 0, 0, 6
    for seed in range(count):
        played = perform(
            model, settings(f"steering.ending={ending}", "steering.key=C"), ode(), seed
        )
        ons = [(t, m[1]) for t, m in played if m[0] & 0xF0 == 0x90]
        times = sorted({t for t, _ in ons})
        at_rest += ons[-1][1] % 12 in C
        long += played[-1][0] - times[-1] > 1.5 * float(np.median(np.diff(times)))
    return at_rest / count, long / count


@pytest.mark.slow
def test_it_finishes() -> None:
    model = Model.load(SHIPPED_MODEL)
    (stopped, cut), (closed, rung) = closing(model, 0), closing(model, 1)
    assert closed >= 0.9 and rung >= 0.9
    assert stopped < closed and cut < 0.5
