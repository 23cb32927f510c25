"""Its own output coming back: proved, then ignored, whatever the loop's length; and no performer is
ever taken for an echo."""

import heapq
from collections import Counter
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st
from segued.routing.active_notes import GUARD, MODEL, PERFORMER
from segued.routing.loop_guard import ASK_AGAIN, MOST_ROUNDS, PROVE_AGAIN, LoopGuard
from segued.routing.loop_path import LONGEST, PAIRS, PROBE_VELOCITY

from .fakes import FoldingModel, Loop, Session, control, note_off, note_on, pedal, settings
from .performers import MESSAGES, STEERED, Move, moves

QUICK = ("turns.silence=0.3", "turns.reply_length=2")
PITCHES = st.sampled_from([60, 62, 64, 67])
TAPS = moves("tap", PITCHES, st.integers(0, 300), st.integers(1, 127))
PLAYED = st.lists(
    st.one_of(
        TAPS,
        TAPS,
        moves("wait", st.sampled_from([0, 40, 100, 700, 1500, 3000])),
        moves("receive", st.builds(pedal, st.booleans())),
        moves("receive", MESSAGES),
        st.just(Move("await_note", ())),
    ),
    max_size=12,
)
LATENCIES = st.one_of(st.integers(0, 500), st.sampled_from([0, 1, 3, 20, 500]))
WAYS = st.sampled_from(
    [
        (),
        (),
        ("steering.mode=duet",),
        ("steering.mode=solo",),
        ("steering.mode=listen",),
        ("ports.reply_channel=3",),
    ]
)


def play(session: Session, performance: list[Move]) -> Session:
    for move in performance:
        move(session)
    return session


def notes(messages: list[bytes]) -> list[bytes]:
    return [m for m in messages if m[0] & 0xF0 == 0x90 and m[2]]


# --- no performer is an echo


@dataclass
class Mirror(Loop):
    """A performer who plays all that sounds once more, `latency` later to the millisecond."""

    most: int = 100

    def _send(self, owner: int, message: bytes) -> None:
        before = len(self.coming)
        super()._send(owner, message)
        if len(self.coming) > before and (owner == GUARD or self.most < self.echoes):
            self.coming = [row for row in self.coming if row[1] != self.echoes]
            heapq.heapify(self.coming)

    def _tick(self) -> None:
        while self.coming and self.coming[0][0] <= self.now:
            self.receive(heapq.heappop(self.coming)[2])
        self.player.tick(self.now)
        self.think()


@pytest.mark.slow
@given(PLAYED, LATENCIES, WAYS, st.sampled_from([0, 5, 40]))
def test_who_plays_what_the_model_plays_never_loses_a_key(
    performance: list[Move], ms: int, ways: tuple[str, ...], jitter: int
) -> None:
    """Same pitch, same velocity, at any delay, however even: nothing but a probe is a proof."""
    session = Mirror(
        FoldingModel(), settings(*QUICK, *ways), latency=ms / 1000, jitter=jitter / 1000
    )
    play(session, performance)
    session.wait(3000)
    assert session.known is None
    assert notes(session.passed) == notes(session.received)


@given(STEERED)
def test_the_guard_changes_nothing_for_who_plays_without_a_loop(performance: list[Move]) -> None:
    """However short the notes and however often the same: but for what it asks on the wire."""
    guarded = play(Session(FoldingModel(), settings(*QUICK)), performance)
    free = play(Session(FoldingModel(), settings(*QUICK, "ports.loop_guard=false")), performance)
    assert played(guarded) == free.log
    assert guarded.heard == free.heard


@pytest.mark.slow
def test_a_sequencer_of_even_notes_is_asked_about_now_and_then() -> None:
    """Sixteenths of one pitch and one velocity, exactly even, for a minute."""
    session = Session(FoldingModel(), settings())
    for _ in range(484):
        session.tap(60, 60)
        session.wait(64)
    assert len(session.passed) == 968
    probes = [row for row in session.log if row[1] == GUARD]
    assert 2 <= len(probes) / 2 <= 2 * 60 / ASK_AGAIN


def test_a_layered_keyboard_that_sends_on_two_channels_is_no_echo() -> None:
    session = Session(FoldingModel(), settings())
    messages = [note_on(60), note_on(60, channel=1), note_off(60), note_off(60, channel=1)]
    for message in messages:
        session.receive(message)
    assert session.passed == messages


def test_a_panic_is_obeyed_if_anything_began_since_the_last_one() -> None:
    session = Session(FoldingModel(), settings())
    for _ in range(3):
        session.receive(note_on(60))
        session.wait(10)
        session.receive(control(120, 0))
        assert not session.player.active.of(PERFORMER)
        assert not session.player.turns._held
        session.wait(10)


