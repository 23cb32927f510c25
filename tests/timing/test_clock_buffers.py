"""A MIDI clock whose ticks arrive an audio buffer at a time, or twice: their number is right."""

import json
import math
import random
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import settings as limits
from hypothesis import strategies as st
from segued.timing.clock import Clock

from ..support.fakes import FoldingModel, Session, note_on, settings

CASES = Path(__file__).parents[1] / "data" / "cases"
TICK, START = b"\xf8", b"\xfa"
RATES = (44100, 48000, 96000)
FRAMES = (64, 128, 256, 512, 1024, 2048, 4096)


@dataclass
class Daw:
    """Computes audio a buffer at a time: ticks go out together, at the buffer's end."""

    tempo: float
    buffer: float  # seconds
    jitter: float = 0.0
    copies: tuple[float, ...] = (0.0,)  # seconds by which each port's tick is late
    phase: float = 0.0  # of a buffer
    clock: Clock = field(default_factory=Clock)
    ticks: int = 0
    now: float = 1.0
    worst: float = 0.0  # beats, since `worst` was set

    def __post_init__(self) -> None:
        self._rng = random.Random(1)
        self._song = self.now + self.phase * self.buffer  # when the next tick really is
        self.clock.receive(self.now, START)

    def roll(self, beats: int) -> "Daw":
        """The song goes on."""
        arrivals = []
        for _ in range(beats * 24):
            sent = math.ceil(self._song / self.buffer + 1e-9) * self.buffer
            sent += self._rng.random() * self.jitter
            arrivals += [(sent + late, self.ticks, self._song) for late in self.copies]
            self.ticks += 1
            self._song += 2.5 / self.tempo
        arrivals.sort()
        for i, (sent, tick, song) in enumerate(arrivals):
            self.now = max(self.now, sent)
            self.clock.receive(self.now, TICK)
            if i + 1 == len(arrivals) or arrivals[i + 1][0] > self.now + 0.004:
                beat = tick / 24 + (self.now - song) * self.tempo / 60
                self.worst = max(self.worst, abs(self.clock.beat_at(self.now) - beat))
        return self

    @property
    def error(self) -> float:
        """Of the tempo."""
        return abs(self.clock.tempo / self.tempo - 1)


def check(daw: Daw) -> None:
    daw.roll(2)
    assert daw.worst < 0.3, "bounded from the first tick on"
    assert daw.error < 0.025
    daw.roll(6)
    assert daw.error < 0.01
    daw.worst = 0.0
    daw.roll(16)
    assert daw.error < 0.005
    assert daw.worst < 0.1


@pytest.mark.slow
@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("frames", FRAMES)
def test_at_every_buffer_the_tempo_and_the_place_are_right(frames: int, rate: int) -> None:
    for tempo in (40, 54, 107, 117, 120, 166, 236):
        check(Daw(tempo, frames / rate))


@limits(max_examples=25)
@given(
    st.sampled_from(FRAMES),
    st.sampled_from(RATES),
    st.floats(40, 240),
    st.floats(0, 0.003),
    st.floats(0, 1),
)
def test_at_any_tempo_and_with_jitter_too(
    frames: int, rate: int, tempo: float, jitter: float, phase: float
) -> None:
    check(Daw(tempo, frames / rate, jitter, phase=phase))


@pytest.mark.parametrize("name", sorted(path.stem for path in CASES.glob("clock-*.json")))
def test_a_case_from_the_field(name: str) -> None:
    case = json.loads((CASES / f"{name}.json").read_text())
    clock, now = Clock(), 0.0
    for now, message in case["in"]:
        clock.receive(now, bytes.fromhex(message))
    assert clock.tempo == pytest.approx(case["right"]["tempo"], rel=0.005)
    assert clock.beat_at(now) == pytest.approx(case["right"]["beats_at_end"], abs=0.1)


@pytest.mark.parametrize("tempo", [126.0, 100.0, 60.0, 180.0])
@pytest.mark.parametrize("frames", [64, 256, 512])
def test_at_small_buffers_a_change_of_tempo_is_followed_within_two_beats(
    frames: int, tempo: float
) -> None:
    daw = Daw(120, frames / 48000, 0.0005).roll(16)
    daw.tempo = tempo
    daw.roll(2)
    assert daw.error < 0.025
    daw.roll(4)
    daw.worst = 0.0
    daw.roll(4)
    assert daw.error < 0.005
    assert daw.worst < 0.05


@pytest.mark.parametrize("late", [0.0, 0.0005, 0.0015, 0.003])
@pytest.mark.parametrize("tempo", [40, 77, 100, 120, 140])
@pytest.mark.parametrize("frames", [1, 256])
def test_the_same_clock_over_two_ports_is_one(tempo: int, late: float, frames: int) -> None:
    daw = Daw(tempo, frames / 48000, 0.0005, copies=(0.0, late)).roll(8)
    daw.worst = 0.0
    daw.roll(4)
    assert daw.error < 0.005
    assert daw.worst < 0.1


def test_two_ticks_a_buffer_for_half_a_minute_are_no_copies() -> None:
    """117 beats a minute at 2048 frames: a buffer is 0.2 % shorter than two ticks."""
    daw = Daw(117, 2048 / 48000).roll(40)
    assert daw.error < 0.005
    assert daw.worst < 0.2


def test_when_the_second_port_is_closed_the_other_goes_on() -> None:
    daw = Daw(100, 1 / 48000, copies=(0.0, 0.003)).roll(8)
    daw.copies = (0.0,)
    daw.worst = 0.0
    daw.roll(8)
    assert daw.error < 0.005
    assert daw.worst < 0.05


def test_a_daw_that_has_gone_is_noticed_by_itself() -> None:
    session = Session(FoldingModel(), settings("steering.mode=listen"))
    for _ in range(48):
        session.receive(TICK)
        session.wait(20)
    assert session.player.clock.synced
    session.wait(2000)
    assert not session.player.clock.synced


def test_bars_count_a_song_that_has_gone_no_more() -> None:
    """The performer's key begins the exchange, as without a clock."""
    session = Session(FoldingModel(), settings("turns.by=bars", "turns.bars=1"))
    for _ in range(36):
        session.receive(TICK)
        session.wait(20)
    session.wait(2000)
    session.receive(note_on(60))
    deadline = session.player.turns.deadline
    assert deadline is not None
    beats = session.player.clock.beat_at(deadline) - session.player.clock.beat_at(session.now)
    assert beats == pytest.approx(4.0, abs=0.01)
