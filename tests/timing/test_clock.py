"""The clock: tempo and beats from a MIDI clock with all its faults, from taps, from a setting."""

import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from segued.timing.clock import GRIDS, Clock
from segued.timing.tick_tracker import FASTEST, LONG, SLOWEST

TICK, START, CONTINUE, STOP = b"\xf8", b"\xfa", b"\xfb", b"\xfc"


def position(sixteenths: int) -> bytes:
    return bytes((0xF2, sixteenths & 0x7F, sixteenths >> 7))


@dataclass
class Master:
    """A sequencer with a clock that jitters by up to `jitter` seconds, always late."""

    clock: Clock
    tempo: float = 120.0
    jitter: float = 0.0
    now: float = 1.0
    ticks: int = 0  # of the song, so far
    rng: random.Random = field(default_factory=lambda: random.Random(1))

    def send(self, message: bytes) -> None:
        self.clock.receive(self.now, message)

    @property
    def period(self) -> float:
        return 60.0 / self.tempo / 24

    def roll(self, beats: float, copies: int = 1, lose: Iterable[int] = ()) -> None:
        """Ticks for so many beats, without those whose numbers are to be lost."""
        lost = set(lose)
        for i in range(round(beats * 24)):
            late = self.rng.random() * self.jitter
            for _ in range(copies if i not in lost else 0):
                self.clock.receive(self.now + late, TICK)
            self.ticks += 1
            self.now += self.period

    @property
    def beat(self) -> float:
        """The beat of the song now: the next tick is due."""
        return self.ticks / 24

    @property
    def off(self) -> float:
        """How far the clock is off, in seconds; `jitter` is late by half of it in the mean."""
        return (self.clock.beat_at(self.now + self.jitter / 2) - self.beat) * 60 / self.tempo


def started(tempo: float = 120.0, jitter: float = 0.0, beats: float = 8) -> Master:
    master = Master(Clock(100.0), tempo, jitter)
    master.send(START)
    master.roll(beats)
    return master


@pytest.mark.slow
@pytest.mark.parametrize(
    ("tempo", "jitter"),
    [(t, j) for t in (40.0, 90.0, 120.0, 173.2, 250.0) for j in (0.0, 0.001, 0.004)]
    + [(60.0, 0.02), (100.0, 0.01), (120.0, 0.008)],
)
def test_after_two_bars_the_tempo_is_known(tempo: float, jitter: float) -> None:
    master = started(tempo, jitter)
    assert master.clock.synced
    assert master.clock.running
    assert master.clock.tempo == pytest.approx(tempo, rel=0.001)
    assert abs(master.off) < 0.0001 + jitter / 5
    master.roll(400)
    assert master.clock.tempo == pytest.approx(tempo, rel=0.0008)
    assert abs(master.off) < 0.0001 + jitter / 6


@pytest.mark.parametrize("per_beat", [-0.8, 0.3, 2.0])
def test_it_follows_a_tempo_that_changes_slowly(per_beat: float) -> None:
    master = started(jitter=0.002)
    for _ in range(32):
        master.tempo += per_beat
        master.roll(1)
        assert abs(master.off) < 0.012
        assert master.clock.tempo == pytest.approx(master.tempo, rel=0.04)
    master.roll(16)
    assert master.clock.tempo == pytest.approx(master.tempo, rel=0.001)
    assert abs(master.off) < 0.001


@pytest.mark.parametrize("tempo", [240.0, 60.0, 130.0, 500.0, 31.0])
def test_it_follows_a_tempo_that_jumps(tempo: float) -> None:
    master = started(jitter=0.001)
    master.tempo = tempo
    master.roll(4)
    assert master.clock.tempo == pytest.approx(tempo, rel=0.02)
    master.roll(8)
    assert master.clock.tempo == pytest.approx(tempo, rel=0.002)
    assert abs(master.off) < 0.002


def test_ticks_that_got_lost_are_made_good() -> None:
    master = started(jitter=0.002)
    master.roll(4, lose=[7, 30, 31, 32])
    assert master.clock.tempo == pytest.approx(120.0, rel=0.005)
    master.roll(4)
    assert abs(master.off) < 0.001


def test_two_copies_of_each_tick_are_one() -> None:
    master = Master(Clock(), jitter=0.002)
    master.send(START)
    master.roll(8, copies=2)
    assert master.clock.tempo == pytest.approx(120.0, rel=0.001)
    assert abs(master.off) < 0.001


def test_a_clock_that_stutters_is_not_believed() -> None:
    """It hangs for 0.2 s and then sends at once what it had not sent."""
    master = started()
    held = [master.now + i * master.period for i in range(10)]
    for _ in held:
        master.clock.receive(held[-1], TICK)
    master.ticks += 10
    master.now = held[-1] + master.period
    assert abs(master.off) < 0.002
    master.roll(2)
    assert master.clock.tempo == pytest.approx(120.0, rel=0.002)
    assert abs(master.off) < 0.001