@given(st.integers(0, 500), st.integers(-30, 30))
def test_a_panic_is_obeyed_where_a_loop_was_proved_too(ms: int, off: int) -> None:
    """Whenever it comes after the last one, be it just when that one's echo would."""
    session = proved(ms, 0, None)
    session.plugged = False  # nor is there an echo to help
    session.receive(control(120, 0))
    session.tap(60, max(0, ms + off))
    session.receive(note_on(62))
    session.receive(control(120, 0))
    session.wait(0)
    assert not session.player.active.of(PERFORMER)
    assert not session.player.turns._held
    assert not session.sounding()


def test_where_a_loop_was_proved_a_panic_ends_what_the_model_does() -> None:
    session = proved(100, 0, None, "steering.mode=solo")
    session.wait(2000)
    session.receive(control(120, 0))
    assert session.player.rests
    session.plugged = False
    session.coming.clear()
    session.wait(80)
    session.tap(60, 20)
    assert session.player.replying
    session.receive(control(120, 0))
    session.wait(0)
    assert session.player.rests
    assert not session.sounding()


def test_a_pedal_up_that_was_taken_for_an_echo_is_made_up_for() -> None:
    session = proved(0, 0, None)
    session.plugged = False
    session.receive(pedal(False))
    session.receive(pedal(True))
    session.tap(60, 1)
    session.receive(pedal(False))
    assert session.sounding()
    session.wait(3000)
    assert not session.sounding()
    assert [m for m in session.passed if m[1] == 64][-1] != pedal(False), "else it shows nothing"


def test_the_pedal_is_lifted_however_soon_after_a_panic() -> None:
    session = Session(FoldingModel(), settings())
    session.receive(control(120, 0))
    session.receive(pedal(True))
    session.wait(20)
    session.receive(pedal(False))
    assert session.passed[-2:] == [pedal(True), pedal(False)]


# --- a loop


@given(PLAYED, LATENCIES, st.integers(0, 20), WAYS, st.sampled_from([None, None, 0, 9]))
def test_a_loop_never_runs_away(
    performance: list[Move], ms: int, jitter: int, ways: tuple[str, ...], moved: int | None
) -> None:
    """Whatever is played into it, from the first note on: there is not much more on the wire than
    what was played, and what is heard twice."""
    session = Loop(
        FoldingModel(),
        settings(*QUICK, *ways, "turns.alone=3"),
        latency=ms / 1000,
        jitter=jitter / 1000,
        moves=moved,
    )
    play(session, performance)
    session.set("gate", False)
    session.wait(2000)
    count = len(session.log)
    session.wait(10_000)
    assert len(session.log) == count
    by = Counter(owner for _, owner, _ in session.log)
    assert by[PERFORMER] <= 4 * (by[None] + by[MODEL])


def storm(session: Loop, pitch: int = 60) -> int:
    """How often a single short tap came out, ten seconds later."""
    session.tap(pitch, 50)
    session.wait(10_000)
    return len([m for m in session.passed if m == note_on(pitch)])


@pytest.mark.parametrize("ms", [0, 1, 5, 60, 150, 333, 450, 500])
def test_a_storm_is_cut_after_one_round(ms: int) -> None:
    session = Loop(FoldingModel(), settings("steering.mode=listen"), latency=ms / 1000)
    assert storm(session) == 2
    assert storm(session, 64) == 1


def test_without_the_guard_there_is_a_storm() -> None:
    lines = ("steering.mode=listen", "ports.loop_guard=false")
    session = Loop(FoldingModel(), settings(*lines), latency=0.15)
    assert storm(session) > 50


@pytest.mark.parametrize("ms", [1, 30, 400])
def test_a_loop_that_is_made_just_after_an_innocent_likeness_goes_round_a_few_times(
    ms: int,
) -> None:
    session = Loop(FoldingModel(), settings("steering.mode=listen"), latency=ms / 1000)
    session.plugged = False
    for _ in range(2):
        session.tap(60, 100)
    session.plugged = True
    assert storm(session, 62) <= 2 + MOST_ROUNDS


def played(session: Session) -> list[tuple[float, int | None, bytes]]:
    """All that happened, but for the guard's questions."""
    return [row for row in session.log if row[1] != GUARD]


def proved(ms: int, jitter: int, moved: int | None, *lines: str) -> Loop:
    """A session in a loop that it knows of, and a log that begins there."""
    session = Loop(
        FoldingModel(),
        settings(*QUICK, *lines),
        latency=ms / 1000,
        jitter=jitter / 1000,
        moves=moved,
    )
    session.set("gate", False)
    session.receive(control(11, 100))
    session.wait(3000)
    assert session.known == pytest.approx(ms / 1000, abs=0.002 + jitter / 500)
    session.log.clear()
    session.set("gate", True)
    return session


