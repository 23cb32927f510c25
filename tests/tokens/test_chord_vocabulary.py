"""The note vocabulary: chords are integers, and every chord that is played has one that is near."""

from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from segued.tokens.chord_vocabulary import SILENCE, ChordEncoder, ChordVocabulary, chords_of
from segued.tokens.events import Event, NoteOff, NoteOn
from segued.tokens.tokenizer import encode

from ..support.fakes import tokens

CHORDS = st.sets(st.integers(0, 127), min_size=1, max_size=6).map(lambda c: tuple(sorted(c)))
SOME = st.sets(CHORDS, min_size=1, max_size=12)
SMALL = ChordVocabulary([(60,), (64,), (67,), (60, 64), (60, 64, 67), (64, 67), (48, 60)])


def test_a_symbol_is_a_pitch_or_a_chord() -> None:
    vocabulary = ChordVocabulary([(62,), (60, 64, 67), (60,)])
    assert vocabulary.symbols == ("", "60", "60.64.67", "62")
    assert len(vocabulary) == 4 and vocabulary.name == "notes-4"
    assert [vocabulary.id(c) for c in vocabulary.chords] == [0, 1, 2, 3]
    assert vocabulary.id((61,)) is None and vocabulary.chords[SILENCE] == ()


@given(SOME)
def test_the_list_of_symbols_is_all_there_is(chords: set[Any]) -> None:
    vocabulary = ChordVocabulary(chords)
    again = ChordVocabulary.parse(vocabulary.symbols)
    assert again == vocabulary and again.fingerprint == vocabulary.fingerprint
    assert [*vocabulary.chords] == sorted(vocabulary.chords)
    assert set(vocabulary.chords) == {(), *chords}


@given(SOME, CHORDS)
def test_the_fingerprint_tells_vocabularies_apart(chords: set[Any], more: tuple[Any, ...]) -> None:
    one, other = ChordVocabulary(chords), ChordVocabulary(chords | {more})
    assert (one.fingerprint == other.fingerprint) == (more in chords) == (one == other)
    assert (hash(one) == hash(other)) == (more in chords)


@pytest.mark.parametrize(
    "symbols", [[], [""], ["60", "60"], ["64.60"], ["60.60"], ["128"], ["-1"], ["C4"], ["60."]]
)
def test_what_is_no_vocabulary(symbols: list[str]) -> None:
    with pytest.raises(ValueError):
        ChordVocabulary.parse(symbols)


def test_the_nearest_is_the_largest_part_with_the_melody_in_it() -> None:
    def nearest(*chord: int) -> tuple[Any, ...]:
        return SMALL.chords[SMALL.nearest(chord)]

    assert nearest(60, 64, 67) == (60, 64, 67)
    assert nearest(55, 60, 64, 67) == (60, 64, 67)
    assert nearest(60, 67) == (67,)
    assert nearest(48, 60, 67) == (48, 60)
    assert nearest(48, 60, 64, 67) == (60, 64, 67)
    assert nearest(76, 79) == (64, 67)  # an octave lower
    assert nearest(36) == (60,)  # an octave higher is 48, and only a part of a chord
    assert nearest(61) == (60,)
    assert nearest(127) == (67,)


@given(SOME, CHORDS)
def test_every_chord_has_a_nearest(chords: set[Any], chord: tuple[Any, ...]) -> None:
    vocabulary = ChordVocabulary(chords)
    id = vocabulary.nearest(chord)
    assert id != SILENCE
    found = vocabulary.chords[id]
    parts = [c for c in chords if set(c) <= set(chord)]
    if chord in chords:
        assert found == chord
    elif parts:
        assert found in parts and len(found) == max(map(len, parts))


def test_a_corpus_gives_its_vocabulary() -> None:
    counts = Counter({(60,): 5, (60, 64): 9, (61, 65): 3, (62, 66, 70): 1})
    assert ChordVocabulary.of_corpus(counts, 100).symbols == (
        *("", "60", "60.64", "61", "61.65", "62", "62.66.70", "64", "65", "66", "70"),
    )
    singles = {(pitch,) for pitch in (60, 61, 62, 64, 65, 66, 70)}
    assert {*ChordVocabulary.of_corpus(counts, 10).chords} == {(), *singles, (60, 64), (61, 65)}
    assert {*ChordVocabulary.of_corpus(counts, 9).chords} == {(), *singles, (60, 64)}
    assert len(ChordVocabulary.of_corpus(counts, 4)) == 4


def test_a_chord_counts_in_every_transposition() -> None:
    counts = Counter({(60, 64): 2, (61, 65): 1, (126,): 1})
    vocabulary = ChordVocabulary.of_corpus(counts, 100, 1)
    assert {*vocabulary.chords} >= {(59, 63), (60, 64), (61, 65), (62, 66), (125,), (127,)}
    assert vocabulary.id((58, 62)) is None
    fewer = ChordVocabulary.of_corpus(counts, 1 + 11 + 2, 1)  # silence, the pitches, two chords
    assert {c for c in fewer.chords if len(c) > 1} == {(60, 64), (61, 65)}


@pytest.mark.parametrize(
    ("performance", "chords"),
    [
        ("", []),
        ("v20 on60 t50 off60", [(60,)]),
        ("v20 on64 on60 t50 off60 off64 t10 on62", [(60, 64), (62,)]),
        ("v20 on60 t5 on64 t20 off60 off64", [(60, 64)]),  # 50 ms: one chord
        ("v20 on60 t6 on64 t20", [(60,), (64,)]),
        ("v20 on60 t3 on64 t3 on67 t20", [(60, 64), (67,)]),  # the window begins with the first
        ("v20 on60 t2 off60 t2 v21 on60 t50", [(60,)]),  # struck twice within a chord: once
        ("v20 on60 t100 t100 off60", [(60,)]),
    ],
)
def test_what_is_struck_together_is_a_chord(performance: str, chords: list[Any]) -> None:
    assert chords_of(tokens(performance)) == chords


@given(st.lists(st.tuples(st.integers(6, 150), CHORDS), max_size=12))
def test_chords_come_out_as_they_were_played(played: list[Any]) -> None:
    events: list[Event] = []
    time = 0.0
    for gap, chord in played:
        time += gap / 100
        events += [NoteOn(time, pitch, 70) for pitch in chord]
        events += [NoteOff(time + 0.06, pitch) for pitch in chord]
    assert chords_of(encode(events)) == [chord for _, chord in played]


@given(st.lists(st.integers(0, 387), max_size=40), st.integers(0, 40))
def test_an_encoder_can_be_taken_up_anywhere(ids: list[int], cut: int) -> None:
    """Its pitches and its age are all its state."""
    whole, first = ChordEncoder(), ChordEncoder()
    expected = [whole.feed(id) for id in ids]
    found = [first.feed(id) for id in ids[:cut]]
    second = ChordEncoder(first.pitches, first.age)
    assert [*found, *(second.feed(id) for id in ids[cut:])] == expected