def test_a_clock_that_halts_and_goes_on_has_not_moved() -> None:
    master = started()
    master.now += 0.29 * master.period + 3 * master.period
    master.roll(6)
    assert abs(master.off) < 0.001
    assert master.clock.tempo == pytest.approx(120.0, rel=0.001)


def test_the_first_tick_after_start_is_beat_0() -> None:
    master = Master(Clock())
    master.roll(6)
    master.send(STOP)
    master.roll(1.2)  # many DAWs send ticks while they are stopped
    assert not master.clock.running
    assert master.clock.synced
    master.send(START)
    master.ticks = 0
    assert master.clock.running
    assert -0.06 < master.clock.beat_at(master.now) <= 0.0
    master.roll(4)
    assert abs(master.off) < 1e-6


def test_continue_goes_on_where_it_stopped() -> None:
    master = started(beats=5.5)
    master.send(STOP)
    master.now += 20.0
    master.clock.advance(master.now)
    assert not master.clock.synced
    assert not master.clock.running
    master.send(CONTINUE)
    master.now += 0.002
    master.roll(2)
    assert master.beat == 7.5
    assert abs(master.off) < 0.0001


def test_song_position_is_where_continue_goes_on() -> None:
    master = started(beats=5.5)
    master.send(STOP)
    master.send(position(16 * 4 * 3 + 6))
    master.send(CONTINUE)
    master.ticks = (16 * 4 * 3 + 6) * 6
    master.roll(1)
    assert master.beat == 50.5
    assert abs(master.off) < 1e-6


def test_a_song_position_while_it_runs_is_a_jump() -> None:
    master = started()
    before = master.clock.jumps
    master.send(position(0))
    master.ticks = 0
    assert master.clock.jumps == before + 1
    master.roll(1)
    assert abs(master.off) < 1e-6


def test_the_last_song_position_there_is_has_a_future() -> None:
    master = Master(Clock())
    master.send(position(16383))
    master.send(CONTINUE)
    master.ticks = 16383 * 6
    master.roll(40)
    assert abs(master.off) < 1e-6
    assert master.clock.beat_at(master.now) > 4096


def test_a_clock_without_start_begins_on_a_beat_and_runs() -> None:
    clock = Clock(100.0)
    assert clock.running
    master = Master(clock, now=0.77)
    master.roll(8)
    assert clock.running
    assert clock.synced
    beat = clock.beat_at(0.77)
    assert abs(beat - round(beat)) < 1e-6


def test_a_clock_that_is_lost_goes_on_at_its_tempo() -> None:
    master = started(tempo=90.0)
    before = master.clock.beat_at(master.now)
    master.clock.advance(master.now + 0.1)
    assert master.clock.synced
    master.clock.advance(master.now + 1.0)
    assert not master.clock.synced
    assert master.clock.running
    assert master.clock.tempo == pytest.approx(90.0)
    assert master.clock.beat_at(master.now + 60.0) == pytest.approx(before + 90.0)


def test_a_clock_that_comes_back_takes_the_beat_up() -> None:
    master = started(tempo=90.0)
    master.now += 24 * 2 * master.period + 0.4 * master.period
    master.ticks += 24 * 2
    master.roll(4)
    assert master.clock.synced
    assert abs(master.off) < 0.5 * master.period


def test_without_a_clock_the_tempo_is_set() -> None:
    clock = Clock(60.0)
    assert clock.beat_at(3.0) == 3.0
    clock.set_tempo(3.0, 120.0)
    assert clock.tempo == pytest.approx(120.0)
    assert clock.beat_at(4.0) == pytest.approx(5.0)
    assert not clock.synced
    assert clock.running


def test_a_tempo_that_is_set_means_nothing_while_a_clock_comes() -> None:
    master = started()
    master.clock.set_tempo(master.now, 60.0)
    assert master.clock.tap(master.now) is None
    assert master.clock.tempo == pytest.approx(120.0)


def test_taps_give_the_tempo_and_the_beat() -> None:
    clock = Clock(100.0)
    rng = random.Random(3)
    taps = [5.0 + i * 0.5 for i in range(5)]
    said = [clock.tap(time + rng.uniform(-0.01, 0.01)) for time in taps]
    assert said[0] is None
    assert said[-1] == pytest.approx(120.0, rel=0.02)
    assert clock.tempo == said[-1]
    beat = clock.beat_at(9.0)
    assert abs(beat - round(beat)) < 0.1


def test_taps_after_a_rest_are_a_new_tempo() -> None:
    clock = Clock()
    for time in (1.0, 1.5, 2.0, 12.0, 13.0, 14.0):
        clock.tap(time)
    assert clock.tempo == pytest.approx(60.0)
    for time in (14.4, 14.8, 15.2):  # and so are taps that are suddenly faster
        clock.tap(time)
    assert clock.tempo == pytest.approx(150.0)


