"""The ways of playing and the knobs, switched while it plays: by example, then whatever happens."""

from collections.abc import Callable
from itertools import cycle
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from segued.control.knobs import BY_NAME, MODES
from segued.generation.scales import ALL, pitch_classes
from segued.player.active_notes import MODEL, PERFORMER
from segued.tokens.tokenizer import decode

from ..support.fakes import (
    FoldingModel,
    ScriptedModel,
    Session,
    note_off,
    note_on,
    pedal,
    settings,
    sounds_of,
    tokens,
    words,
)
from ..support.performers import ANY, MESSAGES, RULED, STEERED, WAITS, Move, what_sounded

FOLDING = FoldingModel()
SEEDS = st.integers(0, 9)
STEP = 0.01
THOUGHTS = st.lists(st.sampled_from([0, 0, 0, 1, 1, 2, 5, 30]), min_size=1)


def in_mode(mode: str, *lines: str, **how: Any) -> Session:
    return Session(FOLDING, settings(f"steering.mode={mode}", *lines), **how)


def scripted(script: str, *lines: str) -> Session:
    return Session(ScriptedModel(tokens(script)), settings("sampling.temperature=0", *lines))


def play(
    performance: list[Move], lines: tuple[str, ...] = (), seed: int = 0, **how: Any
) -> Session:
    session = Session(FOLDING, settings(*lines), seed, **how)
    for move in performance:
        move(session)
    return session


def onsets(session: Session) -> list[float]:
    """When the model began notes."""
    return [time for time, note in session.notes() if note.startswith("on")]


# --- duet


def test_in_a_duet_it_plays_while_the_performer_plays() -> None:
    session = in_mode("duet")
    for i in range(20):
        session.tap(60 + i % 5, 250)
        session.wait(50)
    assert len([time for time in onsets(session) if time < session.now]) > 5


def test_in_a_duet_it_does_not_begin_by_itself() -> None:
    session = in_mode("duet")
    session.wait(10_000)
    assert session.replies == []


def test_in_a_duet_it_goes_on_a_while_after_the_last_key_and_then_rests() -> None:
    session = in_mode("duet", "turns.duet_tail=3")
    session.tap(60, 200)
    session.wait(60_000)
    assert 2 < onsets(session)[-1] < 3.01
    assert not session.player.replying
    session.tap(60, 200)
    began = session.now
    session.wait(10_000)
    assert onsets(session)[-1] > began


def test_in_a_duet_the_performer_gets_the_pitch_that_the_model_holds() -> None:
    session = in_mode("duet")
    session.tap(60, 200)
    session.await_note()
    message = session.replies[-1][1]
    session.wait(30)
    session.log.clear()
    session.receive(note_on(message[1]))
    assert session.log[1] == (session.now, MODEL, note_off(message[1]))


# --- solo, listen, gate


def test_in_a_solo_it_plays_by_itself_and_is_not_stopped() -> None:
    session = in_mode("solo")
    session.wait(20_000)
    assert len(onsets(session)) > 10
    session.tap(60, 1000)
    before = len(onsets(session))
    session.wait(20_000)
    assert len(onsets(session)) > before + 10


def test_what_is_thrown_in_changes_what_follows() -> None:
    plain, other = in_mode("solo"), in_mode("solo")
    for session in (plain, other):
        session.wait(5000)
    other.tap(61, 100)
    plain.wait(100)
    for session in (plain, other):
        session.wait(5000)
    assert [n for n in plain.notes() if n[0] < 5] == [n for n in other.notes() if n[0] < 5]
    assert plain.notes() != other.notes()


@pytest.mark.parametrize("lines", [("steering.mode=listen",), ("steering.gate=false",)])
def test_listening_it_remembers_and_never_plays(lines: tuple[str, ...]) -> None:
    session = Session(FOLDING, settings(*lines))
    for _ in range(3):
        session.tap(60, 200)
        session.wait(5000)
    assert session.replies == []
    assert session.passed == [note_on(60), note_off(60)] * 3
    assert "on60" in words(session.heard)


def test_what_was_played_before_the_gate_is_not_answered_when_it_opens() -> None:
    session = Session(FOLDING, settings("steering.gate=false"))
    session.tap(60, 200)
    session.wait(5000)
    session.set("gate", True)
    session.wait(5000)
    assert session.replies == []
    session.tap(60, 200)
    session.wait(1000)
    assert onsets(session)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("knob", [("gate", False), ("mode", "listen")])