ALL_DIFFERENT = st.lists(
    st.one_of(
        st.tuples(st.integers(0, 300), st.integers(0, 100)),
        st.tuples(st.integers(0, 300), st.sampled_from([0, 700, 1500, 3000])),
    ),
    max_size=8,
)
"""Milliseconds of notes and of what follows them, no two of which are of one pitch."""


@pytest.mark.slow
@given(ALL_DIFFERENT, LATENCIES, st.integers(0, 20), WAYS, st.sampled_from([None, None, 0, 9]))
def test_once_a_loop_is_proved_it_changes_nothing(
    durations: list[tuple[int, int]], ms: int, jitter: int, ways: tuple[str, ...], moved: int | None
) -> None:
    """What is sent and what is remembered is what it is without one, where nobody says the same as
    what is on its way back: the model plays other keys."""
    ways = (*ways, "sampling.lowest_pitch=60")
    looped = proved(ms, jitter, moved, *ways)
    alone = Session(FoldingModel(), settings(*QUICK, *ways))
    alone.set("gate", False)
    alone.receive(control(11, 100))
    alone.wait(3000)
    alone.log.clear()
    alone.set("gate", True)
    for i, (note, rest) in enumerate(durations):
        for session in (looped, alone):
            session.tap(40 + i, note)
            session.wait(rest)
    for session in (looped, alone):
        session.wait(2000)
    assert played(looped) == played(alone)
    assert looped.heard == alone.heard
    assert len([line for line in looped.player.notices if "comes back" in line]) == 1


def let_go(session: Session) -> None:
    """All keys and pedals of the performer's are let go, and the model falls silent."""
    session.set("gate", False)
    for message in notes(session.received):
        session.receive(note_off(message[1], channel=message[0] & 0x0F))
        session.wait(1)
    for channel in range(3):
        session.receive(pedal(False, channel))
    session.wait(3000)


@given(PLAYED, LATENCIES, st.integers(0, 20), WAYS, st.sampled_from([None, None, 0, 9]))
def test_once_a_loop_is_proved_each_key_is_heard_once_and_none_hangs(
    performance: list[Move], ms: int, jitter: int, ways: tuple[str, ...], moved: int | None
) -> None:
    """Also keys that say the same as what is on its way back: then one comes in the other's
    place."""
    session = play(proved(ms, jitter, moved, *ways), performance)
    let_go(session)
    assert Counter(notes(session.passed)) == Counter(notes(session.received))
    assert not session.sounding()


@given(PLAYED, LATENCIES, st.integers(0, 12), WAYS)
def test_when_the_loop_is_taken_away_nothing_hangs_and_the_performer_is_heard(
    performance: list[Move], ms: int, when: int, ways: tuple[str, ...]
) -> None:
    session = proved(ms, 0, None, *ways)
    for i, move in enumerate([*performance, Move("wait", (0,))]):
        if i == min(when, len(performance)):
            session.plugged = False
            session.coming.clear()
        move(session)
    let_go(session)
    assert not session.sounding()
    for _ in range(2):  # what was asked just before it was taken away was answered
        for channel in range(3):
            session.tap(70, 10, channel=channel)
        session.wait(2000)
    paths = session.player._guard._paths  # one for each channel; none is lost where nothing is sent
    assert ways or not {path.channel for path in paths} & {0, 1, 2}
    count = len(session.passed)
    for velocity in (33, 33, 34):
        session.tap(71, 100, velocity)
        session.wait(ms)
    assert len(session.passed) == count + 6


@given(PLAYED, LATENCIES, st.integers(0, 12), WAYS)
def test_when_a_loop_is_made_nothing_hangs(
    performance: list[Move], ms: int, when: int, ways: tuple[str, ...]
) -> None:
    session = Loop(FoldingModel(), settings(*QUICK, *ways), latency=ms / 1000, plugged=False)
    for i, move in enumerate(performance):
        session.plugged = i >= when
        move(session)
    session.plugged = True
    let_go(session)
    assert not session.sounding()


@pytest.mark.parametrize("latencies", [(0.003, 0.4), (0.15, 0.3), (0.02, 0.021)])
def test_a_loop_of_two_ways_is_cut_on_both(latencies: tuple[float, float]) -> None:
    """Two programs that both connect what they see, say."""

    class Twice(Loop):
        def _send(self, owner: int, message: bytes) -> None:
            super()._send(owner, message)
            self.latency, self.echoes = latencies[1], self.echoes
            late = (self.now + latencies[1], self.echoes + 100_000, message)
            heapq.heappush(self.coming, late)
            self.latency = latencies[0]

    session = Twice(FoldingModel(), settings("steering.mode=listen"), latency=latencies[0])
    assert storm(session) <= 8
    for pitch in range(61, 70):
        assert storm(session, pitch) == 1


