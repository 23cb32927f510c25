"""Quoting: what was played before is likelier to come again, by the share that is told, and only
what the performer played."""

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from segue_export.judge.evaluate import softmax
from segue_export.judge.quoting import nats_of, quoted
from segued.arrays import Floats
from segued.generation.focus import HALVED_AFTER
from segued.generation.improviser import Improviser
from segued.generation.shaping import Playing
from segued.recall import history
from segued.recall.history import MOST, History
from segued.recall.mixture_weights import LONGEST, id_shares
from segued.recall.quoting import Match, Place, Quotes
from segued.tokens.events import MODEL_PART, NoteOff, NoteOn
from segued.tokens.vocabulary import PERFORMANCE

from ..support.fakes import FoldingModel, tokens

SYMBOLS = st.lists(st.integers(0, 3), max_size=200)
IDS = st.lists(st.sampled_from(tokens("on60 on64 on67 off60 off64 t10 t12 v16 v20")), max_size=150)
THEME = tokens("v19 on60 t20 off60 on64 t20 off64 on67 t20 off67 on72 t40 off72")


def longest_before(symbols: list[int], shortest: int) -> tuple[int, int]:
    """By trying every place: after which one the longest passage stands that the end agrees with,
    of those that hold at least `shortest`, and how long it is."""
    best = (-1, 0)
    for place in range(len(symbols)):
        agree = 0
        while agree < min(place, MOST) and symbols[place - 1 - agree] == symbols[-1 - agree]:
            agree += 1
        if agree >= shortest and agree >= best[1]:
            best = (place, agree)
    return best


@given(SYMBOLS)
def test_a_trail_finds_what_there_is(symbols: list[int]) -> None:
    trail = History((5, 3))
    for symbol in symbols:
        trail.add(symbol)
    tail = b"".join(s.to_bytes(2, "little") for s in symbols)[-2 * MOST :]
    place, agree = trail.find(tail)
    _, longest = longest_before(symbols, 3)
    assert (place >= 0) == (longest >= 3)
    if place >= 0:
        assert symbols[place - agree : place] == symbols[len(symbols) - agree :]
        assert 3 <= agree <= longest


def test_a_trail_keeps_so_much_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "KEPT", 64)
    trail = History((3,))
    for symbol in [1, 2, 3, 4, *range(10, 60), 1, 2, 3]:
        trail.add(symbol)
    tail = bytes([1, 0, 2, 0, 3, 0])
    assert trail.at(trail.find(tail)[0]) == 4
    for symbol in range(60, 71):
        trail.add(symbol)
    assert trail.find(tail) == (57, 3)  # the later one, which 60 follows
    assert [trail.at(place) for place in (3, 4, 67, 68)] == [-1, 10, 70, -1]
    assert trail.kept == 64


def test_passages_that_share_a_slot_are_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "SLOTS", 1)
    trail = History((3,))
    for symbol in [1, 2, 3, 4, 5, 6, 7]:
        trail.add(symbol)
    assert trail.find(bytes([1, 0, 2, 0, 3, 0])) == (-1, 0)  # its slot went to 4 5 6
    assert trail.find(bytes([4, 0, 5, 0, 6, 0])) == (6, 3)


@given(SYMBOLS, SYMBOLS)
def test_a_spot_follows_as_if_it_were_looked_up(heard: list[int], more: list[int]) -> None:
    """It never agrees in less than looking it up anew finds, and what agrees, does."""
    trail = History((5, 3))
    for symbol in heard:
        trail.add(symbol)
    spot = Match()
    for i, symbol in enumerate(more):
        spot = spot.after(symbol, trail)
        assert spot.tail == b"".join(s.to_bytes(2, "little") for s in more[: i + 1])[-2 * MOST :]
        assert spot.agree >= trail.find(spot.tail)[1]
        if spot.place >= 0 and spot.agree <= MOST:
            assert heard[spot.place - spot.agree : spot.place] == more[i + 1 - spot.agree : i + 1]
        assert spot.agree <= LONGEST


@given(IDS, st.floats(0.0, 1.0), st.integers(0, 2**32 - 1))
def test_leaning_is_the_mixture_that_is_evaluated(
    ids: list[int], strength: float, seed: int
) -> None:
    logits = np.random.default_rng(seed).normal(size=len(PERFORMANCE)).astype(np.float32) * 3
    quotes, place = Quotes(PERFORMANCE), Place()
    for id in ids:
        place = quotes.performed(place, id)
    before = logits.copy()
    leaned = quotes.lean(logits, place, strength)
    assert np.array_equal(logits, before)  # the model's own are left alone
    assert np.isfinite(leaned).all()
    id, share, next_ons, on_shares = quotes.quoted(place)
    chances, after = softmax(logits[None])[0], softmax(leaned[None])[0]
    ons = slice(0, 128)
    wanted = chances.copy()
    wanted[ons] *= 1.0 - strength * sum(on_shares)
    for on, on_share in zip(next_ons, on_shares, strict=True):
        wanted[on] += strength * on_share * chances[ons].sum()
    if id >= 0:
        wanted *= 1.0 - strength * share
        wanted[id] += strength * share
    assert after == pytest.approx(wanted, abs=1e-5)
    assert (leaned is logits) == (strength * (share + sum(on_shares)) == 0.0)


