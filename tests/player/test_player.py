"""The whole instrument under a clock that jumps: thru, turns, replies, interruptions, silence."""

import gc
from itertools import cycle
from types import FunctionType, ModuleType
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from segued.generation.ending import OVER_SECONDS, OVER_SHARE
from segued.generation.plan import PAUSE, TAIL
from segued.midi.files import event_of
from segued.player.active_notes import MODEL, PERFORMER
from segued.tokens.events import NoteOff, NoteOn
from segued.tokens.tokenizer import decode

from ..support.fakes import (
    FoldingModel,
    ScriptedModel,
    Session,
    control,
    note_off,
    note_on,
    pedal,
    settings,
    sounds_of,
    tokens,
    words,
)
from ..support.performers import ALONE, MESSAGES, PERFORMANCES, SETTINGS, Move, moves, what_sounded

FOLDING = FoldingModel()
SEEDS = st.integers(0, 9)
STEP = 0.01
TICK = 1e-9  # seconds: what arithmetic may add to a time


def scripted(script: str, *lines: str) -> Session:
    """A session with a model that replies with these tokens, the first a velocity of its own."""
    return Session(ScriptedModel(tokens(script)), settings("sampling.temperature=0", *lines))


def play(
    performance: list[Move], lines: tuple[str, ...] = (), seed: int = 0, **how: Any
) -> Session:
    session = Session(FOLDING, settings(*lines), seed, **how)
    for move in performance:
        move(session)
    return session


# --- by example: turns


def test_a_reply_begins_when_the_silence_is_over_and_plays_what_the_model_says() -> None:
    session = scripted("v30 on64 t50 off64 on67 t25 off67")
    session.tap(60, 200)
    session.wait(5000)
    assert session.notes() == [(0.9, "on64"), (1.4, "off64"), (1.4, "on67"), (1.65, "off67")]
    assert session.replies[0][1] == note_on(64, 123)
    assert not session.player.replying
    assert session.player.next_due() is None


def test_it_does_not_matter_when_it_found_the_time_to_think() -> None:
    """Draws are counted, not tokens: who thinks late finds more of the silence heard already."""
    logs = []
    for thoughts in (lambda: None, lambda: 0):
        session = Session(FOLDING, settings("turns.silence=2.5"), thoughts=thoughts)
        session.receive(pedal(True))
        session.tap(60, 200)
        session.wait(2400)
        session.thoughts = lambda: None
        session.await_note()
        session.wait(100)
        session.receive(pedal(False))  # in the midst of the reply it plans anew
        session.wait(5000)
        logs.append(session.log)
    assert logs[0] == logs[1]


def test_what_the_performers_pedal_holds_is_not_struck() -> None:
    session = Session(FOLDING, settings("sampling.lowest_pitch=60", "sampling.highest_pitch=62"))
    session.receive(pedal(True))
    session.tap(60, 200)
    session.tap(62, 200)
    session.wait(5000)
    assert {note for _, note in session.notes()} == {"on61", "off61"}


@pytest.mark.parametrize("silence", [0.05, 0.7, 1.0, 2.0, 3.25])
def test_a_reply_begins_on_time_after_any_silence(silence: float) -> None:
    """Also after one that is a whole number of the longest time shifts."""
    session = Session(FOLDING, settings(f"turns.silence={silence}"))
    for _ in range(4):
        session.tap(60, 200)
        released = session.now
        session.await_note()
        assert session.replies[-1][0] == pytest.approx(released + silence, abs=TICK)


def test_while_a_key_is_held_there_is_no_reply() -> None:
    session = scripted("v30 on64 t50 off64")
    session.receive(note_on(60))
    session.tap(62, 100)
    session.wait(60_000)
    assert session.replies == []
    session.receive(note_off(60))
    session.wait(800)
    assert session.notes() == [(60.8, "on64")]


def test_the_pedal_does_not_hold_the_reply_back() -> None:
    session = scripted("v30 on64 t50 off64")
    session.receive(pedal(True))
    session.tap(60, 200)
    session.wait(5000)
    assert session.notes() == [(0.9, "on64"), (1.4, "off64")]