def test_it_falls_silent_when_it_must_play_no_more(mode: str, knob: tuple[str, object]) -> None:
    session = in_mode(mode)
    session.tap(60, 200)
    session.wait(2000)
    session.set(*knob)
    assert session.player.active.of(MODEL) == []
    count = len(session.replies)
    session.wait(20_000)
    assert len(session.replies) == count


# --- by hand


def test_the_floor_is_handed_over_and_taken_back() -> None:
    session = scripted("v30 on64 t50 off64 on65 t90 off65", "turns.reply_length=endless")
    session.receive(note_on(60))
    session.wait(200)
    session.do("take")
    session.wait(100)
    assert session.notes() == [(0.22, "on64")]
    session.do("give")
    assert session.notes()[-1] == (0.3, "off64")
    session.wait(20_000)
    assert len(session.notes()) == 2


def test_a_soloist_told_to_stop_rests_until_it_is_asked() -> None:
    session = in_mode("solo")
    askings: list[Callable[[], None]] = [
        lambda: session.do("take"),
        lambda: session.tap(60, 100),
    ]
    for asking in askings:
        session.wait(3000)
        session.do("give")
        count = len(session.replies)
        session.wait(20_000)
        assert len(session.replies) == count
        asking()
        session.wait(5000)
        assert len(session.replies) > count


def test_panic_stops_a_soloist() -> None:
    session = in_mode("solo")
    session.wait(3000)
    session.do("panic")
    count = len(session.replies)
    session.wait(20_000)
    assert len(session.replies) == count


def test_forgetting_is_a_fresh_start() -> None:
    """But a key that is held is still known to be held."""
    session = in_mode("duet")
    session.receive(note_on(60))
    session.wait(2000)
    session.do("forget")
    context = session.player.improviser.context
    assert session.heard == []
    assert context.logits is None
    assert context.encoder.sounding == [60]
    assert session.player.active.of(MODEL) == []
    session.tap(64, 100)
    session.wait(1000)
    assert words(session.heard).startswith("v19 on64 ")


def test_what_it_does_not_know_is_said() -> None:
    session = in_mode("continue")
    with pytest.raises(KeyError):
        session.set("loudness", 3)
    with pytest.raises(KeyError):
        session.do("dance")
    with pytest.raises(ValueError, match="a number from 0 to 4"):
        session.set("temperature", 9)


# --- always


@given(STEERED, RULED, SEEDS)
def test_the_memory_is_what_sounded(
    performance: list[Move], lines: tuple[str, ...], seed: int
) -> None:
    session = play(performance, lines, seed)
    session.silence()
    assert sounds_of(decode(session.heard)) == what_sounded(session)


@given(STEERED, ANY, SEEDS, THOUGHTS)
def test_the_state_is_that_of_a_model_that_heard_the_same(
    performance: list[Move], lines: tuple[str, ...], seed: int, thoughts: list[int]
) -> None:
    session = play(performance, lines, seed, thoughts=cycle(thoughts).__next__)
    session.silence()
    context = session.player.improviser.context
    assert not context.backlog
    assert np.array_equal(context.state, FOLDING.state_after(session.heard))


@given(STEERED, ANY, SEEDS, THOUGHTS)
def test_nothing_hangs(
    performance: list[Move], lines: tuple[str, ...], seed: int, thoughts: list[int]
) -> None:
    session = play(performance, lines, seed, thoughts=cycle(thoughts).__next__)
    session.silence()
    assert not session.sounding() and not session.sounding(deaf=True)


@given(STEERED, ANY, SEEDS, THOUGHTS)
def test_promises_are_kept(
    performance: list[Move], lines: tuple[str, ...], seed: int, thoughts: list[int]
) -> None:
    """No note outside the scale, none too many, none that the performer holds, none when shut."""

    seen = [0]

    def watch(session: Session) -> None:
        new = session.log[seen[0] :]
        seen[0] = len(session.log)
        player = session.player
        allowed = player._responder._steering.pitch_classes
        for _, owner, message in new:
            if owner == MODEL and message[0] & 0xF0 == 0x90:
                assert message[1] % 12 in allowed
                assert player.knobs.gate
                assert player.knobs.mode != "listen"
                assert len(player.active.of(MODEL)) <= player.knobs.polyphony
        mine = {pitch for _, pitch in player.active.of(MODEL)}
        encoder = player.improviser.context.encoder
        assert mine == set(encoder.sounding_of(-1))
        assert not mine & player.turns.pitches

    play(performance, lines, seed, thoughts=cycle(thoughts).__next__, watch=watch)


