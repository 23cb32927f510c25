"""Does a reply resemble what really came next? The continuation test.

Twenty seconds of real music are heard, then the model plays ten; they are compared with the ten
that really came (see `features`). Marks of the same files stand beside that figure:

- `floor`: ten seconds of other pieces, against the ten that came. What any music of this kind has
  in common with them, had it heard nothing of this piece.
- `ceiling`: the ten seconds that came after those, against them. Real music with itself, as near
  as it comes. No musician who had not heard the piece could be expected to come much nearer.
- `echo`: the last ten seconds that were heard, against them. A parrot would reach that, and it is
  about the ceiling: the test tells whether a reply is in the piece's manner, not whether it is a
  good idea. So `new`, for replies and for what really came, is how much is not mere repetition:
  the share of runs of five successive highest notes that did not occur in what was heard.

`share` is how far from the floor to the ceiling the replies are. Confidence is by bootstrap over
pieces: passages of one piece resemble each other.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
from segued.control.knobs import Knobs
from segued.errors import DataError
from segued.generation.best_of_n import NOTICE
from segued.generation.context import StepModel
from segued.generation.improviser import Improviser
from segued.generation.shaping import Playing
from segued.generation.steering import Steering
from segued.midi.notes import Note
from segued.settings.config import Config
from segued.tokens.events import MODEL_PART, Event, NoteOff, NoteOn
from segued.tokens.tokenizer import decode
from segued.tokens.vocabulary import PERFORMANCE

from ..corpus.pieces import Pieces
from ..report import progress
from .bootstrap import interval, redraws
from .features import FEATURES, chords, notes_of, overlaps, values_of
from .player_pool import player_pool

PROMPT, REPLY = 20.0, 10.0  # seconds
FEWEST = 12  # notes that a passage needs to be compared at all
FLOORS = 10  # passages of other pieces that a passage is compared with
RUN = 5  # successive highest notes that are a figure of their own
ATTEMPTS = 20  # places that are tried for each that is wanted


@dataclass(frozen=True)
class Passage:
    """A place in a piece: its notes, with the pedal applied, a time in it, and its number."""

    notes: Sequence[Note]
    cut: float
    piece: int


@dataclass(frozen=True)
class Turn:
    """One reply to be played: what was heard, until when, and how to play."""

    heard: Sequence[Event]
    cut: float
    playing: Playing


Row = dict[str, dict[str, float]]
"""For a passage: group (reply, floor, ceiling, echo) -> feature -> overlap with the original."""


def playing_of(config: Config, seed: int) -> Playing:
    """How the daemon would play under these settings."""
    return Steering(
        config.sampling, config.turns.lookahead, config.sync, Knobs(config.knobs()), seed
    ).playing


def play_on(model: StepModel, turn: Turn) -> list[Note]:
    """The model hears the passage and plays on for REPLY seconds.

    What sounds at the cut is the model's to end, as if it had played all of it itself; but it may
    quote all of it, as if the performer had. The reply is
    taken as announced in time for several candidates, as it is after a performer's silence.
    """
    improviser = Improviser(model, turn.playing)
    for event in turn.heard:
        improviser.hear(event)
        improviser.context.quotes.hear(event)
    now = turn.cut + 2.0 / PERFORMANCE.steps_per_second
    improviser.advance(now)
    improviser.prepare(now, REPLY, now=now - NOTICE)
    played: list[Event] = []
    while improviser.reply is not None:
        while improviser.think(now):
            pass
        now = max(now, improviser.next_due or now)
        improviser.advance(now)
        while (token := improviser.due(now)) is not None:
            played += token.events
    return notes_of(played)


def heard_events(notes: Sequence[Note], start: float, end: float) -> list[Event]:
    """The events of a passage in order, note-offs before note-ons."""
    events: list[NoteOn | NoteOff] = []
    for note in notes:
        if start <= note.start < end:
            events.append(NoteOn(note.start, note.pitch, note.velocity, MODEL_PART))
            if note.end < end:
                events.append(NoteOff(note.end, note.pitch, MODEL_PART))
    return sorted(events, key=lambda event: (event.time, isinstance(event, NoteOn)))


def passages(music: Pieces, count: int, seed: int) -> list[Passage]:
    """Up to `count` places with enough real music before and after them, spread over the pieces.

    Each piece has as many as any other, give or take one, at random places of equal parts of it.
    DataError when there is none.
    """
    rng = np.random.default_rng(seed)
    pieces = [notes for notes in map(_notes, music) if _long_enough(notes)]
    if not pieces:
        raise DataError(f"no piece is longer than {PROMPT + 2 * REPLY:g} seconds")
    found = list(islice(_places(pieces, -(-count // len(pieces)), rng), count))
    if not found:
        raise DataError(f"no {REPLY:g} seconds have {FEWEST} notes and neighbours that do, too")
    return sorted(found, key=lambda p: (p.piece, p.cut))


def _places(
    pieces: Sequence[list[Note]], parts: int, rng: np.random.Generator
) -> Iterator[Passage]:
    for attempt in range(ATTEMPTS):
        for part in rng.permutation(parts) if attempt == 0 else rng.integers(0, parts, parts):
            for i in rng.permutation(len(pieces)):
                place = _place(pieces[i], (part + rng.random()) / parts, int(i))
                if place is not None:
                    yield place


def _notes(ids: np.ndarray) -> list[Note]:
    return notes_of(decode(ids.tolist()))


def _long_enough(notes: list[Note]) -> bool:
    return bool(notes) and notes[-1].start - notes[0].start > PROMPT + 2 * REPLY


def _place(notes: list[Note], share: float, piece: int) -> Passage | None:
    first, last = notes[0].start + PROMPT, notes[-1].start - 2 * REPLY
    cut = first + share * (last - first)
    starts = np.array([n.start for n in notes])
    spans = [(cut - PROMPT, cut), (cut, cut + REPLY), (cut + REPLY, cut + 2 * REPLY)]
    spans.append((cut - REPLY, cut))
    if all(((starts >= a) & (starts < b)).sum() >= FEWEST for a, b in spans):
        return Passage(notes, cut, piece)
    return None


def continuation_test(
    model: StepModel | Path, places: Sequence[Passage], config: Config,
    replies: int = 1, seed: int = 1, workers: int = 1, hear: float = PROMPT,
) -> dict[str, dict[str, float]]:  # fmt: skip
    """For each feature the mean overlap with what really came, its marks, and `share`.

    A value NAME has NAME_low and NAME_high, which bound it with 95 % confidence (`low` and `high`
    those of `reply`). It hears `hear` seconds before each place, or what there is. The last row,
    `new`, has `reply` and `real` only. With several `workers` the model must be the path of its
    file. The same arguments give the same result, whatever the number
    of workers. DataError when all passages are of one piece: the floor is that of others.
    """
    if len({place.piece for place in places}) < 2:
        raise DataError("the continuation test needs passages of two pieces or more")
    rows = replies_compared(model, places, config, replies, seed, workers, hear)
    return _summary(rows, np.array([place.piece for place in places]), seed)


def replies_compared(
    model: StepModel | Path, places: Sequence[Passage], config: Config,
    replies: int = 1, seed: int = 1, workers: int = 1, hear: float = PROMPT,
) -> list[Row]:  # fmt: skip
    """The overlaps of replies and of the other groups with the original, for each passage.

    The arguments are those of `continuation_test`.
    """
    turns = []
    for i, place in enumerate(places):
        heard = heard_events(place.notes, place.cut - hear, place.cut)
        for number in range(replies):
            own_seed = int(np.random.SeedSequence((seed, i, number)).generate_state(1)[0])
            turns.append(Turn(heard, place.cut, playing_of(config, own_seed)))
    with player_pool(model, workers, play_on) as play_all:
        replied = play_all(turns)
        played = list(progress(replied, "playing on", len(turns), unit="reply", leave=False))
    return [
        _compare(i, places, played[i * replies : (i + 1) * replies], seed)
        for i in range(len(places))
    ]


def _compare(i: int, places: Sequence[Passage], replies: Sequence[list[Note]], seed: int) -> Row:
    """One passage: group (reply, floor, ceiling, echo) to feature to overlap with the real.

    The passages of its floor depend on the seed and the place only, so that different models and
    settings are held against the same.
    """
    place, rng = places[i], np.random.default_rng((seed, i))

    def real(other: Passage, after: float) -> dict[str, np.ndarray]:
        return values_of(other.notes, other.cut + after, REPLY)

    strangers = [p for p in places if p.piece != place.piece]
    chosen = [strangers[k] for k in rng.integers(0, len(strangers), FLOORS)]
    begin = place.cut + 0.02
    groups = {
        "reply": [values_of(reply, begin, REPLY) for reply in replies],
        "ceiling": [real(place, REPLY)],
        "echo": [real(place, -REPLY)],
        "floor": [real(other, 0.0) for other in chosen],
    }
    row = overlaps(real(place, 0.0), groups, rng)
    old = _runs(place.notes, place.cut - PROMPT, place.cut)
    new = [_share_new(_runs(reply, begin, begin + REPLY), old) for reply in replies]
    row["reply"]["new"] = float(np.mean(new))
    row["real"] = {"new": _share_new(_runs(place.notes, place.cut, place.cut + REPLY), old)}
    return row


def _runs(notes: Sequence[Note], start: float, end: float) -> list[tuple[float, ...]]:
    """All runs of RUN successive highest notes."""
    inside = [n for n in notes if start <= n.start < end]
    tops = chords(np.array([n.start for n in inside]), np.array([float(n.pitch) for n in inside]))
    pitches = tops[1].tolist()
    return [tuple(pitches[k : k + RUN]) for k in range(len(pitches) - RUN + 1)]


def _share_new(runs: Sequence[tuple[float, ...]], old: Sequence[tuple[float, ...]]) -> float:
    known = set(old)
    return float(np.mean([run not in known for run in runs])) if runs else float("nan")


def _summary(rows: Sequence[Row], pieces: np.ndarray, seed: int) -> dict[str, dict[str, float]]:
    names = np.unique(pieces)
    member = (pieces == names[:, np.newaxis]).astype(float)  # (pieces, passages)
    drawn = redraws(len(names), seed)

    def mean(group: str, feature: str) -> tuple[float, np.ndarray]:
        values = np.array([row[group][feature] for row in rows])
        known = np.isfinite(values).astype(float)
        values = np.nan_to_num(values)
        with np.errstate(invalid="ignore"):
            means = (drawn @ (member @ values)) / (drawn @ (member @ known))
            return float(values.sum() / known.sum()), means

    result = {}
    for feature in FEATURES:
        groups = ("reply", "floor", "ceiling", "echo")
        figures = {group: mean(group, feature.name) for group in groups}
        figures["share"] = (
            float(_share(*(np.array(figures[g][0]) for g in groups[:3]))),
            _share(*(figures[g][1] for g in groups[:3])),
        )
        result[feature.name] = _with_intervals(figures) | {"passages": len(rows)}
    figures = {"reply": mean("reply", "new"), "real": mean("real", "new")}
    result["new"] = _with_intervals(figures) | {"passages": len(rows), "pieces": len(names)}
    return result


def _share(reply: np.ndarray, floor: np.ndarray, ceiling: np.ndarray) -> np.ndarray:
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(ceiling > floor, (reply - floor) / (ceiling - floor), np.nan)


def _with_intervals(figures: dict[str, tuple[float, np.ndarray]]) -> dict[str, float]:
    row: dict[str, float] = {}
    for name, (value, redrawn) in figures.items():
        low, high = interval(redrawn)
        prefix = "" if name == "reply" else f"{name}_"
        row |= {name: float(value), f"{prefix}low": low, f"{prefix}high": high}
    return row