def test_without_a_note_there_is_no_reply() -> None:
    session = scripted("v30 on64 t50 off64")
    for message in (pedal(True), pedal(False), note_off(60), control(1, 100), b"\xc0\x07"):
        session.receive(message)
        session.wait(2000)
    assert session.replies == []
    assert session.player.next_due() is None


def test_one_reply_a_turn() -> None:
    session = scripted("v30 on64 t10 off64", "turns.reply_length=0.5")
    session.tap(60, 100)
    session.wait(20_000)
    session.tap(60, 100)
    session.wait(20_000)
    assert [note for _, note in session.notes()] == ["on64", "off64"] * 2


def test_a_phrase_is_answered_at_its_own_length() -> None:
    repeated = "v30 " + 50 * "on64 t10 off64 t10 "
    for phrase, notes in ((300, 5), (2500, 13), (9000, 20)):
        session = scripted(
            repeated, "turns.shortest_reply=1", "turns.longest_reply=4", "steering.ending=0"
        )
        session.tap(60, phrase)
        begin = session.now + 0.7
        session.wait(15_000)
        starts = [time for time, note in session.notes() if note.startswith("on")]
        assert starts == pytest.approx([begin + 0.2 * i for i in range(notes)])


def test_notes_left_at_the_end_of_a_reply_are_released_soon_after() -> None:
    session = scripted("v30 on64", "turns.reply_length=1", "steering.ending=0")
    session.tap(60, 200)
    session.wait(10_000)
    assert session.notes() == [(0.9, "on64"), (0.9 + 1.0 + TAIL, "off64")]


@pytest.mark.slow
def test_an_endless_reply_goes_on_until_the_performer_plays() -> None:
    session = Session(FOLDING, settings("turns.reply_length=endless"))
    session.tap(60, 200)
    session.wait(600_000)
    assert session.replies[-1][0] > session.now - 10
    session.tap(60, 200)
    count = len(session.replies)
    session.wait(699)
    assert len(session.replies) == count


# --- by example: interruptions


def test_the_performer_silences_the_reply_at_once() -> None:
    session = scripted("v30 on64 on67 t50 off64 off67 on72 t50 off72")
    session.tap(60, 200)
    session.wait(1000)
    session.log.clear()
    session.receive(note_on(48))
    assert session.log == [
        (1.2, None, note_on(48)),
        (1.2, MODEL, note_off(64)),
        (1.2, MODEL, note_off(67)),
        (1.2, PERFORMER, note_on(48)),
    ]
    session.wait(60_000)
    assert len(session.log) == 4


def test_what_was_planned_is_forgotten_and_what_sounded_is_remembered() -> None:
    session = scripted("v30 on64 t50 off64 on67 t50 off67")
    session.tap(60, 200, velocity=80)
    session.wait(1000)  # the reply began at 0.9; this is 1.2
    session.tap(48, 100, velocity=80)
    session.silence()
    assert words(session.heard) == "v19 on60 t20 off60 t70 v30 on64 t30 off64 v19 on48 t10 off48"


def test_the_performer_may_strike_the_very_key_that_the_model_just_struck() -> None:
    """Within one step: the model's key is released on the wire, and the performer's note is whole
    in memory."""
    session = scripted("v30 on64 t50 off64")
    session.tap(60, 200)
    session.await_note()
    session.tap(64, 300, velocity=80)
    session.silence()
    assert words(session.heard) == "v19 on60 t20 off60 t70 v30 on64 v19 on64 t30 off64"


def test_lifting_the_pedal_in_a_reply_is_heard_and_the_reply_goes_on() -> None:
    session = scripted("v30 on64 t50 off64 on67 t50 off67")
    session.receive(pedal(True))
    session.tap(60, 200)
    session.wait(1000)
    session.receive(pedal(False))
    session.wait(5000)
    heard = words(session.heard)
    assert heard.startswith("v19 on60 t90 v30 on64 t30 off60 ")  # the model's place is lost
    assert session.notes()[0] == (0.9, "on64")
    assert session.notes()[1][0] >= 1.2 + PAUSE * STEP


