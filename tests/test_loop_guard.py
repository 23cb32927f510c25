"""Its own output coming back: ignored, whatever the loop's length; and no performer is taken for
an echo."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.routing.active_notes import MODEL, PERFORMER
from daemon.routing.loop_guard import ASK_AGAIN, BOUND, MISSING, QUICK, LoopGuard
from daemon.settings.config import Config
from daemon.settings.config_file import load

from .fakes import FoldingModel, Loop, Session, control, note_off, note_on, pedal
from .performers import Move, moves


def on(*lines: str) -> Config:
    """Settings with the guard on, as they are shipped."""
    return load(None, lines)


def sent(session: Session) -> list[tuple[float, int | None, bytes]]:
    """All that went out, but the guard's probes."""
    return [row for row in session.log if row[1] is not None and row[2] != b"\x8f\x00\x40"]


PITCHES = st.sampled_from([60, 62, 64, 67])
TAPS = moves("tap", PITCHES, st.integers(40, 300), st.integers(1, 127))
PLAYED = st.lists(
    st.one_of(
        TAPS,
        TAPS,
        moves("wait", st.sampled_from([40, 100, 700, 1500, 3000])),
        moves("receive", st.builds(pedal, st.booleans())),
        st.just(Move("await_note", ())),
    ),
    max_size=12,
)
QUICK_ONE = ("turns.silence=0.3", "turns.reply_length=2")


def play(session: Session, performance: list[Move]) -> Session:
    """With a breath after each move, longer than what a hand can do in no time at all."""
    for move in performance:
        move(session)
        session.wait(50)
    session.wait(3000)
    return session


@given(PLAYED, st.integers(1, 29), st.sampled_from([None, None, 0]))
def test_a_loop_as_cables_and_daws_make_it_changes_nothing(
    performance: list[Move], ms: int, moved: int | None
) -> None:
    alone = play(Session(FoldingModel(), on(*QUICK_ONE)), performance)
    looped = play(Loop(FoldingModel(), on(*QUICK_ONE), latency=ms / 1000, moves=moved), performance)
    assert sent(looped) == sent(alone)
    assert looped.heard == alone.heard


@given(PLAYED, st.integers(1, 480), st.sampled_from([None, 0, 9]))
def test_what_the_model_plays_is_known_at_any_latency_and_on_any_channel(
    performance: list[Move], ms: int, moved: int | None
) -> None:
    lines = (*QUICK_ONE, "ports.thru=false", "ports.reply_channel=3")
    alone = play(Session(FoldingModel(), on(*lines)), performance)
    looped = play(Loop(FoldingModel(), on(*lines), latency=ms / 1000, moves=moved), performance)
    assert sent(looped) == sent(alone)
    assert looped.heard == alone.heard


@pytest.mark.parametrize("latency", [0.001, 0.012, 0.08, 0.25, 0.45])
@pytest.mark.parametrize("jitter", [0.0, 0.003])
def test_once_a_loop_is_known_nothing_of_what_is_played_comes_round_again(
    latency: float, jitter: float
) -> None:
    looped = Loop(FoldingModel(), on(*QUICK_ONE), latency=latency, jitter=jitter, plugged=False)
    looped.tap(60, 100)
    looped.wait(500)
    looped.plugged = True
    looped.wait(4000)  # it hears its own reply come back
    assert looped.known == pytest.approx(latency, abs=0.005)
    assert len([line for line in looped.player.notices if "comes back" in line]) == 1
    before = len(looped.passed)
    for i in range(20):
        looped.tap(60 + i % 7, 60, velocity=40 + i)
        looped.wait(90)
    assert len(looped.passed) == before + 40


def storm(session: Loop, pitch: int = 60) -> int:
    """How often a single short tap came out, ten seconds later."""
    session.tap(pitch, 50)
    session.wait(10_000)
    return len([m for m in session.passed if m == note_on(pitch)])


@pytest.mark.parametrize("ms", [5, 60, 150, 333, 450])
def test_a_storm_is_cut(ms: int) -> None:
    """In a long loop without any reply of the model's: the guard asks, and then knows."""
    session = Loop(FoldingModel(), on("steering.mode=listen"), latency=ms / 1000)
    assert storm(session) <= (1 if ms < 1000 * QUICK else 6)
    assert storm(session, 64) == 1


def test_without_the_guard_there_is_a_storm() -> None:
    session = Loop(
        FoldingModel(), on("steering.mode=listen", "ports.loop_guard=false"), latency=0.15
    )
    assert storm(session) > 50


def test_a_panic_does_not_call_for_the_next_one() -> None:
    for ms in (3, 80, 400):
        session = Loop(FoldingModel(), on(), latency=ms / 1000)
        session.receive(control(120, 0))
        session.wait(5000)
        panics = [m for _, m in session.replies if m == control(120, 0)]
        assert len(panics) == 1


# --- no performer is an echo


def test_a_sequencer_of_even_notes_is_no_echo() -> None:
    """Sixteenths of one pitch and one velocity, exactly even: it asks once, and goes on."""
    session = Session(FoldingModel(), on())
    for _ in range(40):
        session.tap(60, 60)
        session.wait(64)
    assert len(session.passed) == 80
    assert len([row for row in session.log if row[2] == b"\x8f\x00\x40"]) <= 1


