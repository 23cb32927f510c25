"""Its own output coming back: a loop is cut after a bounded number of rounds, and no performer is
ever taken for one."""

import heapq
import json
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as limits
from hypothesis import strategies as st
from segued.player.active_notes import MODEL, PERFORMER
from segued.ports.echo_filter import FLOOD, HOLDS, LOST, SUSPECT, EchoFilter
from segued.settings.yaml_file import load_settings

from ..support.fakes import (
    FoldingModel,
    Session,
    Timed,
    control,
    note_off,
    note_on,
    pedal,
    settings,
)
from ..support.performers import MESSAGES, Move, moves

CASES = Path(__file__).parents[1] / "data" / "cases"
QUICK = ("turns.silence=0.3", "turns.reply_length=2", "turns.duet_tail=3")
MOST_ROUNDS = SUSPECT + len(HOLDS)


@dataclass
class Cable(Session):
    """A session with the filter around it, as the engine has it. Where `plugged`, what is sent
    comes back `latency` seconds later, uneven by `jitter`, on the channel `moves` if that is given.
    """

    latency: float = 0.1
    jitter: float = 0.0
    moves: int | None = None
    plugged: bool = False
    coming: list[tuple[float, int, bytes]] = field(default_factory=list)
    came: int = 0
    last: float = 0.0

    def __post_init__(self) -> None:
        self.lines: list[str] = []
        self.echoes = EchoFilter(self.lines.append)
        super().__post_init__()

    def _send(self, owner: int, message: bytes) -> None:
        super()._send(owner, message)
        self.echoes.sent(self.now, message, owner == MODEL)
        if self.plugged:
            if self.moves is not None:
                message = bytes((message[0] & 0xF0 | self.moves,)) + message[1:]
            self.came += 1
            late = self.jitter * (self.came * 7 % 5) / 4
            self.last = max(self.last, self.now + self.latency + late)
            heapq.heappush(self.coming, (self.last, self.came, message))

    def receive(self, message: bytes) -> None:
        self.log.append((self.now, None, message))
        self._take(message)
        self.think()

    def _take(self, message: bytes) -> None:
        if self.echoes.take(self.now, message):
            self.player.receive(self.now, message)

    def _next_moment(self) -> float:
        times = [super()._next_moment()]
        times += [self.coming[0][0]] if self.coming else []
        times += [due] if (due := self.echoes.next_due) is not None else []
        return min(times)

    def _tick(self) -> None:
        while self.coming and self.coming[0][0] <= self.now:
            self._take(heapq.heappop(self.coming)[2])
        while (message := self.echoes.release(self.now)) is not None:
            self.player.receive(self.now, message)
        super()._tick()


def notes(messages: list[bytes]) -> list[bytes]:
    return [m for m in messages if m[0] & 0xF0 == 0x90 and m[2]]


PITCHES = st.sampled_from([60, 62, 64, 67])
SWEEP = [note_off(pitch, 0) for pitch in range(128)]
FADER = [control(7, value % 128) for value in range(300)]
PANIC = [control(which, 0, channel) for channel in range(16) for which in (120, 123)]
BURSTS = st.sampled_from([SWEEP, FADER, PANIC]).map(
    lambda burst: Move("play", ([(0.0005 * i, message) for i, message in enumerate(burst)],))
)
SEQUENCES = st.builds(
    lambda pitches, ms: Move(
        "play",
        (
            [
                (i * ms / 1000 + late, message)
                for i in range(40)
                for late, message in (
                    (0.0, note_on(pitches[i % len(pitches)])),
                    (ms / 2000, note_off(pitches[i % len(pitches)])),
                )
            ],
        ),
    ),
    st.lists(PITCHES, min_size=1, max_size=4),
    st.integers(20, 400),
)
PLAYED = st.lists(
    st.one_of(
        moves("tap", PITCHES, st.integers(0, 300), st.integers(1, 127)),
        moves("wait", st.sampled_from([0, 40, 100, 700, 1500, 3000])),
        moves("receive", MESSAGES),
        moves("echo", st.sampled_from([0, 1, 30])),
        SEQUENCES,
        BURSTS,
    ),
    max_size=6,
)
LOOPED = st.lists(
    st.one_of(
        moves("tap", PITCHES, st.integers(0, 300), st.integers(1, 127)),
        moves("wait", st.sampled_from([0, 40, 100, 700, 1500, 3000])),
    ),
    max_size=6,
)
MODE_TABLE = st.sampled_from(
    [("steering.mode=listen",), (), ("steering.mode=duet",), ("ports.reply_channel=3",)]
)
LATENCIES = st.sampled_from([0.0, 0.001, 0.005, 0.03, 0.1, 0.25, 0.45, 0.6])


