"""Exact times beside the ids, and what a playing makes of them."""

from dataclasses import replace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from segue_export.augment import (
    EVEN,
    FIXED,
    NO_AUGMENTATION,
    STEADY,
    Augmentation,
    Component,
    Notes,
    augment,
    notes_of,
)
from segue_export.corpus.encoding import PARTS, encode_exactly
from segue_export.corpus.pieces import join
from segued.tokens.events import Event, NoteOff, NoteOn, Pedal
from segued.tokens.tokenizer import encode
from segued.tokens.vocabulary import PERFORMANCE

from ..support.tiny import in_order, work

BY_HAND = Component(join([], []), 1.0)
STEP = PERFORMANCE.time_of(1)


@st.composite
def performances(draw: st.DrawFn) -> list[Event]:
    """Any events at any times: pedals, pitches struck again, notes of no length."""
    kinds = st.sampled_from(["on", "on", "off", "pedal"])
    times = draw(st.lists(st.floats(0, 3), max_size=40).map(sorted))
    events: list[Event] = []
    for time in times:
        kind, pitch, part = draw(kinds), draw(st.integers(60, 63)), draw(st.integers(0, 1))
        if kind == "on":
            events.append(NoteOn(time, pitch, draw(st.integers(1, 127)), part))
        elif kind == "off":
            events.append(NoteOff(time, pitch, part))
        else:
            events.append(Pedal(time, draw(st.booleans()), part))
    return [*events, *(NoteOff(3.5, p, part) for p in range(60, 64) for part in (0, 1))]


@given(performances())
def test_without_augmentation_the_ids_are_the_tokenizers(events: list[Event]) -> None:
    piece = encode_exactly(events)
    assert piece.ids.tolist() == encode(events)
    assert piece.offsets.dtype == np.int8 and len(piece.offsets) == len(piece.ids)
    played = augment(piece, np.random.default_rng(0), NO_AUGMENTATION, BY_HAND)
    assert played.tolist() == encode(events)


@st.composite
def odd_times(draw: st.DrawFn) -> list[Event]:
    """Notes of four steps and more at odd 256ths of a step, where nothing is on a step's edge."""
    part = STEP / PARTS
    events: list[Event] = [NoteOn(0.0, 50, 64), NoteOff(1201 * part, 50)]
    for pitch in range(60, 60 + draw(st.integers(1, 4))):
        now = 0
        for _ in range(draw(st.integers(1, 8))):
            now += 2 * draw(st.integers(600, 20_000))
            length = 2 * draw(st.integers(600, 20_000))
            events.append(NoteOn((now + 1) * part, pitch, draw(st.integers(1, 127))))
            now += length
            events.append(NoteOff((now + 1) * part, pitch))
    return in_order(events)


@given(odd_times(), st.sampled_from([0.875, 1.0, 1.125]))
def test_a_time_is_rounded_once(events: list[Event], tempo: float) -> None:
    """What is stretched is what the encoder writes of events that were stretched."""
    piece, rng = encode_exactly(events), np.random.default_rng(0)
    limits = replace(NO_AUGMENTATION, tempo=(tempo, tempo))
    found = {tuple(augment(piece, rng, limits, BY_HAND).tolist()) for _ in range(12)}
    stretched = [replace(event, time=event.time * tempo) for event in events]
    assert found == {tuple(encode(events)), tuple(encode(stretched))}  # every other one is


def test_the_beat_is_kept_on_average() -> None:
    """Sixteenths at 127 bpm are 11.81 steps: once rounded they would be 12 for ever."""
    gap = 60 / 127 / 4
    events = [e for i in range(2) for e in (NoteOn(i * gap, 60, 64), NoteOff(i * gap + 0.1, 60))]
    piece, rng = encode_exactly(events), np.random.default_rng(0)
    limits = replace(NO_AUGMENTATION, late=1.0)
    gaps = [np.diff(notes_of(augment(piece, rng, limits, BY_HAND)).on)[0] for _ in range(600)]
    assert set(gaps) == {11, 12} and abs(np.mean(gaps) - 100 * gap) < 0.06


def played(limits: Augmentation, stream: Component, times: int = 400) -> list[Notes]:
    """A hundred notes just before a step's end, where the least jitter shows."""
    onsets = [i / 4 + 0.0049 for i in range(100)]
    events = [e for on in onsets for e in (NoteOn(on, 60, 65), NoteOff(on + 0.2, 60))]
    piece, rng = encode_exactly(events), np.random.default_rng(5)
    return [notes_of(augment(piece, rng, limits, stream)) for _ in range(times)]


def test_how_even_the_loudness_is_is_drawn_for_each_playing() -> None:
    spreads = [
        notes.velocity.std() for notes in played(replace(NO_AUGMENTATION, uneven=14), BY_HAND)
    ]
    none = np.mean(np.array(spreads) == 0)
    assert abs(none - EVEN) < 0.06, "bins hide the smallest"
    assert 12.5 < max(spreads) < 17 and 5 < np.mean(spreads) < 7
    counts, _ = np.histogram(spreads, 4, (0, 14))
    assert counts.min() > 50


def test_some_playings_have_one_velocity() -> None:
    piece = encode_exactly(work(3))
    rng = np.random.default_rng(1)
    limits = replace(NO_AUGMENTATION, fixed=0.25)
    all_notes = [notes_of(augment(piece, rng, limits, BY_HAND)) for _ in range(300)]
    fixed = [notes.velocity[0] for notes in all_notes if np.ptp(notes.velocity) == 0]
    assert 50 < len(fixed) < 100 and min(fixed) >= FIXED[0] - 2 and max(fixed) <= FIXED[1]
    assert len(set(fixed)) > 10


def test_how_steady_the_time_is_is_drawn_for_each_playing_of_what_was_not_timed_by_hand() -> None:
    rendered = replace(BY_HAND, jitter=0.008)
    gaps = [np.diff(notes.on) for notes in played(NO_AUGMENTATION, rendered)]
    spreads = np.array([gap.std() / np.sqrt(2) for gap in gaps])  # steps
    assert abs(np.mean(spreads == 0) - STEADY) < 0.06
    assert 1.3 < spreads.max() < 1.9
    by_hand = [np.diff(notes.on).std() for notes in played(Augmentation(tempo=(1, 1)), BY_HAND)]
    assert set(by_hand) == {0.0}


def test_the_tempo_of_what_was_not_timed_by_hand_wanders() -> None:
    rendered = replace(BY_HAND, jitter=1e-9)
    limits = replace(NO_AUGMENTATION, drift=0.03)
    lengths = np.array([np.ptp(notes.on) for notes in played(limits, rendered)])
    assert 0.002 < (lengths / 2475).std() < 0.02
    slow = [notes.on[::16] for notes in played(limits, rendered, 50)]
    tempi = np.array([np.diff(on) / 400 for on in slow])
    assert np.abs(tempi - 1).max() > 0.02 and np.abs(tempi - 1).max() < 0.12