def test_a_key_off_the_listened_channel_does_not_interrupt() -> None:
    session = scripted("v30 on64 t50 off64", "ports.listen_channel=1")
    session.tap(60, 200)
    session.wait(800)
    session.tap(40, 100, channel=5)
    session.wait(2000)
    assert session.notes() == [(0.9, "on64"), (1.4, "off64")]


# --- by example: thru


@pytest.mark.parametrize(
    "message",
    [
        note_on(60),
        note_on(60, 0),
        note_off(60, 13),
        pedal(True, 5),
        control(1, 127),
        control(119, 3, 15),
        control(121, 0),
        control(123, 0),
        b"\xa0\x3c\x10",
        b"\xc3\x05",
        b"\xd0\x7f",
        b"\xe0\x00\x40",
    ],
)
def test_channel_messages_pass_as_they_are(message: bytes) -> None:
    session = scripted("v30 on64")
    session.receive(message)
    assert session.passed == [message]
    assert session.replies == []


@pytest.mark.parametrize(
    "message",
    [
        b"",
        b"\x90",
        b"\x90\x3c",
        b"\x90\x3c\x64\x00",
        b"\x90\x3c\x80",
        b"\xb0\x7b",
        b"\xb0\xff\x00",
        b"\x3c\x64",
        b"\xf8",
        b"\xfe",
        b"\xf0\x01\xf7",
        b"\xf2\x01\x01",
        control(122, 0),
    ],
)
def test_what_is_no_channel_message_does_not_pass(message: bytes) -> None:
    """Nor does local control, which is meant for the keyboard that sent it."""
    session = scripted("v30 on64")
    session.receive(message)
    assert not session.passed and not session.replies


def test_without_thru_only_the_model_is_heard_on_the_wire() -> None:
    session = scripted("v30 on64 t50 off64", "ports.thru=false")
    session.receive(pedal(True))
    session.tap(60, 200)
    session.wait(3000)
    assert session.passed == []
    assert len(session.replies) == 2


def test_the_reply_comes_on_the_channel_last_played() -> None:
    session = scripted("v30 on64 t50 off64")
    session.tap(60, 200, channel=3)
    session.wait(3000)
    assert [message for _, message in session.replies] == [
        note_on(64, 123, 3),
        note_off(64, channel=3),
    ]


@pytest.mark.parametrize("listen", ["all", "[1, 10]"])
def test_drums_are_passed_thru_and_not_heard_unless_they_are_asked_for(listen: str) -> None:
    """A melody on channel 1 over drums on 10, as training reads it."""
    session = Session(FOLDING, settings(f"ports.listen_channel={listen}"), seed=1)
    for pitch in range(60, 65):
        session.receive(note_on(pitch))
        session.tap(36, 150, channel=9)
        session.receive(note_off(pitch))
        session.wait(100)
    session.tap(36, 150, channel=9)
    assert session.passed.count(note_on(36, channel=9)) == 6
    heard = {event.pitch for event in decode(session.heard) if isinstance(event, NoteOn)}
    session.wait(4000)
    channels = {message[0] & 0x0F for _, message in session.replies if message[0] >> 4 == 9}
    assert (36 in heard, channels) == ((False, {0}) if listen == "all" else (True, {9}))


def test_the_reply_comes_on_the_channel_of_the_settings() -> None:
    session = scripted("v30 on64 t50 off64", "ports.reply_channel=16")
    session.tap(60, 200, channel=3)
    session.wait(3000)
    assert {message[0] & 0x0F for _, message in session.replies} == {15}


def shared_key() -> Session:
    """The performer and the model hold the same key of the same channel."""
    session = scripted("v30 on64 t50 off64", "ports.listen_channel=1", "ports.reply_channel=2")
    session.receive(note_on(64, channel=1))
    session.tap(60, 200)
    session.wait(700)
    assert session.notes() == [(0.9, "on64")]
    session.log.clear()
    return session


def test_the_model_does_not_cut_off_the_performers_key() -> None:
    session = shared_key()
    session.wait(5000)
    assert session.log == []
    session.receive(note_off(64, 1, channel=1))
    assert session.passed == [note_off(64, 1, channel=1)]
    assert session.replies == [(session.now, note_off(64, channel=1))]  # one for each note-on


