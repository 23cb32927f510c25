"""Music from files is quoted as if the performer had played it, until it is to be forgotten."""

from array import array
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from segued.player.active_notes import MODEL
from segued.player.commands import Hear
from segued.player.player import Player
from segued.recall import quoting
from segued.recall.quoting import Place, Quotes
from segued.recording.journal import Journal, hand_over, replay
from segued.recording.performance import Entry, Recording
from segued.recording.replay import difference
from segued.settings.repertoire import Music
from segued.tokens.events import Event, NoteOff, NoteOn
from segued.tokens.tokenizer import encode
from segued.tokens.vocabulary import PERFORMANCE
from segued.tools.render import perform

from ..settings.test_repertoire import midi
from ..support.fakes import FoldingModel, Session, note_off, note_on, settings, tokens
from ..support.performers import STEERED, Move

FOLDING = FoldingModel()
TUNE = [60, 64, 67, 72, 71, 67, 65, 62, 59, 62, 65, 68, 67, 65, 63, 60, 58, 62, 65, 70, 69, 65]
IDS = st.lists(st.sampled_from(tokens("on60 on64 on67 off60 off64 t10 v16")), max_size=80)


def tune(pitches: Sequence[int] = TUNE) -> list[int]:
    """The token ids of a tune of four notes a second."""
    events: list[Event] = []
    for i, pitch in enumerate(pitches):
        events += [NoteOn(i * 0.25, pitch, 80), NoteOff(i * 0.25 + 0.2, pitch)]
    return encode(events)


def reply_to_the_beginning(session: Session, count: int = 12) -> list[int]:
    """The pitches of the reply to the first notes of the tune."""
    before = len(session.replies)
    for pitch in TUNE[:count]:
        session.tap(pitch, 200)
        session.wait(50)
    session.wait(8000)
    return [m[1] for _, m in session.replies[before:] if m[0] & 0xF0 == 0x90 and m[2]]


def quoted(pitches: Sequence[int], count: int = 12) -> int:
    """How many notes go on with the tune before the first that does not."""
    goes_on = TUNE[count:]
    same = (a == b for a, b in zip(pitches, goes_on, strict=False))
    return next((i for i, agrees in enumerate(same) if not agrees), min(len(pitches), len(goes_on)))


def session_of(*lines: str, seed: int = 1) -> Session:
    lines = ("turns.silence=0.3", "sampling.temperature=0.5", *lines)
    return Session(FOLDING, settings(*lines), seed=seed)


@pytest.mark.slow
def test_the_reply_goes_on_with_what_was_heard() -> None:
    with_it = without = 0
    for seed in range(4):
        told, plain = session_of(seed=seed), session_of(seed=seed)
        told.perform(Hear(tune()))
        with_it += quoted(reply_to_the_beginning(told))
        without += quoted(reply_to_the_beginning(plain))
    assert with_it >= 20 > 2 >= without


def test_quoting_may_be_off() -> None:
    told, plain = (session_of("steering.quoting=0") for _ in range(2))
    told.perform(Hear(tune()))
    assert reply_to_the_beginning(told) == reply_to_the_beginning(plain)


@pytest.mark.slow
def test_it_is_kept_through_a_long_silence_and_dropped_by_the_action() -> None:
    session = session_of("turns.forget_after=60")
    session.perform(Hear(tune()))
    session.wait(3_600_000)
    assert quoted(reply_to_the_beginning(session)) >= 5
    session.wait(3_600_000)
    assert quoted(reply_to_the_beginning(session)) >= 5
    session.do("forget")
    assert quoted(reply_to_the_beginning(session)) <= 1
    assert not session.player.repertoire


def test_heard_in_the_midst_of_a_phrase_it_continues_nothing() -> None:
    """What the performer has just played is not taken for the beginning of the file."""
    quotes = Quotes(PERFORMANCE)
    phrase = tokens("v19 on40 t20 off40 on44 t20 off44 on47 t20 off47 on52 t20 off52 on55 t20")
    quotes.learn(phrase)
    quotes.study(tune())
    while quotes.read():
        pass
    assert quotes.quoted(quotes.place(phrase)).id == -1
    assert quotes.quoted(quotes.place(phrase)).ons == ()
    quotes.learn(tokens("off55 on57"))
    end = tune()[-24:]
    assert quotes.quoted(quotes.place(end)).id == -1, "nor the performer for what comes after it"


