"""A take cleaned and cut into pieces: what its performer played, with stuck notes ended and rests
shortened, and without what is too short or too little to learn from.

Pure: notes in, notes out. Times are in steps of the vocabulary, a hundredth of a second, and parts
of them.
"""

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from segued.tokens.events import Event, NoteOff, NoteOn, Pedal
from segued.tokens.vocabulary import PERFORMANCE

from ..augment import Notes, notes_of
from ..corpus.encoding import Exact, encode_exactly

SECOND = PERFORMANCE.steps_per_second
APART = 20 * SECOND  # of silence of both players: another piece begins
BREATH = 2 * SECOND  # what a longer rest of the performer is shortened to
STUCK = 60 * SECOND  # a note that sounds longer is stuck, and is ended after a BREATH
SHORTEST = 8 * SECOND  # of a piece
FEWEST = 24  # notes of a piece
PITCHES = 5  # different ones of a piece
SAME = 0.5  # share of a piece's notes that may be of one pitch
RUN, NEW = 6, 0.1  # successive pitches, and the share of such runs that must differ
COPIED = 12  # successive pitches by which a copy is known


@dataclass
class Cleaned:
    """The pieces of one take, and what was left out.

    `left_out` has the steps that were played and are not learned, by the reason; `stuck` counts
    notes that were ended.
    """

    pieces: list[Notes] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)
    stuck: int = 0

    @property
    def kept(self) -> float:
        """Steps that are learned from."""
        return sum(map(length, self.pieces))

    @property
    def played(self) -> float:
        """Steps in which the performer played, long rests shortened."""
        return self.kept + sum(self.left_out.values())

    def leave_out(self, piece: Notes, why: str) -> None:
        """One that is not learned after all."""
        self.pieces = [other for other in self.pieces if other is not piece]
        self.left_out[why] += int(length(piece))


def notes_in(events: Sequence[Event]) -> Notes:
    """The notes of a performance of any length, the pedal applied as the tokenizer does."""
    parts = [_notes(session) for session in _sessions(events)]
    columns = ("on", "off", "pitch", "velocity")
    every = [np.concatenate([getattr(part, name) for part in parts] or [[]]) for name in columns]
    return Notes(*every[:2], *(column.astype(np.int64) for column in every[2:]))


def _sessions(events: Sequence[Event]) -> Iterator[list[Event]]:
    """A performance cut where nothing happens for a while, its keys up at the end of each part:
    the silence of a night would be thousands of tokens."""
    session: list[Event] = []
    for event in events:
        if session and event.time - session[-1].time > STUCK / SECOND:
            yield _closed(session)
            session = []
        session.append(event)
    if session:
        yield _closed(session)


def _closed(session: list[Event]) -> list[Event]:
    down: dict[tuple[int, int], bool] = {}
    pedals: dict[int, bool] = {}
    for event in session:
        if isinstance(event, Pedal):
            pedals[event.part] = event.down
        else:
            down[event.part, event.pitch] = isinstance(event, NoteOn)
    end = session[-1].time + 1.5 * STUCK / SECOND
    session += [Pedal(end, False, part) for part, held in pedals.items() if held]
    return session + [NoteOff(end, pitch, part) for (part, pitch), held in down.items() if held]


def _notes(session: Sequence[Event]) -> Notes:
    first = next((event.time for event in session if isinstance(event, NoteOn)), 0.0)
    notes, begin = notes_of(*encode_exactly(session)), PERFORMANCE.step_of(first)
    return Notes(notes.on + begin, notes.off + begin, notes.pitch, notes.velocity)


def clean(performed: Notes, replies: Notes) -> Cleaned:
    """The pieces of a take in which `replies` are what Segue played."""
    result = Cleaned()
    held = performed.off - performed.on > STUCK
    result.stuck = int(held.sum())
    ends = np.where(held, performed.on + BREATH, performed.off)
    notes = Notes(performed.on, ends, performed.pitch, performed.velocity)
    result.pieces = [with_short_rests(piece) for piece in cut(notes, replies)]
    for piece in result.pieces:
        if why := why_not(piece):
            result.leave_out(piece, why)
    return result


def cut(notes: Notes, replies: Notes) -> Iterator[Notes]:
    """A performance cut where nobody plays for APART."""
    if not len(notes.on):
        return
    on = np.concatenate([notes.on, replies.on])
    off = np.concatenate([notes.off, replies.off])
    order = np.argsort(on, kind="stable")
    on, sounded = on[order], np.maximum.accumulate(off[order])
    begins = on[1:][on[1:] - sounded[:-1] > APART]
    which = np.searchsorted(begins, notes.on, side="right")
    for part in np.unique(which):
        yield notes.keep(which == part)


def with_short_rests(piece: Notes) -> Notes:
    """The piece from time 0, with rests of a BREATH at most."""
    sounded = np.maximum.accumulate(piece.off)
    rests = np.maximum(0.0, piece.on[1:] - sounded[:-1] - BREATH)
    earlier = piece.on[0] + np.concatenate([[0.0], np.cumsum(rests)])
    return Notes(piece.on - earlier, piece.off - earlier, piece.pitch, piece.velocity)


def why_not(piece: Notes) -> str | None:
    """Why a piece is not learned from, in words; None where it is."""
    if length(piece) < SHORTEST or len(piece.on) < FEWEST:
        return "too short"
    counts = np.unique(piece.pitch, return_counts=True)[1]
    if len(counts) < PITCHES or counts.max() > SAME * len(piece.pitch):
        return "a few keys again and again"
    runs = _runs(piece, RUN)
    if len(set(runs)) < NEW * len(runs):
        return "one bar practised"
    return None


def length(piece: Notes) -> float:
    """From its first onset to its last end, in steps."""
    return float(piece.off.max() - piece.on[0]) if len(piece.on) else 0.0


def to_exact(piece: Notes) -> Exact:
    """The tokens of a piece, with exact times."""
    begins = zip(piece.on.tolist(), piece.pitch.tolist(), piece.velocity.tolist(), strict=True)
    events: list[NoteOn | NoteOff] = [NoteOn(on / SECOND, *note) for on, *note in begins]
    ends = zip(piece.off.tolist(), piece.pitch.tolist(), strict=True)
    events += [NoteOff(off / SECOND, pitch) for off, pitch in ends]
    events.sort(key=lambda event: (event.time, isinstance(event, NoteOn)))
    return encode_exactly(events)


def content(piece: Notes) -> str:
    """What a piece is known by: a digest of its pitches in their order. Tempo, dynamics and where
    it stands in a file do not matter, so a copy has the same."""
    return hashlib.sha256(piece.pitch.astype(np.uint8).tobytes()).hexdigest()[:16]


def runs_of(pieces: Iterable[Notes]) -> set[bytes]:
    """All runs of COPIED successive pitches."""
    return {run for piece in pieces for run in _runs(piece, COPIED)}


def copied(piece: Notes, runs: set[bytes]) -> bool:
    """Whether most of a piece is in these runs."""
    own = _runs(piece, COPIED)
    return sum(run in runs for run in own) > 0.5 * len(own)


def _runs(piece: Notes, size: int) -> list[bytes]:
    pitches = piece.pitch.astype(np.uint8).tobytes()
    return [pitches[i : i + size] for i in range(len(pitches) - size + 1)]