def test_the_performer_does_not_cut_off_the_models_key() -> None:
    session = shared_key()
    session.receive(note_off(64, 1, channel=1))
    assert session.passed == []
    session.wait(5000)
    assert session.passed == [note_off(64, channel=1)]
    assert [message for _, message in session.replies] == [note_off(64, channel=1)]


def reply_under(*messages: bytes) -> tuple[list[bytes], list[bytes]]:
    """What goes out as `messages` come in while the model plays, and what of it the model sent."""
    session = scripted("v30 on64 t90 off64", "ports.reply_channel=1")
    session.tap(60, 200)
    session.wait(900)
    assert session.notes()[-1][1] == "on64"
    session.log.clear()
    for message in messages:
        session.receive(message)
    sent = [(owner, message) for _, owner, message in session.log if owner is not None]
    return [m for _, m in sent], [m for owner, m in sent if owner == MODEL]


def test_nothing_comes_between_a_velocity_prefix_and_its_note() -> None:
    sent, own = reply_under(control(88, 51), note_on(69))
    assert sent[-2:] == [control(88, 51), note_on(69)]
    assert own == [note_off(64)] == sent[:-2]


def test_a_velocity_prefix_goes_before_whatever_comes_next_on_its_channel() -> None:
    sent, _ = reply_under(control(88, 51), control(88, 7, 1), pedal(True), note_off(61))
    assert sent == [control(88, 51), pedal(True), note_off(61)]


# --- by example: channel mode messages, silence, panic


def test_all_sound_off_silences_everything_and_asks_for_no_reply() -> None:
    session = scripted("v30 on64 t50 off64")
    session.receive(note_on(60))
    session.receive(control(120, 0))
    messages = [message for _, message in session.replies]
    assert messages[0] == note_off(60)
    assert {control(120, 0, channel) for channel in range(16)} <= set(messages)
    session.receive(note_off(60))  # the finger comes up in the end
    session.wait(60_000)
    assert session.notes() == [(0.0, "off60")]


def test_all_notes_off_is_all_keys_up() -> None:
    session = scripted("v30 on64 t50 off64")
    session.receive(pedal(True))
    session.receive(note_on(60))
    session.receive(note_on(64))
    session.wait(100)
    session.receive(control(123, 0))
    assert session.passed[-3:] == [note_off(60), note_off(64), control(123, 0)]
    session.wait(700)
    assert session.notes() == [(0.8, "on64")]
    assert words(session.heard).startswith("v19 on60 on64 t10 off60 off64 ")


def test_all_notes_off_also_lifts_a_key_whose_string_another_channel_has_struck() -> None:
    session = scripted("v30 on64 t50 off64")
    session.receive(note_on(60, channel=0))
    session.tap(60, 100, channel=1)
    session.receive(control(123, 0, channel=0))
    session.wait(700)
    assert session.notes() == [(0.8, "on64")]


def test_all_notes_off_does_not_cut_off_the_model() -> None:
    session = scripted("v30 on64 t50 off64")
    session.tap(60, 200)
    session.wait(800)
    session.receive(control(123, 0))
    session.wait(5000)
    assert session.passed == [note_on(60), note_off(60)]
    assert session.notes() == [(0.9, "on64"), (1.4, "off64")]


def test_silence_ends_both_parts_and_the_reply() -> None:
    session = scripted("v30 on64 t50 off64 on67 t9 off67", "ports.listen_channel=1")
    session.receive(pedal(True, 7))
    session.receive(note_on(40, channel=7))
    session.tap(60, 200)
    session.wait(800)
    session.log.clear()
    session.player.silence(session.now)
    messages = [message for _, message in session.replies]
    assert messages[:2] == [note_off(40, channel=7), note_off(64)]
    assert control(64, 0, 7) in messages
    assert control(123, 0, 7) in messages
    count = len(session.log)
    session.wait(60_000)
    assert len(session.log) == count


# --- always