@given(st.lists(IDS, max_size=6))
def test_what_is_read_is_what_a_performer_had_played(parts: list[list[int]]) -> None:
    told, played = Quotes(PERFORMANCE), Quotes(PERFORMANCE)
    for ids in parts:
        told.study(ids)
        while told.read():
            pass
        played.learn(ids)
    place, other = Place(), Place()
    for id in tokens("on60 t10 on64 off60 on67 off64 t10 on60"):
        place, other = told.after(place, id), played.after(other, id)
        assert told.quoted(place) == played.quoted(other)


def test_the_oldest_gives_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quoting, "LONGEST_REPERTOIRE", 40)
    quotes = Quotes(PERFORMANCE)
    for start in (0, 30, 60):
        quotes.study(range(start, start + 30))
        quotes.read()
    assert quotes.repertoire.tolist() == [*range(50, 90)]
    count = 0
    while quotes.read():
        count += 1
    assert count == -(-40 // quoting.SLICE) - 1, "of the last 30 a slice was read at once"


def test_an_id_that_there_is_not_is_refused() -> None:
    session = session_of()
    with pytest.raises(ValueError, match="from 0 to 387"):
        session.perform(Hear([60, 388]))
    assert not session.player.repertoire


def test_a_preset_that_is_recalled_is_heard_once() -> None:
    lines = (
        "control.presets=[{name: calm, hear: tune.mid}, {name: wild, density: 2}]",
        "control.map=[{note: 30, preset: calm}, {note: 31, preset: wild}]",
    )
    session = session_of(*lines)
    music = Music(presets={"calm": array("H", tune())})
    for key, heard in ((31, 0), (30, len(tune())), (31, len(tune())), (30, len(tune()))):
        session.tap(key, 20)
        music.hear_wanted(session.player, session.now)
        assert len(session.player.repertoire) == heard
    session.do("forget")
    session.tap(30, 20)
    music.hear_wanted(session.player, session.now)
    assert quoted(reply_to_the_beginning(session)) >= 2


@pytest.mark.slow
def test_a_preset_of_a_file_is_heard_in_what_is_rendered(tmp_path: Path) -> None:
    midi(tmp_path / "tune.mid", *TUNE, seconds=0.25)
    played = [(0.0, bytes((0xC0, 4)))]
    for i, pitch in enumerate(TUNE[:12]):
        played += [(1 + 0.25 * i, note_on(pitch)), (1.2 + 0.25 * i, note_off(pitch))]
    lines = (
        f"control.presets=[{{name: calm, hear: {tmp_path / 'tune.mid'}}}]",
        "control.map=[{program: 5, preset: calm}]",
        "turns.silence=0.3",
        "sampling.temperature=0.5",
    )
    counts = []
    for performance in (played, played[1:]):
        replies = [perform(FOLDING, settings(*lines), performance, seed, 12.0) for seed in range(4)]
        pitches = [[m[1] for _, m in reply if m[0] & 0xF0 == 0x90] for reply in replies]
        counts.append(sum(map(quoted, pitches)))
    assert counts[0] >= 20 > 2 >= counts[1]


def test_a_new_recording_begins_with_it() -> None:
    entries: list[Entry] = []
    old = session_of()
    old.perform(Hear(tune()))
    new = Session(FOLDING, old.config, seed=1, now=old.now)
    new.player = Player(FOLDING, new.config, new._send, 1, journal=Journal(entries.append))
    hand_over(old.player, new.player, new.now)
    assert quoted(reply_to_the_beginning(new)) >= 5
    recording = Recording.of({}, entries)
    again = replay(FoldingModel(), new.config, 1, recording, lambda *_: FOLDING)
    assert difference(recording.played, again) == ""


HEARING = IDS.map(lambda ids: Move("perform", (Hear([*ids, *tune()]),)))


@given(st.lists(st.one_of(STEERED, HEARING.map(lambda move: [move])), max_size=6))
def test_a_recording_has_what_was_heard(parts: list[list[Move]]) -> None:
    session, journal = session_of(), list[Entry]()
    note = Journal(journal.append)
    session.player = Player(FOLDING, session.config, session._send, 1, journal=note)
    for move in (move for part in parts for move in part):
        move(session)
    session.silence()
    recording = Recording.of({}, journal)
    again = replay(FoldingModel(), session.config, 1, recording, lambda *_: FOLDING)
    assert difference(recording.played, again) == ""
    sent = [message for _, owner, message in session.log if owner == MODEL]
    assert [message for _, message in again] == sent