@given(STEERED, ANY, SEEDS, st.lists(st.integers(10, 60), min_size=1))
def test_the_same_performance_and_seed_give_the_same_bytes(
    performance: list[Move], lines: tuple[str, ...], seed: int, thoughts: list[int]
) -> None:
    first = play(performance, lines, seed)
    second = play(performance, lines, seed, thoughts=cycle(thoughts).__next__, poll=0.01)
    assert to_the_microsecond(first) == to_the_microsecond(second)
    assert first.heard == second.heard


@given(STEERED, ANY, SEEDS)
def test_when_nobody_is_at_the_keys_nothing_of_theirs_sounds(
    performance: list[Move], lines: tuple[str, ...], seed: int
) -> None:
    session = play(performance, lines, seed)
    session.player.lift(session.now)
    assert not session.player.active.of(PERFORMER)
    assert not session.player.turns.channels
    assert not session.player.improviser.context.encoder.pedals
    session.set("gate", False)
    session.wait(3000)
    assert not session.sounding()


LIFTED_AND_STRUCK = (None, [(9, pedal(False)), (9, note_on(62))])


@pytest.mark.slow
@given(
    st.lists(
        st.tuples(
            st.one_of(st.none(), WAITS),
            st.lists(st.tuples(st.integers(0, 9), MESSAGES), min_size=1),
        ),
        min_size=2,
    ),
    ANY,
    SEEDS,
)
@example([(0, [(0, pedal(True)), (0, note_on(60)), (9, note_off(60))]), LIFTED_AND_STRUCK], (), 0)
def test_what_waits_to_be_heard_is_heard_as_if_at_once(
    bursts: list[tuple[int | None, list[tuple[int, bytes]]]], lines: tuple[str, ...], seed: int
) -> None:
    """Messages that come in together are passed on before they are heard, however many."""

    def played(at_once: bool) -> tuple[list[Any], list[int]]:
        session = Session(FOLDING, settings(*lines), seed)
        for ms, messages in bursts:
            if ms is None:
                session.await_note()
            else:
                session.wait(ms)
            for later, message in messages:
                session.now += later / 1000
                session.log.append((session.now, None, message))
                session.player.receive(session.now, message)
                if at_once:
                    session.player.next_due()
        session.wait(3000)
        return session.log, session.heard

    assert played(True) == played(False)


def to_the_microsecond(session: Session) -> list[tuple[float, int | None, bytes]]:
    """The log; there and back through the clock's beats a time is not the same in the last bit."""
    return [(round(time, 6), owner, message) for time, owner, message in session.log]


def test_a_key_is_kept_to() -> None:
    session = in_mode("solo", "steering.key=D", "steering.scale=minor pentatonic")
    session.wait(30_000)
    played = {message[1] % 12 for _, message in session.replies if message[0] & 0xF0 == 0x90}
    assert played <= pitch_classes(2, "minor pentatonic") < ALL
    assert len(played) == 5


# --- turns by other rules, in play


def test_trading_fours() -> None:
    """Four bars each, of a second."""
    session = Session(FOLDING, settings("turns.by=bars", "steering.tempo=240"))
    session.wait(500)
    begin = session.now
    for i in range(15):
        session.tap(60 + i % 5, 200)
        session.wait(50)
    session.tap(60, 249)
    assert onsets(session) == []
    session.until(begin + 8.0)
    first = onsets(session)
    assert first[0] == pytest.approx(begin + 4.0, abs=STEP)
    session.wait(20_000)  # nothing is played in the performer's bars: the exchange is over
    assert onsets(session) == first


def test_a_key_in_the_models_bars_takes_the_floor() -> None:
    session = Session(FOLDING, settings("turns.by=bars", "turns.bars=1", "steering.tempo=240"))
    session.tap(60, 200)
    session.until(1.5)
    assert onsets(session)
    session.tap(60, 200)
    assert session.player.active.of(MODEL) == []
    count = len(onsets(session))
    session.until(2.4)
    assert len(onsets(session)) == count
    session.until(2.6)
    assert len(onsets(session)) > count


