"""A network of chords played id by id: its own chances, the performer's rhythm, and never stuck."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from segued.arrays import Floats
from segued.model.chord_model import ChordModel
from segued.tokens.chord_vocabulary import SILENCE, ChordVocabulary
from segued.tokens.events import NoteOff, NoteOn
from segued.tokens.tokenizer import encode
from segued.tokens.vocabulary import NOTE_OFF, NOTE_ON, PERFORMANCE, TIME_SHIFT, VELOCITY
from segued.tools.render import perform

from ..support.fakes import Session, Synth, Timed, note_off, note_on, settings, tokens, words
from ..support.performers import SETTINGS, performances

CHORDS = [(60,), (62,), (64,), (60, 64), (60, 64, 67), (60, 67), (62, 65), (48, 60, 64)]
NOTES = ChordVocabulary(CHORDS)
ON, OFF = PERFORMANCE.ids(NOTE_ON), PERFORMANCE.ids(NOTE_OFF)
SHIFT, LOUD = PERFORMANCE.ids(TIME_SHIFT), PERFORMANCE.ids(VELOCITY)
TAP = [(0.0, note_on(60)), (0.2, note_off(60))]


class FoldingSymbols:
    """A network over symbols whose state is folded from all of them and whose logits are a hash."""

    def __init__(self, notes: ChordVocabulary = NOTES) -> None:
        self.info, self.device = {"precision": "fake"}, "cpu"
        self.taken: list[int] = []
        self._size = len(notes)
        self._table = np.random.default_rng(9).normal(0.0, 2.0, 4096 + self._size)

    def initial_state(self) -> Floats:
        return np.zeros(3, np.float32)

    def step(self, ids: Sequence[int], state: Floats) -> tuple[Floats, Floats]:
        self.taken += ids
        folded = state.astype(np.int64)
        for id in ids:
            folded = (folded * np.array([31, 57, 101]) + id + 1) % 65521
        start = int(folded.sum()) % 4096
        return self._table[start : start + self._size].astype(np.float32), folded.astype(np.float32)

    def run(self, tokens: np.ndarray, state: Floats) -> tuple[Floats, Floats]:
        assert len(tokens) == len(state) == 1
        logits, after = self.step(tokens[0].tolist(), state[0])
        return np.tile(logits, (1, tokens.shape[1], 1)), after[np.newaxis]


def made(window: int = 3, carried: bool = True) -> tuple[ChordModel, FoldingSymbols]:
    network = FoldingSymbols()
    return ChordModel(network, NOTES, window, carried), network


MODEL = made()[0]


def after(performance: str, model: ChordModel = MODEL) -> tuple[Floats, Floats]:
    return model.step(tokens(performance), model.initial_state())


def chances(logits: Floats) -> np.ndarray:
    weights = np.exp(logits.astype(np.float64) - logits.max())
    shares: np.ndarray = weights / weights.sum()
    return shares


def symbols_after(symbols: Sequence[int], padding: int = 3) -> np.ndarray:
    """What the network itself gives for each chord, silence left out."""
    network = FoldingSymbols()
    logits, _ = network.step([SILENCE] * padding + [*symbols], network.initial_state())
    logits[SILENCE] = -np.inf
    return chances(logits)


def test_the_network_hears_silence_and_then_the_chords() -> None:
    model, network = made(window=5)
    assert network.taken == [SILENCE] * 5
    after("v20 on60 t50 off60 on48 on60 on64 t4 on72 t1 off48 t1 off60 t20", model)
    assert network.taken[5:] == [NOTES.id((60,)), NOTES.id((48, 60, 64))]  # 72 is not known


def test_a_chord_waits_until_it_is_over() -> None:
    model, network = made()
    _, state = after("v20 on60 t5", model)
    assert len(network.taken) == 3
    _, state = model.step(tokens("on67"), state)
    model.step(tokens("t1"), state)
    assert network.taken[3:] == [NOTES.id((60, 67))]


def test_a_network_of_windows_hears_the_last_one_anew() -> None:
    model, network = made(window=3, carried=False)
    _, state = after("v20 on60 t50 off60 on62 t50 off62", model)
    _, state = model.step(tokens("on64 t50"), state)
    _, state = model.step(tokens("off64 on60 t50"), state)
    one, two, three = (NOTES.id((p,)) for p in (60, 62, 64))
    windows = [network.taken[i : i + 3] for i in range(0, len(network.taken), 3)]
    assert windows == [[0, 0, 0], [0, 0, one], [0, one, two], [one, two, three], [two, three, one]]
    carried = made(window=3)[0]
    assert model.state_size == carried.state_size  # three symbols, or three numbers of state


@pytest.mark.parametrize("heard", ["", "v20 on62 t20 off62 t5", "v20 on60 on64 t20 off60 off64 t5"])
def test_a_chord_has_the_networks_own_probability(heard: str) -> None:
    """Note by note from the lowest, and the end: multiplied, that is what the network says."""
    before = [
        NOTES.nearest(c) for c in ([] if not heard else [(62,)] if "62" in heard else [(60, 64)])
    ]
    expected = symbols_after(before)
    start = MODEL.initial_state()
    logits, state = MODEL.step(tokens(heard), start) if heard else MODEL.step([LOUD[0]], start)
    assert expected.sum() == pytest.approx(1.0) and len(expected) == 1 + len(CHORDS)
    for chord in CHORDS:
        probability, now, at = 1.0, logits, state
        for pitch in chord:
            share = chances(now[ON.start : ON.stop] if now is logits else now)
            probability *= share[pitch]
            now, at = MODEL.step([ON[pitch]], at)
        ends = chances(now)[SHIFT.start : SHIFT.stop]
        probability *= ends.sum()
        assert ends.max() == pytest.approx(ends.sum())
        assert probability == pytest.approx(expected[NOTES.id(chord)], rel=1e-4)


def test_only_known_chords_are_likely() -> None:
    logits, state = after("v20 on62 t20 off62 t5")
    likely = chances(logits) > 1e-12
    assert [ON[p] for p in (48, 60, 62, 64)] == np.flatnonzero(likely).tolist()
    logits, _ = MODEL.step([ON[60]], state)
    assert [*np.flatnonzero(chances(logits)[: ON.stop] > 1e-12)] == [64, 67]
    logits, _ = MODEL.step([ON[61]], state)  # what begins no chord is one, and over
    assert chances(logits)[SHIFT.start : SHIFT.stop].max() == pytest.approx(1.0)


def greedy(state: Floats, logits: Floats, count: int) -> list[int]:
    ids = []
    for _ in range(count):
        ids.append(int(logits.argmax()))
        logits, state = MODEL.step(ids[-1:], state)
    return ids


def test_rhythm_length_and_loudness_are_the_performers() -> None:
    logits, state = after("v20 on60 t30 off60 t10 v25 on62 t60 off62 on64 t20 off64 t80")
    played = words(greedy(state, logits, 60)).replace("on64", "on60").replace("on62", "on60")
    played = played.replace("on48", "on60")
    times = [word for word in played.split() if word[0] in "vt"]
    assert times[:2] == ["v20", "t30"]
    ids = greedy(state, logits, 200)
    onsets, step = [], 0
    for kind, value in map(PERFORMANCE.token, ids):
        if kind == TIME_SHIFT:
            step += value
        elif kind == NOTE_ON and step not in onsets:
            onsets.append(step)
    gaps = np.diff(onsets)
    assert gaps[:7].tolist() == [40] * 7 and gaps[7] == 60 and gaps[8] == 40


def test_a_gap_beyond_the_longest_shift() -> None:
    logits, state = after("v20 on60 t100 t50 off60 on62 t100 t50 off62 t100 t10")
    ids = greedy(state, logits, 8)
    text = words([id for id in ids if id not in ON and id not in OFF])
    assert text.startswith("t100 t50 t100 t50")


def test_states_are_values() -> None:
    logits, state = after("v20 on60 t20 off60 t5")
    kept = state.copy()
    one, first = MODEL.step([ON[60]], state)
    MODEL.step([ON[62]], state)
    MODEL.step([SHIFT[3]], first)
    again, same = MODEL.step([ON[60]], state)
    np.testing.assert_array_equal(state, kept)
    np.testing.assert_array_equal(one, again)
    np.testing.assert_array_equal(first, same)
    assert not np.shares_memory(first, same) and not np.shares_memory(MODEL.initial_state(), first)
    assert state.dtype == logits.dtype == np.float32
    assert state.shape == (MODEL.state_size,) and logits.shape == (len(PERFORMANCE),)


@given(st.lists(st.integers(0, 387), min_size=1, max_size=60), st.data())
def test_any_ids_however_cut_into_steps(ids: list[int], data: st.DataObject) -> None:
    logits, state = MODEL.step(ids, MODEL.initial_state())
    assert np.isfinite(logits).all()
    cut = data.draw(st.integers(1, len(ids)))
    now, at = MODEL.step(ids[:cut], MODEL.initial_state())
    for id in ids[cut:]:
        now, at = MODEL.step([id], at)
    np.testing.assert_array_equal(at, state)
    np.testing.assert_array_equal(now, logits)


def test_a_step_needs_an_id() -> None:
    with pytest.raises(ValueError, match="at least one"):
        MODEL.step([], MODEL.initial_state())


def test_a_silence_without_end() -> None:
    """Counters stay within what float32 counts exactly."""
    state = MODEL.initial_state()
    state[-5] = 2.0**24
    for _ in range(3):
        _, state = MODEL.step(tokens("t100"), state)
    assert state[-5] == 2.0**24


# --- played by the daemon ---


def phrase(gap: float, length: float, count: int = 10, velocity: int = 81) -> list[Timed]:
    return [
        timed
        for i in range(count)
        for timed in (
            (gap * i, note_on((60, 62, 64)[i % 3], velocity)),
            (gap * i + length, note_off((60, 62, 64)[i % 3])),
        )
    ]


def onsets(played: list[Timed]) -> list[float]:
    return sorted({time for time, message in played if message[0] & 0xF0 == 0x90})


@pytest.mark.parametrize("gap", [0.15, 0.4, 1.3])
def test_a_reply_comes_in_the_performers_pace(gap: float) -> None:
    config = settings("turns.reply_length=12", "steering.ending=0")
    played = perform(MODEL, config, phrase(gap, gap * 0.8), seed=3)
    times = onsets(played)
    assert len(times) == pytest.approx(12 / gap, abs=2)
    np.testing.assert_allclose(np.diff(times), gap, atol=0.011)
    assert {m[2] for _, m in played if m[0] & 0xF0 == 0x90} == {83}  # the middle of 81's bin
    chords = {
        t: tuple(sorted(m[1] for at, m in played if at == t and m[0] & 0xF0 == 0x90)) for t in times
    }
    assert {*chords.values()} <= {*CHORDS} and len({*chords.values()}) > 3


def test_notes_end_as_the_performers_do() -> None:
    config = settings("turns.reply_length=5", "steering.ending=0")
    played = perform(MODEL, config, phrase(0.5, 0.2), seed=3)
    ends = sorted({time for time, message in played if message[0] & 0xF0 == 0x80})
    np.testing.assert_allclose(np.array(ends) - onsets(played), 0.2, atol=0.011)


def test_pitches_stay_in_range() -> None:
    config = settings("turns.reply_length=10", "sampling.lowest_pitch=61")
    played = perform(MODEL, config, phrase(0.2, 0.15), seed=1)
    assert {m[1] for _, m in played if m[0] & 0xF0 == 0x90} <= {*range(61, 109)}
    assert len(onsets(played)) > 20


@given(performances(), SETTINGS, st.integers(0, 9))
def test_whatever_is_played_to_it_nothing_hangs(
    performance: list[Timed], lines: tuple[str, ...], seed: int
) -> None:
    synth, played = Synth(deaf=True), perform(MODEL, settings(*lines), performance, seed, 20.0)
    for _, message in played:
        synth.take(message)
    assert synth.sounding == set()
    assert perform(made()[0], settings(*lines), performance, seed, 20.0) == played


@given(performances(), SETTINGS, st.integers(0, 9))
def test_the_memory_is_that_of_what_was_heard(
    performance: list[Timed], lines: tuple[str, ...], seed: int
) -> None:
    """However often a reply was interrupted: the state is a value."""
    session = Session(MODEL, settings(*lines), seed)
    session.play(performance)
    session.until(session.now + 3.0)
    session.silence()
    if session.heard:
        _, state = MODEL.step(session.heard, MODEL.initial_state())
        np.testing.assert_array_equal(session.player.improviser.context.state, state)


def test_a_note_that_the_performer_holds_stops_nothing() -> None:
    held = [(0.0, note_on(48)), (0.0, note_on(60))]
    performance = [*held, *[(t + 0.5, m) for t, m in phrase(0.2, 0.15) if m[1] != 60]]
    played = perform(MODEL, settings("turns.reply_length=8"), performance, seed=2, seconds=15.0)
    assert not [m for _, m in played if m[0] & 0xF0 == 0x90 and m[1] in (48, 60)]


def test_what_was_heard_is_told_by_events_as_well() -> None:
    ids = encode([NoteOn(0, 60, 80), NoteOff(0.3, 60), NoteOn(0.4, 64, 80), NoteOff(0.6, 64)])
    model, network = made()
    model.step(ids, model.initial_state())
    assert network.taken[3:] == [NOTES.id((60,)), NOTES.id((64,))]


@pytest.mark.parametrize("last", [0.15, 0.9])
def test_turns_by_expectation(last: float) -> None:
    """Once the next onset is overdue the performer has stopped."""
    config = settings("turns.by=expectation", "turns.shortest_wait=0.1", "turns.reply_length=3",
                      "sync.launch_quantize=now")  # fmt: skip
    performance = [*phrase(0.3, 0.15), (3.0, note_on(62)), (3.0 + last, note_off(62))]
    session = Session(MODEL, config, seed=4)
    session.play(performance)
    session.until(6.0)
    begin = min(time for time in onsets(session.replies) if time > 3.0)
    assert 3.1 + last <= begin <= 3.05 + max(0.3, last + 0.1)