@given(
    st.lists(
        moves("tap", PITCHES, st.integers(31, 200), st.sampled_from([64, 127]), st.integers(0, 1)),
        max_size=30,
    )
)
def test_a_keyboard_of_few_velocities_is_heard_to_the_last_note(performance: list[Move]) -> None:
    session = Session(FoldingModel(), on("steering.mode=listen"))
    for move in performance:
        move(session)
    assert session.passed == session.received


def test_a_layered_keyboard_that_sends_on_two_channels_is_no_echo() -> None:
    session = Session(FoldingModel(), on())
    messages = [note_on(60), note_on(60, channel=1), note_off(60), note_off(60, channel=1)]
    for message in messages:
        session.receive(message)
    assert session.passed == messages


def test_a_panic_is_obeyed_if_anything_began_since_the_last_one() -> None:
    session = Session(FoldingModel(), on())
    for _ in range(3):
        session.receive(note_on(60))
        session.wait(10)
        session.receive(control(120, 0))
        assert not session.player.active.of(PERFORMER)
        assert not session.player.turns._held
        session.wait(10)


def test_the_pedal_is_lifted_however_soon_after_a_panic() -> None:
    session = Session(FoldingModel(), on())
    session.receive(control(120, 0))
    session.receive(pedal(True))
    session.wait(20)
    session.receive(pedal(False))
    assert session.passed[-2:] == [pedal(True), pedal(False)]


def test_who_plays_what_the_model_plays_is_heard() -> None:
    """The same pitch at once, but for the very same velocity."""
    session = Session(FoldingModel(), on("turns.reply_length=endless"))
    session.tap(60, 100)
    session.await_note()
    pitch, velocity = session.replies[-1][1][1:]
    session.receive(note_on(pitch, velocity - 1))
    assert session.passed[-1] == note_on(pitch, velocity - 1)
    session.wait(100)
    session.receive(note_off(pitch))
    assert session.passed[-1] == note_off(pitch)


@given(PLAYED, st.integers(1, 480), st.integers(0, 12))
def test_when_the_loop_is_taken_away_the_performer_is_still_heard_and_nothing_hangs(
    performance: list[Move], ms: int, after: int
) -> None:
    session = Loop(FoldingModel(), on(*QUICK_ONE), latency=ms / 1000)
    for i, move in enumerate(performance):
        session.plugged = session.plugged and i != after
        move(session)
        session.wait(50)
    session.plugged = False
    session.wait(1000)
    session.coming.clear()
    count = len(session.passed)
    session.receive(note_on(71, 33))
    session.receive(note_off(71))
    assert session.passed[count:] == [note_on(71, 33), note_off(71)]
    session.receive(pedal(False))
    session.silence()
    assert not session.sounding()


# --- the guard alone


def test_it_says_when_a_loop_comes_and_when_it_goes() -> None:
    said: list[str] = []
    guard = LoopGuard(said.append)
    for i in range(3):
        guard.sent(i, MODEL, note_on(60, 20 + i))
        assert guard.echo(i + 0.1, note_on(60, 20 + i))
    assert guard.latency == pytest.approx(0.1)
    for i in range(MISSING + 1):
        guard.sent(10 + i, MODEL, note_on(60))
    assert guard.latency is None
    assert [line.partition(" ")[2][:20] for line in said] == [
        "own output comes back",
        "own output no longer",
    ] or len(said) == 2


def test_a_probe_that_does_not_return_is_not_repeated_soon() -> None:
    guard = LoopGuard(lambda line: None)
    asked = []
    for i in range(4000):
        now = i * 0.1
        guard.echo(now, note_on(60))
        guard.sent(now, PERFORMER, note_on(60))
        if guard.probe(now):
            asked.append(now)
    assert asked[0] < 1.0
    distances = [b - a for a, b in pairwise(asked)]
    assert distances[0] >= ASK_AGAIN
    assert all(b >= 1.9 * a for a, b in pairwise(distances))


@given(
    st.lists(
        st.tuples(
            st.booleans(),
            st.sampled_from([MODEL, PERFORMER]),
            st.sampled_from([0x80, 0x90, 0xA0, 0xB0, 0xC0, 0xD0, 0xE0]),
            st.integers(0, 2),
            st.sampled_from([0, 60, 64, 120, 127]),
            st.floats(0, 0.3),
        ),
        max_size=60,
    )
)
def test_whatever_comes_it_does_not_raise_and_forgets(rows: list[tuple]) -> None:
    guard, now = LoopGuard(lambda line: None), 0.0
    for goes_out, owner, kind, channel, data, wait in rows:
        now += wait
        message = bytes((kind | channel, data, 64)[: 2 if kind in (0xC0, 0xD0) else 3])
        if goes_out:
            guard.sent(now, owner, message)
        else:
            guard.echo(now, message)
        guard.probe(now)
    guard.sent(now + 2 * BOUND, MODEL, note_on(1))
    assert len(guard._sent) == 1
    assert len(guard._alike) == 1