@given(PERFORMANCES, ALONE, SEEDS)
@example([Move("tap", (0, 0, 1, 0)), Move("echo", (0, 0))], (), 0)
@example([Move("receive", (note_on(0, 1),)), Move("receive", (control(120, 0),))], (), 0)
def test_the_memory_is_what_sounded(
    performance: list[Move], lines: tuple[str, ...], seed: int
) -> None:
    """Both parts, as they came out, to the step; nothing that was only planned."""
    session = play(performance, lines, seed)
    session.silence()
    assert sounds_of(decode(session.heard)) == what_sounded(session)


THOUGHTS = st.lists(st.sampled_from([0, 0, 0, 1, 1, 2, 5, 30]), min_size=1)


@given(PERFORMANCES, SETTINGS, SEEDS, THOUGHTS)
def test_the_state_is_that_of_a_model_that_heard_the_same(
    performance: list[Move], lines: tuple[str, ...], seed: int, thoughts: list[int]
) -> None:
    """However much or little it could think in between."""
    session = play(performance, lines, seed, thoughts=cycle(thoughts).__next__)
    session.silence()
    context = session.player.improviser.context
    assert not context.backlog
    assert np.array_equal(context.state, FOLDING.state_after(session.heard))
    assert (context.logits is None) == (not session.heard)
    if session.heard:
        assert context.logits is not None
        assert np.array_equal(context.logits, FOLDING.step(session.heard, context.state * 0)[0])


@given(PERFORMANCES, SEEDS, THOUGHTS)
def test_a_slow_model_remembers_what_sounded_too(
    performance: list[Move], seed: int, thoughts: list[int]
) -> None:
    """Late notes stand in memory where they sounded, but for the little that is not yet late."""
    lines = ("sampling.lowest_pitch=72", "sampling.highest_pitch=100", "turns.silence=0.2")
    performance = [move for move in performance if move.name != "echo"]
    session = play(performance, lines, seed, thoughts=cycle(thoughts).__next__)
    session.silence()
    own = range(72, 101)
    heard, sounded = sounds_of(decode(session.heard)), what_sounded(session)
    assert [s for s in heard if s.pitch not in own] == [s for s in sounded if s.pitch not in own]
    parts = [sorted((s.pitch, s.start, s.end, s.bin) for s in part) for part in (heard, sounded)]
    for remembered, played in zip(*parts, strict=True):
        assert remembered[0] == played[0] and remembered[3] == played[3]
        assert abs(remembered[1] - played[1]) <= 3 and abs(remembered[2] - played[2]) <= 3


@given(PERFORMANCES, SETTINGS, SEEDS, THOUGHTS)
def test_nothing_hangs(
    performance: list[Move], lines: tuple[str, ...], seed: int, thoughts: list[int]
) -> None:
    """On synths that count note-ons, whether or not they know all-notes-off."""
    session = play(performance, lines, seed, thoughts=cycle(thoughts).__next__)
    session.silence()
    assert not session.sounding() and not session.sounding(deaf=True)


@given(PERFORMANCES, SEEDS, THOUGHTS)
def test_the_models_notes_begin_once_and_end_once(
    performance: list[Move], seed: int, thoughts: list[int]
) -> None:
    performance = [move for move in performance if not is_panic(move)]
    session = play(performance, seed=seed, thoughts=cycle(thoughts).__next__)
    held: set[tuple[int, int]] = set()
    for _, owner, message in session.log:
        if owner == MODEL:
            kind, key = message[0] & 0xF0, (message[0] & 0x0F, message[1])
            assert kind in (0x80, 0x90)
            assert (key in held) == (kind == 0x80)
            held ^= {key}
    assert held == set(session.player.active.of(MODEL))


def is_panic(move: Move) -> bool:
    """All sound off ends the performer's notes too, and those are not the model's."""
    message = move.arguments[0] if move.name == "receive" else b""
    return message[1:2] == b"\x78" and message[0] & 0xF0 == 0xB0