def test_a_reply_lasts_as_many_bars_as_it_is_told() -> None:
    session = Session(FOLDING, settings("turns.reply_length=2 bars", "steering.tempo=240"))
    session.tap(60, 200)
    session.wait(20_000)
    times = onsets(session)
    assert 1.2 < times[-1] - times[0] < 2.01
    assert max(time for time, _ in session.notes()) - times[0] < 2.011


def test_a_note_on_without_a_note_off_for_an_hour() -> None:
    """The turn comes all the same, the key is not doubled, and nothing grows."""
    session = Session(FOLDING, settings("sampling.lowest_pitch=60", "sampling.highest_pitch=64"))
    session.receive(note_on(62))
    session.wait(3_600_000)
    assert onsets(session)
    assert {note for _, note in session.notes() if "62" in note} == set()
    session.tap(64, 200)
    session.wait(2000)
    assert len(onsets(session)) > 1
    session.receive(note_off(62))
    session.silence()
    assert np.array_equal(
        session.player.improviser.context.state, FOLDING.state_after(session.heard)
    )


def test_after_a_long_silence_it_forgets() -> None:
    session = Session(FOLDING, settings("turns.forget_after=60"))
    session.tap(60, 200)
    session.wait(59_000)
    assert "on60" in words(session.heard)
    session.wait(30_000)
    session.tap(62, 200)
    session.wait(100)
    assert words(session.heard).startswith("v19 on62 t20 off62")
    assert session.player._responder._looper.tape.passage is not None  # it may still be held


def test_a_long_note_is_no_silence() -> None:
    session = Session(FOLDING, settings("turns.forget_after=10", "turns.by=manual"))
    session.tap(60, 200)
    session.receive(note_on(62))
    session.wait(30_000)
    session.receive(note_off(62))
    session.wait(100)
    assert words(session.heard).startswith("v19 on60 t20 off60 on62")


def test_both_may_strike_together_in_a_duet() -> None:
    """What is due within a few hundredths of a second of a key is played as it was meant."""
    session = Session(
        ScriptedModel(tokens("v30 on64 t20 off64 t20 on67 t20 off67")),
        settings("sampling.temperature=0", "steering.mode=duet"),
    )
    session.receive(note_on(60))
    session.await_note()
    time = session.now
    session.until(time + 0.39)  # on67 is due in 10 ms
    session.receive(note_on(72))
    session.wait(20)
    assert session.notes()[-1] == (round(time + 0.4, 6), "on67")
    session.silence()
    assert sounds_of(decode(session.heard)) == what_sounded(session)


def test_a_flood_of_a_knob_does_not_stop_the_music() -> None:
    """A thousand turns a second, for ten seconds: there are as many notes as without."""
    plain, flooded = (in_mode("solo", "turns.lookahead=0.5") for _ in range(2))
    plain.wait(10_000)
    for i in range(2000):
        flooded.wait(5)
        flooded.set("density", 0.9 + 0.2 * (i % 2))
    assert len(onsets(flooded)) > len(onsets(plain)) / 3


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("temperature", 0.2),
        ("top_p", 0.1),
        ("density", 4.0),
        ("register", 36),
        ("dynamics", -48),
        ("key", "F#"),
        ("polyphony", 1),
    ],
)
def test_each_knob_changes_what_follows_and_nothing_before(name: str, value: object) -> None:
    """The first time that it is turned, too, and again within a tenth of a second."""
    plain, turned, twice = (in_mode("solo") for _ in range(3))
    for session in (plain, turned, twice):
        session.wait(3000)
    turned.set(name, value)
    twice.set(name, BY_NAME[name].default)
    for i in range(10):
        twice.set("density", 1.0 + i / 10)
    twice.set("density", 1.0)
    twice.set(name, value)
    for session in (plain, turned, twice):
        session.wait(3000)
        assert session.player.improviser._playing == session.player._responder._steering.playing
    assert [n for n in plain.notes() if n[0] <= 3] == [n for n in turned.notes() if n[0] <= 3]
    assert [m for _, m in plain.replies] != [m for _, m in turned.replies]


def test_a_knob_counts_from_the_next_note_on() -> None:
    session = in_mode("solo")
    session.wait(3000)
    session.set("key", "F#")
    session.set("scale", "major pentatonic")
    begin = session.now
    session.wait(5000)
    late = {int(note[2:]) % 12 for time, note in session.notes() if time > begin and "on" in note}
    assert late and late <= pitch_classes(6, "major pentatonic")
