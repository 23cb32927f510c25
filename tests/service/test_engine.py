"""The real-time loop with a transport that remembers and a clock that jumps."""

import gc
from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise
from typing import Any

import pytest
from segued.arrays import Floats
from segued.player.player import Player
from segued.service.engine import LONGEST_CHORD, Engine
from segued.service.state_numbers import NUMBERS
from segued.service.state_snapshot import Snapshot

from tests.support.fakes import FoldingModel, control, note_off, note_on, pedal, settings


class Clock:
    """Time moves only when somebody waits."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class MemoryTransport:
    """Delivers timed messages, remembers what is sent, and stops the engine at the end."""

    name = "memory"
    backend = input_name = output_name = "memory"

    def __init__(self, clock: Clock, coming: list[tuple[float, bytes]], seconds: float) -> None:
        self.clock, self.coming = clock, coming
        self.sent: list[tuple[float, bytes]] = []
        self.end = clock.now + seconds
        self.start = clock.now
        self.engine: Engine | None = None
        self.dies_at = float("inf")
        self.waits: list[float] = []
        self.connected = (1, 1)
        self.welcome: Callable[[], Iterable[bytes]] = tuple

    def receive(self) -> bytes | None:
        if self.coming and self.start + self.coming[0][0] <= self.clock.now:
            return self.coming.pop(0)[1]
        return None

    def send(self, message: bytes) -> None:
        self.sent.append((self.clock.now - self.start, message))

    def wait(self, seconds: float, resting: bool = False) -> None:
        assert seconds >= 0
        self.waits.append(seconds)
        self.clock.now += max(seconds, 1e-4)
        if self.clock.now >= self.end and self.engine is not None:
            self.engine.stop()

    def alive(self) -> bool:
        return self.clock.now < self.dies_at

    def peers(self) -> tuple[int, int]:
        return self.connected

    def close(self) -> None:
        pass


def perform(
    coming: list[tuple[float, bytes]],
    seconds: float,
    *lines: str,
    model: FoldingModel | None = None,
) -> tuple[Engine, MemoryTransport]:
    clock = Clock()
    transport = MemoryTransport(clock, coming, seconds)
    config = settings(*lines)
    engine = Engine(
        transport,
        lambda send: Player(model or FoldingModel(), config, send, seed=1),
        clock,
    )
    transport.engine = engine
    return engine, transport


PHRASE = [(0.1, note_on(60)), (0.3, note_off(60))]


def test_a_phrase_is_thru_at_once_and_answered_in_time() -> None:
    engine, transport = perform(list(PHRASE), 3.0, "turns.silence=0.5", "ports.reply_channel=2")
    engine.run()
    assert [m for _, m in transport.sent[:2]] == [note_on(60), note_off(60)]
    assert transport.sent[0][0] == pytest.approx(0.1, abs=0.021)
    reply = [time for time, message in transport.sent if message[0] == 0x91]
    released = transport.sent[1][0]
    assert reply and reply[0] == pytest.approx(released + 0.5, abs=0.002)
    assert engine.lateness.at(1.0)[0] < 0.002
    assert engine.received == 2 and engine.sent == len(transport.sent)


def test_the_state_file_tells_the_tempo_that_is_heard() -> None:
    crotchets = [
        timed
        for i in range(12)
        for timed in ((0.5 * i, note_on(60)), (0.5 * i + 0.3, note_off(60)))
    ]
    engine, _ = perform(crotchets, 5.9)
    tempo = [number.name for number in NUMBERS].index("heard_tempo")
    snapshot = Snapshot()
    assert snapshot.read(engine, engine.now())[tempo : tempo + 2] == [-1.0, -1.0]
    engine.run()
    bpm, certainty = snapshot.read(engine, engine.now())[tempo : tempo + 2]
    assert bpm == pytest.approx(120.0, abs=1.0) and 0.9 < certainty <= 1.0


def test_stopping_in_the_midst_of_a_reply_closes_every_note() -> None:
    engine, transport = perform(
        [*PHRASE, (1.4, note_on(40, channel=3))], 1.5, "turns.silence=0.2",
        "turns.reply_length=endless", "ports.reply_channel=2",
    )  # fmt: skip
    engine.run()
    sounding = set()
    for _, message in transport.sent:
        key = (message[0] & 0x0F, message[1])
        if message[0] & 0xF0 == 0x90:
            sounding.add(key)
        elif message[0] & 0xF0 == 0x80:
            sounding.discard(key)
    assert not sounding
    assert {m[0] & 0x0F for _, m in transport.sent if m[0] & 0xF0 == 0xB0 and m[1] == 123} == {
        0, 1, 3,
    }  # fmt: skip


def test_an_exception_in_the_loop_closes_every_note_and_is_not_swallowed() -> None:
    class Broken(FoldingModel):
        def step(self, ids: Any, state: Any) -> Any:
            if self.steps > 12:
                raise RuntimeError("the model broke")
            return super().step(ids, state)

    engine, transport = perform(
        list(PHRASE), 5.0, "turns.silence=0.2", "turns.reply_length=endless", model=Broken()
    )
    with pytest.raises(RuntimeError, match="the model broke"):
        engine.run()
    ons = sum(m[0] & 0xF0 == 0x90 for _, m in transport.sent)
    assert ons >= 1
    assert transport.sent[-1][1][1] == 123
    assert gc.isenabled()


def test_a_dead_midi_system_ends_the_loop_within_seconds() -> None:
    engine, transport = perform([], 60.0)
    transport.dies_at = transport.start + 5.0
    engine.run()
    assert engine.lost
    assert transport.clock.now - transport.start < 6.5


def test_it_never_waits_past_what_is_due() -> None:
    engine, transport = perform(list(PHRASE), 3.0, "turns.silence=0.5")
    engine.run()
    assert max(transport.waits) <= 0.02
    assert gc.isenabled()


def test_a_burst_does_not_keep_due_notes_waiting() -> None:
    """3,000 controllers at once: what is due is looked at in between."""
    flood = [(0.9, bytes((0xB0, 1, i % 128))) for i in range(3000)]
    engine, transport = perform([*PHRASE, *flood], 2.0, "turns.silence=0.5")
    engine.run()
    assert sum(m[0] == 0xB0 and m[1] == 1 for _, m in transport.sent) == 3000


def test_a_note_off_that_a_dead_server_took_is_sent_again() -> None:
    """The server dies a moment after it was last seen, and the key comes up before that is noticed:
    to a synth that knows no all-notes-off its note sounds on."""
    engine, transport = perform([(1.0, note_on(60)), (1.3, note_off(60))], 4.0)
    transport.dies_at = transport.start + 1.2
    engine.run()
    assert engine.lost
    fresh = MemoryTransport(transport.clock, [], 0.1)
    fresh.engine = engine
    engine.connect(fresh)
    assert note_off(60) in [message for _, message in fresh.sent]


def test_what_is_sent_while_there_are_no_ports_changes_nothing_in_the_account() -> None:
    """A reload that ends keys and pedals reaches no synth: they sound until the ports are back."""
    engine, transport = perform([(0.1, note_on(60)), (0.2, pedal(True))], 4.0)
    transport.dies_at = transport.start + 1.5
    engine.run()
    assert engine.lost
    engine.disconnect()
    sounding, pedals = engine._ledger.sounding(), engine._ledger.pedals()
    assert sounding == [(0, 60, 1)] and pedals == [0]
    engine._send(0, note_off(60))
    engine._send(0, pedal(False))
    engine.idle()
    assert engine._ledger.sounding() == sounding and engine._ledger.pedals() == pedals
    fresh = MemoryTransport(transport.clock, [], 1.0)
    fresh.engine = engine
    engine.connect(fresh)
    assert fresh.sent[0][1] == note_off(60)


def test_a_new_transport_is_silenced_before_anything_else() -> None:
    engine, transport = perform([(0.1, note_on(60))], 4.0)
    transport.dies_at = transport.start + 1.5
    engine.run()
    assert engine.lost
    fresh = MemoryTransport(transport.clock, [], 1.0)
    fresh.engine = engine
    engine.connect(fresh)
    assert {m[0] & 0x0F for _, m in fresh.sent if m[1] == 120} == set(range(16))
    engine.run()
    assert not engine.lost


class TimedModel(FoldingModel):
    """Notes when it was stepped."""

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self.clock, self.times = clock, [0.0]

    def step(self, ids: Sequence[int], state: Floats) -> tuple[Floats, Floats]:
        self.times.append(self.clock.now - 100.0)
        return super().step(ids, state)


def stepped(coming: list[tuple[float, bytes]], seconds: float) -> list[float]:
    """When the model was stepped in a duet."""
    clock = Clock()
    model = TimedModel(clock)
    transport = MemoryTransport(clock, coming, seconds)
    config = settings("steering.mode=duet", "sampling.candidates=1")
    engine = Engine(transport, lambda send: Player(model, config, send, seed=1), clock)
    transport.engine = engine
    engine.run()
    return model.times


def test_within_a_chord_it_does_not_think() -> None:
    chord = [(0.5 + i * 0.0008, note_on(60 + i)) for i in range(4)]
    times = stepped([(0.1, note_on(50)), *chord], 0.6)
    began, ended = chord[0][0], chord[-1][0] + 0.0015
    assert any(0.1 < time < began for time in times)
    assert not any(began <= time < min(ended, began + LONGEST_CHORD) for time in times)
    assert any(ended < time for time in times)


@pytest.mark.parametrize(
    ("message", "expects"),
    [(note_on(60), True), (b"\xf8", False), (control(1, 64), False), (note_on(60, 0), False)],
)
def test_only_keys_are_keys_of_a_chord(message: bytes, expects: bool) -> None:
    engine, _ = perform([(0.0, message)], 1.0)
    assert engine._take_input()
    assert engine._more_to_come(0.001) == expects
    assert engine.received == 1


def test_what_was_due_at_the_time_0_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    engine, transport = perform([], 0.01)
    monkeypatch.setattr(engine.player, "next_due", lambda: 0.0)
    engine.run()
    assert {*transport.waits} == {0.0}


def test_a_flood_does_not_keep_it_from_thinking() -> None:
    keys = [(note_on, note_off)[i % 2](60 + i % 24 // 2) for i in range(400)]
    flood = [(0.5 + i * 0.001, key) for i, key in enumerate(keys)]
    times = stepped([(0.1, note_on(50)), *flood], 1.0)
    within = [0.5, *(time for time in times if 0.5 < time < 0.9), 0.9]
    assert max(after - before for before, after in pairwise(within)) < 0.1


def test_when_the_last_cable_to_the_input_is_pulled_what_it_held_comes_up() -> None:
    """Keys and the pedal; then it has its turn, and a key played later is waited for as ever."""
    held = [(0.1, note_on(60)), (0.2, note_on(64, channel=3)), (0.3, pedal(True))]
    engine, transport = perform(held, 6.0, "turns.silence=0.5", "ports.reply_channel=2")

    def pulled(now: float) -> None:
        transport.connected = (0, 1) if now > 1.0 else (2, 1) if now < 0.6 else (1, 1)

    engine._chores = pulled
    engine.run()
    lifted = [time for time, m in transport.sent if m in (note_off(60), note_off(64, channel=3))]
    assert len(lifted) == 2 and all(1.0 <= time < 1.8 for time in lifted)
    assert pedal(False) in [message for time, message in transport.sent if time < 1.8]
    replies = [time for time, message in transport.sent if message[0] == 0x91]
    assert replies[0] == pytest.approx(lifted[0] + 0.5, abs=0.01)