@given(PERFORMANCES, SETTINGS, SEEDS, THOUGHTS)
def test_what_the_model_holds_is_what_the_memory_holds_of_it(
    performance: list[Move], lines: tuple[str, ...], seed: int, thoughts: list[int]
) -> None:
    def watch(session: Session) -> None:
        held = {pitch for _, pitch in session.player.active.of(MODEL)}
        encoder = session.player.improviser.context.encoder
        assert held == set(encoder.sounding_of(-1))
        assert len(held) == len(session.player.active.of(MODEL))

    play(performance, lines, seed, thoughts=cycle(thoughts).__next__, watch=watch)


class Referee:
    """Knows the rules of turn-taking and nothing else; told what happened, says what may happen."""

    def __init__(self, session: Session, on_time: bool) -> None:
        self._turns, self._ports = session.config.turns, session.config.ports
        self._sampling, self._on_time = session.config.sampling, on_time
        self._held: set[tuple[int, int]] = set()
        self._first: float | None = None  # key of the phrase
        self._last = 0.0
        self._begin: float | None = None  # of the reply
        self._end = 0.0

    def performer(self, time: float, message: bytes) -> None:
        kind, channel = message[0] & 0xF0, message[0] & 0x0F
        event = event_of(message, time)
        if kind == 0xB0 and message[1] == 120:
            self._held, self._first, self._begin = set(), None, None
        elif not self._ports.listens_to(channel):
            return
        elif isinstance(event, NoteOn):
            if self._first is None or self._begin is not None:
                self._first = time
            self._begin, self._last = None, time
            self._held.add((channel, event.pitch))
        elif isinstance(event, NoteOff):
            self._release({(channel, event.pitch)}, time)
        elif kind == 0xB0 and message[1] >= 123:
            self._release({key for key in self._held if key[0] == channel}, time)

    def _release(self, keys: set[tuple[int, int]], time: float) -> None:
        if keys & self._held:
            self._held -= keys
            self._last = time

    def model_begins(self, time: float, pitch: int) -> None:
        assert not self._held
        assert self._first is not None
        assert self._sampling.lowest_pitch <= pitch <= self._sampling.highest_pitch
        if self._begin is None:
            silence = self._turns.silence
            assert isinstance(silence, float)
            begin = self._last + silence
            assert time == pytest.approx(begin, abs=TICK) if self._on_time else time > begin - TICK
            self._begin = begin
            length = self._turns.length_of_reply(self._last - self._first)
            assert isinstance(length, float)
            over = min(OVER_SECONDS[1], OVER_SHARE * length)
            self._end = begin + length + (over if self._turns.reply_length == "phrase" else 0.0)
        if self._on_time:
            assert time < self._end + STEP

    def model_ends(self, time: float) -> None:
        if self._begin is not None and self._on_time:
            assert time < self._end + TAIL + 1 + STEP


@given(PERFORMANCES, SETTINGS, SEEDS)
def test_turns_are_taken_by_the_rules(
    performance: list[Move], lines: tuple[str, ...], seed: int
) -> None:
    """Replies begin exactly on time, never while a key is held, and keep to their length and
    range; nothing of the model sounds from an interruption to the next turn."""
    lines = ("turns.silence=0.7", *lines, "sync.launch_quantize=now")
    session = play([*performance, Move("wait", (8000,))], lines, seed)
    one_pitch = "sampling.highest_pitch=60" in lines  # and the performer's pedal may hold it
    ticks = session.received.count(b"\xf8")  # a song that slows down takes a reply with it
    referee = Referee(session, on_time=not one_pitch and not ticks)
    for time, owner, message in session.log:
        if owner is None:
            referee.performer(time, message)
        elif owner == MODEL and message[0] & 0xF0 == 0x90:
            referee.model_begins(time, message[1])
        elif owner == MODEL and message[0] & 0xF0 == 0x80:
            referee.model_ends(time)