def play(session: Session, performance: list[Move]) -> None:
    for move in performance:
        move(session)


@limits(max_examples=limits().max_examples // 2)
@given(PLAYED, MODE_TABLE)
def test_without_a_loop_every_key_is_passed_and_nothing_else_is_sent(
    performance: list[Move], ways: tuple[str, ...]
) -> None:
    session = Cable(FoldingModel(), settings(*QUICK, *ways))
    play(session, performance)
    session.wait(100)
    assert session.lines == []
    assert notes(session.passed) == notes(session.received)
    assert not [m for m in notes(session.passed) if m not in session.received]


@limits(max_examples=limits().max_examples // 3)
@given(LOOPED, MODE_TABLE, LATENCIES, st.sampled_from([0.0, 0.01]), st.sampled_from([None, 0, 9]))
def test_a_loop_never_runs_away_and_is_forgotten_when_it_is_gone(
    performance: list[Move],
    ways: tuple[str, ...],
    latency: float,
    jitter: float,
    moved: int | None,
) -> None:
    session = Cable(FoldingModel(), settings(*QUICK, *ways), latency=latency, jitter=jitter,
                    moves=moved, plugged=True)  # fmt: skip
    session.tap(72, 50, 99)
    session.wait(12_000)
    session.set("gate", False)
    session.wait(12_000)
    count = len(session.log)
    session.wait(10_000)
    assert len(session.log) == count, "it goes round for ever"
    owners = Counter(owner for _, owner, _ in session.log)
    assert owners[PERFORMER] <= 4 * (MOST_ROUNDS + 2) * (owners[None] + owners[MODEL])
    session.plugged = False
    session.coming.clear()
    for pitch in (40, 41, 40, 40, 43):
        before = len(notes(session.passed))
        session.tap(pitch, 100)
        session.wait(300)
        assert len(notes(session.passed)) == before + 1


@pytest.mark.parametrize("latency", [0.0, 0.001, 0.03, 0.15, 0.4, 0.6])
def test_a_key_that_goes_round_does_so_a_few_times(latency: float) -> None:
    session = Cable(FoldingModel(), settings("steering.mode=listen"), latency=latency, plugged=True)
    session.tap(60, 10)
    session.wait(15_000)
    assert 2 <= len(notes(session.passed)) <= MOST_ROUNDS + 2
    assert session.echoes.latency == pytest.approx(latency, abs=0.01)
    assert len(session.lines) == 1
    assert not session.sounding(deaf=True)
    session.tap(64, 10)
    session.wait(3000)
    assert notes(session.passed).count(note_on(64)) == 1
    session.plugged = False
    session.coming.clear()
    for pitch in range(70, 70 + LOST + 1):
        session.tap(pitch, 10)
        session.wait(1000)
    assert session.echoes.latency is None
    assert len(session.lines) == 2


@pytest.mark.slow
@pytest.mark.parametrize("latency", [0.0, 0.002, 0.01])
def test_a_loop_that_is_very_uneven_is_no_flood(latency: float) -> None:
    """As on a machine that is out of breath: by 50 ms, where 20 are even."""
    session = Cable(FoldingModel(), settings("steering.mode=listen"), latency=latency, jitter=0.05,
                    plugged=True)  # fmt: skip
    for pitch in (60, 64, 67, 72):
        session.tap(pitch, 10)
    session.wait(10_000)
    on_the_wire = len(notes(session.passed))
    assert on_the_wire < 4 * 12 * FLOOD
    session.plugged = False  # what is on its way still comes
    session.wait(2000)
    on_the_wire = len(notes(session.passed))
    session.tap(60, 10)
    session.wait(500)
    assert len(notes(session.passed)) == on_the_wire + 1


def test_without_the_filter_there_is_a_storm() -> None:
    session = Cable(FoldingModel(), settings("steering.mode=listen"), plugged=True)
    session.echoes.enabled = False
    session.tap(60, 10)
    session.wait(15_000)
    assert len(notes(session.passed)) > 100


def test_a_reply_that_comes_back_does_not_interrupt_it_for_ever() -> None:
    """Also where nothing is passed thru, so that nothing goes round."""
    session = Cable(FoldingModel(), settings(*QUICK, "ports.thru=false"), plugged=True)
    session.tap(60, 100)
    session.wait(20_000)
    assert session.echoes.latency == pytest.approx(0.1, abs=0.01)


def test_a_panic_does_not_call_for_the_next_one() -> None:
    for latency in (0.0, 0.08, 0.4):
        session = Cable(FoldingModel(), settings(), latency=latency, plugged=True)
        session.receive(control(120, 0))
        session.wait(5000)
        assert [m for _, m in session.replies].count(control(120, 0)) == 1


def case(name: str, *lines: str) -> Cable:
    """A case from the field, played."""
    about = json.loads((CASES / f"{name}.json").read_text())
    performance: list[Timed] = [(at, bytes.fromhex(message)) for at, message in about["in"]]
    session = Cable(FoldingModel(), settings(*lines))
    session.play(performance)
    session.wait(1000)
    return session


@pytest.mark.parametrize(
    "name", ["panic-sweep-false-loop", "probe-keys-false-loop", "probe-keys-lost-key"]
)
def test_what_was_taken_for_a_loop_goes_thru(name: str) -> None:
    session = case(name, "steering.mode=listen")
    assert session.lines == []
    assert session.passed == session.received


def test_a_key_struck_twice_and_all_notes_off_leaves_no_voice() -> None:
    session = Session(FoldingModel(), settings("steering.mode=solo"))
    session.wait(2500)
    for message in (note_on(40), note_on(40), note_off(40)):
        session.receive(message)
        session.wait(20)
    session.receive(control(123, 0))
    assert (0, 40) not in session.sounding(deaf=True)


def test_a_daw_that_resets_all_channels_and_starts_silences_once_and_solo_plays_on() -> None:
    session = Session(FoldingModel(), settings("steering.mode=solo"))
    session.wait(3000)
    before = len(session.log)
    for message in PANIC:
        session.receive(message)
    assert len(session.log) - before < 200
    assert session.player.rests
    session.receive(b"\xfa")
    session.wait(2000)
    assert not session.player.rests
    assert [m for t, m in session.replies if t > 3.1 and m in notes([m])]


def test_a_panic_after_a_pedal_is_obeyed_again() -> None:
    session = Session(FoldingModel(), settings())
    for _ in range(2):
        session.receive(pedal(True))
        session.receive(control(120, 0))
        assert session.replies[-1][1] == control(120, 0, 15)
        session.log.clear()


def test_the_old_name_of_the_setting_is_accepted(capsys: pytest.CaptureFixture[str]) -> None:
    assert not load_settings(None, ["ports.loop_guard=false"]).ports.echo_filter
    assert "ports.loop_guard is now called ports.echo_filter" in capsys.readouterr().err


@given(st.lists(st.tuples(st.booleans(), MESSAGES, st.floats(0, 0.3)), max_size=60))
def test_whatever_comes_it_does_not_raise_and_forgets(rows: list[tuple[Any, ...]]) -> None:
    echoes, now = EchoFilter(lambda line: None), 0.0
    for goes_out, message, wait in rows:
        now += wait
        if goes_out:
            echoes.sent(now, message, True)
        else:
            echoes.take(now, message)
        echoes.release(now)
    echoes.sent(now + 10, note_on(1), True)
    assert len(echoes._sent) == 1
    assert len(echoes._alike) == 1