@given(IDS, st.integers(0, 2**32 - 1))
def test_a_piece_is_evaluated_as_it_would_be_played(ids: list[int], seed: int) -> None:
    if len(ids) < 2:
        return
    rows = np.random.default_rng(seed).normal(size=(len(ids) - 1, len(PERFORMANCE)))
    piece = np.array(ids)
    nats = nats_of(softmax(rows), piece[1:], quoted(piece))
    quotes, place = Quotes(PERFORMANCE), Place()
    for i, id in enumerate(ids[:-1]):
        place = quotes.performed(place, id)
        leaned = softmax(quotes.lean(rows[i].astype(np.float32), place, 1.0)[None])[0]
        assert -math.log(leaned[ids[i + 1]]) == pytest.approx(nats[i], abs=1e-3)


def test_a_theme_that_comes_again_is_foretold() -> None:
    piece = np.array([*THEME, *tokens("t100 t100"), *THEME])
    even = np.full((len(piece) - 1, len(PERFORMANCE)), 1 / len(PERFORMANCE))
    nats = nats_of(even, piece[1:], quoted(piece))
    assert nats[: len(THEME)] == pytest.approx(math.log(388))
    assert nats[-5:].max() < 1.0 < nats[len(THEME) :][:3].min()


def played(part: int, quoting: float, anew: bool = False, seconds: float = 1.5) -> list[int]:
    """Twice a theme, then half of it; the pitches of the reply."""
    improviser = Improviser(FoldingModel(), Playing(quoting=quoting, lookahead=0.1))
    time = 0.0
    for number, count in enumerate((8, 8, 4)):
        if anew and number == 2:
            improviser.forget()
        for pitch in [60, 64, 67, 72, 71, 67, 65, 62][:count]:
            improviser.hear(NoteOn(time, pitch, 80, part))
            improviser.hear(NoteOff(time + 0.2, pitch, part))
            time += 0.25
    improviser.advance(time)
    improviser.prepare(time, seconds)
    pitches = []
    while improviser.reply is not None:
        while improviser.think(time):
            pass
        time = max(time, improviser.next_due or time)
        while (token := improviser.due(time)) is not None:
            pitches += [event.pitch for event in token.events if isinstance(event, NoteOn)]
        improviser.advance(time)
    return pitches


def test_the_reply_comes_back_to_what_the_performer_played() -> None:
    assert played(part=0, quoting=1.0)[:2] == [71, 67]
    assert played(part=0, quoting=0.0)[:2] != [71, 67]


def test_it_does_not_quote_itself_nor_what_it_was_told_to_forget() -> None:
    without = played(MODEL_PART, quoting=0.0)
    assert played(MODEL_PART, quoting=1.0) == without
    assert played(0, quoting=1.0, anew=True) == played(0, quoting=0.0, anew=True)


def test_by_itself_it_quotes_less_and_less(monkeypatch: pytest.MonkeyPatch) -> None:
    strengths: list[float] = []

    def lean(self: Quotes, logits: Floats, place: Place, strength: float) -> Floats:
        strengths.append(strength)
        return logits

    monkeypatch.setattr(Quotes, "lean", lean)
    played(part=0, quoting=0.8, seconds=2 * HALVED_AFTER)
    assert strengths[0] == pytest.approx(0.8, abs=0.01)
    assert all(later <= before for before, later in pairwise(strengths))
    assert strengths[-1] <= 0.8 * 0.5**1.9  # and some may come while the last notes end


def test_the_tune_goes_on_through_what_the_model_played_of_it() -> None:
    tune = tokens("on60 on64 on67 on72 on71 on67 on65 on62 on64 on69 on72 on76")
    quotes = Quotes(PERFORMANCE)
    quotes.learn([*tune, *tokens("on30 on35 on31 on36 on32 on37 on33 on38 on34"), *tune[:4]])
    assert quotes.quoted(quotes.place(tune[:4])).ons[:2] == (71, 67)
    for id in tune[4:6]:
        quotes.answered(id)
    assert quotes.quoted(quotes.place(tune[:6])).ons[:2] == (65, 62)
    quotes.learn(tune[4:5])  # the performer takes over, at their own place
    assert quotes.quoted(quotes.place(tune[:5])).ons[:2] == (67, 65)


def test_where_the_pitches_agree_their_rhythm_is_tried() -> None:
    """The theme, then the same pitches from elsewhere: what stood between them is likelier."""
    rhythm = tokens("on60 t20 off60 on62 t20 off62 on64 t20 off64 on65 t20 off65 on67 t20 off67")
    other = tokens("t33 on60 t31 off60 on62 t31 off62 on64 t31 off64 on65 t31 off65 on67")
    quotes, place = Quotes(PERFORMANCE), Place()
    quotes.learn([*tokens("v19"), *rhythm, *tokens("on69")])
    for id in other:
        place = quotes.after(place, id)
    for agree, expected in enumerate(tokens("t20 off67 on69"), start=1):
        id, share, *_ = quotes.quoted(place)
        assert id == expected and share == id_shares(PERFORMANCE)[id][agree] >= 0.1
        place = quotes.after(place, id)
    assert quotes.quoted(place)[0] == -1  # there the theme ends
    lost = Place()
    for id in [*other, *tokens("t31 off67")]:
        lost = quotes.after(lost, id)
    assert quotes.quoted(lost)[0] == -1  # another rhythm
    assert quotes.quoted(lost).ons[0] == 69  # but the same pitches