@given(PERFORMANCES, SETTINGS, SEEDS, THOUGHTS)
def test_a_key_of_the_performers_ends_the_models_notes_before_it_sounds(
    performance: list[Move], lines: tuple[str, ...], seed: int, thoughts: list[int]
) -> None:
    session = play(performance, lines, seed, thoughts=cycle(thoughts).__next__)
    held: set[tuple[int, bytes]] = set()
    for _, owner, message in session.log:
        kind, key = message[0] & 0xF0, (message[0] & 0x0F, message[1:2])
        if owner == MODEL and kind == 0x90:
            held.add(key)
        elif owner == MODEL and kind == 0x80:
            held.discard(key)
        elif owner == PERFORMER and kind == 0x90 and message[2] > 0:
            listened = session.config.ports.listens_to(key[0])
            assert not (listened and held), "the model sounds beside the performer"
        elif owner == PERFORMER and kind == 0x80:
            held.discard(key)  # a shared key, let go by both


@given(PERFORMANCES, SETTINGS, SEEDS, st.lists(st.integers(10, 60), min_size=1))
def test_the_same_performance_and_seed_give_the_same_bytes(
    performance: list[Move], lines: tuple[str, ...], seed: int, thoughts: list[int]
) -> None:
    """However its thinking was cut up, as long as it keeps up, and but for what arithmetic adds."""
    first = play(performance, lines, seed)
    second = play(performance, lines, seed, thoughts=cycle(thoughts).__next__, poll=STEP)
    logs = [[(round(t, 6), owner, m) for t, owner, m in s.log] for s in (first, second)]
    assert logs[0] == logs[1]
    assert first.heard == second.heard


def test_another_seed_gives_another_reply() -> None:
    taps = [Move("tap", (60, 200)), Move("wait", (5000,))]
    logs = {tuple(play(taps, seed=seed).notes()) for seed in range(5)}
    assert len(logs) == 5


def test_another_turn_gives_another_reply() -> None:
    """Even where the model would begin it the same way."""
    session = Session(FOLDING, settings("turns.reply_length=5"))
    session.tap(60, 200)
    session.wait(9000)
    draws = [session.player.improviser._turn]
    session.tap(60, 200)
    session.wait(9000)
    assert [*draws, session.player.improviser._turn] == [1, 2]


@given(st.lists(st.one_of(moves("receive", MESSAGES), moves("wait", st.integers(0, 900)))), SEEDS)
def test_thru_changes_nothing(performance: list[Move], seed: int) -> None:
    """Where no channel mode message is among it, and the model hears all channels."""
    session = Session(FOLDING, settings(), seed)
    for move in performance:
        if move.name == "wait" or not is_mode(move.arguments[0]):
            move(session)
    assert session.passed == [message for message in session.received if message[0] < 0xF0]


def is_mode(message: bytes) -> bool:
    return message[0] & 0xF0 == 0xB0 and message[1] >= 120


@given(
    st.lists(
        st.one_of(
            moves("receive", st.binary(max_size=4)),
            moves("receive", st.binary(min_size=3, max_size=3)),
            moves("wait", st.integers(0, 2000)),
        )
    ),
    SEEDS,
)
def test_any_bytes_at_all(performance: list[Move], seed: int) -> None:
    session = play(performance, seed=seed)
    session.silence()
    assert not session.sounding()


def things_in(root: object, outside: tuple[object, ...]) -> int:
    """How many objects hang on this one, those outside and the code itself left out."""
    seen = {id(thing) for thing in outside}
    waiting, count = [root], 0
    while waiting:
        thing = waiting.pop()
        if id(thing) in seen or isinstance(thing, type | ModuleType | FunctionType):
            continue
        seen.add(id(thing))
        count += 1
        waiting.extend(gc.get_referents(thing))
    return count


@pytest.mark.slow
@pytest.mark.parametrize("silence", [0.1, 0.4])  # without and with candidates
def test_a_long_session_grows_nothing(silence: float) -> None:
    """After many turns there is no more of anything than after a few."""
    session = Session(FOLDING, settings(f"turns.silence={silence}", "turns.reply_length=0.5"))
    session.player.improviser.context._heard = None  # the record of the tests
    counts = []
    for _ in range(4):
        for _ in range(60):
            session.tap(60, 50)
            session.wait(1000)
        session.silence()  # so that no plan is left
        counts.append(things_in(session.player, (session, FOLDING)))
    # the memory of motifs is full after the second; the notes of the last second are more or fewer
    assert max(counts[2:]) < counts[1] + 60