def test_the_next_beat_and_bar() -> None:
    clock = Clock(60.0, beats_per_bar=3)
    assert clock.next(0.0, "bar") == 0.0
    assert clock.next(0.1, "now") == 0.1
    assert clock.next(0.1, "beat") == pytest.approx(1.0)
    assert clock.next(0.1, "bar") == pytest.approx(3.0)
    assert clock.next(3.5, "bar") == pytest.approx(6.0)


TIMES = st.floats(0.0, 1e5)
GAPS = st.one_of(
    st.sampled_from([0.0, 1e-4, 0.001, 0.01, 0.0104, 0.0208, 0.0208, 0.0208, 0.25, 0.5, 3.0]),
    st.floats(0.0, 0.05),
    st.floats(0.0, 100.0),
)
TRANSPORT = [START, CONTINUE, STOP]
MESSAGES = st.one_of(
    st.just(TICK),
    st.sampled_from(TRANSPORT),
    st.integers(0, 16383).map(position),
    st.binary(max_size=4),
)
RUNS = st.tuples(st.just("ticks"), st.integers(1, 80), st.floats(0.002, 0.2), st.floats(0, 0.02))
Doing = tuple[Any, ...]
DOINGS = st.lists(
    st.one_of(
        RUNS,
        st.tuples(st.just("message"), GAPS, MESSAGES),
        st.tuples(st.just("tap"), GAPS),
        st.tuples(st.just("set"), GAPS, st.floats(20.0, 300.0)),
        st.tuples(st.just("look"), GAPS),
    ),
    max_size=30,
)


def do(
    clock: Clock, doings: list[Doing], look: Callable[[float], None] = lambda now: None
) -> float:
    """Make a clock go through all that; `look(now)` after each thing. Returns the time."""
    now, rng = 0.0, random.Random(0)
    for name, *arguments in doings:
        if name == "ticks":
            count, period, jitter = arguments
            for _ in range(count):
                now += max(0.0, period + rng.uniform(-jitter, jitter))
                clock.receive(now, TICK)
                look(now)
            continue
        now += arguments[0]
        if name == "message":
            clock.receive(now, arguments[1])
        elif name == "tap":
            clock.tap(now)
        elif name == "set":
            clock.set_tempo(now, arguments[1])
        else:
            clock.advance(now)
        look(now)
    return now


@given(DOINGS)
def test_whatever_comes_the_beat_goes_up_but_for_the_transport(doings: list[Doing]) -> None:
    clock = Clock()
    seen = [clock.jumps, 0.0, clock.beat_at(0.0)]

    def look(now: float) -> None:
        jumps, before, beat = seen
        here = clock.beat_at(now)
        assert clock.jumps != jumps or here >= beat - 1e-9 * (1 + abs(beat))
        assert clock.jumps != jumps or now - before < 1e-6 or here > beat
        assert 60 / (24 * SLOWEST) - 1e-6 <= clock.tempo <= 60 / (24 * FASTEST) + 1e-6
        seen[:] = [clock.jumps, now, here]

    do(clock, doings, look)


@given(DOINGS, st.lists(st.floats(-100.0, 1000.0), min_size=2, max_size=8))
def test_times_and_beats_are_each_others_inverse(doings: list[Doing], ahead: list[float]) -> None:
    clock = Clock()
    now = do(clock, doings)
    times = sorted(now + x for x in [*ahead, 0.0, 0.01, 0.2])
    beats = [clock.beat_at(time) for time in times]
    assert beats == sorted(beats)
    for time, beat in zip(times, beats, strict=True):
        assert clock.time_of(beat) == pytest.approx(time, abs=1e-6, rel=1e-9)


@given(DOINGS, st.sampled_from(GRIDS), st.integers(1, 7))
def test_the_next_is_never_past_and_soon(doings: list[Doing], grid: str, per_bar: int) -> None:
    clock = Clock(beats_per_bar=per_bar)
    now = do(clock, doings)
    then = clock.next(now, grid)
    assert then >= now
    if grid == "now":
        assert then == now
    else:
        size = per_bar if grid == "bar" else 1
        assert clock.beat_at(then) - clock.beat_at(now) <= size + 1e-6
        share = clock.beat_at(then) / size
        assert then == now or abs(share - round(share)) < 1e-6


@given(DOINGS)
def test_after_anything_a_steady_clock_is_followed(doings: list[Doing]) -> None:
    clock = Clock()
    master = Master(clock, 140.0, 0.001, now=do(clock, doings) + 0.02)
    master.send(START)
    master.roll(24)
    assert clock.tempo == pytest.approx(140.0, rel=0.01)
    assert abs(master.off) < 0.004


@given(DOINGS)
def test_the_same_gives_the_same(doings: list[Doing]) -> None:
    first, second = Clock(), Clock()
    now = do(first, doings)
    do(second, doings, lambda now: second.advance(now))
    assert first.beat_at(now + 1) == second.beat_at(now + 1)


def test_a_day_of_clock_costs_no_precision() -> None:
    master = started(jitter=0.001, beats=LONG / 24)
    master.now += 86400.0
    master.send(START)
    master.ticks = 0
    master.roll(64)
    assert abs(master.off) < 0.0005