def test_a_panic_does_not_call_for_the_next_one() -> None:
    for ms in (0, 3, 80, 400):
        session = Loop(FoldingModel(), settings(), latency=ms / 1000)
        session.receive(control(120, 0))
        session.wait(5000)
        panics = [m for _, m in session.replies if m == control(120, 0)]
        assert len(panics) == 1


# --- the guard alone


def questioned(guard: LoopGuard, now: float, channel: int = 0) -> list[bytes]:
    """A likeness, and what the guard asks."""
    guard.sent(now, note_on(60, 100, channel), set())
    assert not guard.echo(now, note_on(60, 100, channel))
    assert guard.look(now)
    return guard.questions(now, set())


def test_it_says_when_a_loop_comes_and_when_it_goes() -> None:
    said: list[str] = []
    guard = LoopGuard(said.append)
    first, second = questioned(guard, 1.0)
    assert guard.echo(1.1, first)
    assert guard.latency is None
    assert guard.echo(1.1, second)
    assert guard.latency == pytest.approx(0.1)
    assert guard.alarm
    guard.alarm = False
    assert len(guard.sent(3.0, note_on(61), set())) == 2
    assert not guard.look(3.2)
    assert guard.latency is None
    assert [line.partition(" into ")[0] for line in said] == [
        "its own output comes back",
        "its own output no longer comes back",
    ]


def test_half_a_probe_proves_nothing_nor_does_one_of_which_a_key_is_held() -> None:
    guard = LoopGuard(lambda line: None)
    first, second = questioned(guard, 0.0)
    for _ in range(5):
        assert guard.echo(0.1, first)
    guard.echo(0.2, note_on(second[1]))
    assert not guard.echo(0.3, second)
    assert guard.latency is None


def test_a_probe_is_of_keys_that_nobody_holds() -> None:
    guard = LoopGuard(lambda line: None)
    guard.echo(0.0, note_on(PAIRS[0][0], 1))
    guard.sent(0.0, note_on(60), set())
    guard.echo(0.0, note_on(60))
    messages = guard.questions(0.0, {(0, PAIRS[1][1]), (1, PAIRS[2][0])})
    assert [message[1] for message in messages] == [*PAIRS[2]]
    assert {message[0::2] for message in messages} == {bytes((0x80, PROBE_VELOCITY))}


def test_a_path_that_is_in_use_is_proved_again_and_again() -> None:
    guard = LoopGuard(lambda line: None)
    for message in questioned(guard, 0.0):
        guard.echo(0.01, message)
    guard.alarm = False
    asked = 0
    for i in range(1, 101):
        now = i / 10
        questions = guard.sent(now, note_on(60, i), set())
        asked += bool(questions)
        for message in [*questions, note_on(60, i)]:
            assert guard.echo(now + 0.01, message)
    assert asked == pytest.approx(10 / PROVE_AGAIN, abs=1)
    assert guard.latency is not None


def test_a_note_off_that_may_have_been_the_performers_is_made_good() -> None:
    """It holds the key that the model has just let go of, in a loop, and lets go when that would
    come back; but the cable was pulled meanwhile."""
    guard = LoopGuard(lambda line: None)
    for message in questioned(guard, 0.0):
        guard.echo(0.1, message)
    guard.alarm = False
    for message in [*guard.sent(1.0, note_on(50), set()), note_on(50)]:
        assert guard.echo(1.1, message)
    guard.sent(1.5, note_off(50), set())
    assert not guard.echo(1.5, note_on(50, 7))
    assert guard.echo(1.6, note_off(50))
    assert guard.look(1.6)
    assert guard.questions(1.6, set())
    while not guard.alarm:
        assert guard.next_due is not None
        guard.look(guard.next_due)


@given(
    st.lists(
        st.tuples(
            st.booleans(),
            st.sampled_from([0x80, 0x90, 0xA0, 0xB0, 0xC0, 0xD0, 0xE0]),
            st.integers(0, 2),
            st.sampled_from([0, 1, 2, 3, 60, 64, 120, 127]),
            st.floats(0, 0.3),
        ),
        max_size=60,
    )
)
def test_whatever_comes_it_does_not_raise_and_forgets(rows: list[tuple]) -> None:
    guard, now = LoopGuard(lambda line: None), 0.0
    for goes_out, kind, channel, data, wait in rows:
        now += wait
        message = bytes((kind | channel, data, 64)[: 2 if kind in (0xC0, 0xD0) else 3])
        if goes_out:
            guard.sent(now, message, set())
        else:
            guard.echo(now, message)
        if guard.look(now):
            guard.questions(now, set())
    guard.sent(now + 4 * LONGEST, note_on(1), set())
    assert len(list(guard._sent)) == 1
    assert len(guard._sent._alike) == 1
