"""Fit the tables of daemon/segued/generation/scales.py to music whose keys are known.

    python -m tests.tools.fit_key FOLDER|FILE.mid ...

The key of a file is its first key signature; where it has none, its last bass note is the tonic and
the commoner third on it tells major from minor. Each file is heard from its beginning to two random
places within its first 5 to 25 s, before the key signature changes. The tables are the weights of a
softmax regression over the 24 keys, fitted to three quarters of the files. How the follower that is
installed does on the others is printed, and then how the new tables do: shares of exact keys, of
those a fifth off, of relative and of parallel ones, and the score of MIREX that weighs them.
"""

import random
import sys
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import mido
import numpy as np
from segued.generation.scales import ENOUGH, KeyFollower
from segued.tokens.events import NoteOn

FILES, PLACES = 300, 2  # of a folder; of a file
EARLIEST, LATEST = 5.0, 25.0  # seconds
NAMES = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
SCORES = {"exact": 1.0, "fifth": 0.5, "relative": 0.3, "parallel": 0.2, "other": 0.0}
STEPS, DECAY = 600, 1e-4


class Piece(NamedTuple):
    """Notes, the key (0 to 11 major, 12 to 23 minor) and the second up to which it holds."""

    notes: list[NoteOn]
    key: int
    until: float


class Place(NamedTuple):
    """What a follower has heard (3, 12) at some place, the key it tells, and the true one."""

    heard: np.ndarray
    told: int
    key: int


def main(paths: list[str]) -> None:
    """Print the scores and the new tables."""
    fitted, judged = list[Place](), list[Place]()
    for path in map(Path, paths):
        files = sorted(path.rglob("*.mid")) if path.is_dir() else [path]
        random.Random(1).shuffle(files)
        for file in files[:FILES]:
            known = judged if zlib.crc32(file.name.encode()) % 4 == 0 else fitted
            known += places(file)
    print("installed:", score(judged, lambda place: place.told))
    weights, bias = fit(fitted)
    new = np.vstack([weights[0], weights[1]])
    print("new:", score(judged, lambda place: int((turned(place.heard) @ new.T + bias).T.argmax())))
    for mode, table, constant in zip(("MAJOR", "MINOR"), weights, bias - bias[0], strict=True):
        rows = ",\n    ".join(str(tuple(row.round(2).tolist())) for row in table.reshape(3, 12))
        print(f"{mode} = (\n    {rows},\n)  # and {constant:.2f}")


def places(path: Path) -> Iterator[Place]:
    """Some places of a file; none of what cannot be read."""
    piece = read(path)
    if piece is None:
        return
    chance, last = random.Random(path.name), piece.notes[-1].time
    for _ in range(PLACES):
        end = min(chance.uniform(EARLIEST, LATEST), last, piece.until)
        follower = KeyFollower()
        for note in piece.notes:
            if note.time < end:
                follower.hear(note)
        if follower.tonic is not None:
            yield Place(follower.heard, follower.tonic + 12 * follower.minor, piece.key)


def read(path: Path) -> Piece | None:
    """The notes of a file and its key; None of what cannot be read or has too few notes."""
    try:
        messages = list(mido.MidiFile(path, clip=True))
    except (OSError, ValueError, EOFError, KeyError):
        return None
    now, notes, keys = 0.0, list[NoteOn](), list[tuple[float, int]]()
    sounding, spans = dict[int, float](), list[tuple[float, float, int]]()
    for message in messages:
        now += message.time
        if message.type == "key_signature":
            keys.append((now, key_of(message.key)))
        elif message.type in ("note_on", "note_off"):
            if message.note in sounding:
                spans.append((sounding.pop(message.note), now, message.note))
            if message.type == "note_on" and message.velocity:
                sounding[message.note] = now
                notes.append(NoteOn(now, message.note, message.velocity))
    if len(notes) < 4 * ENOUGH:
        return None
    first = [key for time, key in keys if time == 0.0] or [key for _, key in keys[:1]]
    until = next((time for time, _ in keys if time > 0.0), float("inf"))
    return Piece(notes, first[-1], until) if first else Piece(notes, closed(spans), until)


def key_of(name: str) -> int:
    """That of a name such as F#m."""
    accidentals = name.count("#") - name.count("b")
    return (NAMES[name[0]] + accidentals) % 12 + 12 * name.endswith("m")


def closed(spans: list[tuple[float, float, int]]) -> int:
    """The key that a piece closes in: (onset, end, pitch) of its notes."""
    last = max(onset for onset, _, _ in spans)
    tonic = min(pitch for _, end, pitch in spans if end > last) % 12
    sounded = np.zeros(12)
    for onset, end, pitch in spans:
        sounded[(pitch - tonic) % 12] += end - onset
    return tonic + 12 * int(sounded[3] > sounded[4])


def turned(heard: np.ndarray) -> np.ndarray:
    """What was heard (3, 12), by the degrees of each tonic: (12, 36)."""
    return np.array([np.roll(heard, -tonic, axis=1).ravel() for tonic in range(12)])


def fit(known: list[Place]) -> tuple[np.ndarray, np.ndarray]:
    """Weights (2, 36) for major and minor, and their constants (2,), by Adam."""
    inputs = np.array([turned(place.heard) for place in known])  # (N, 12, 36)
    wanted = np.zeros((len(known), 2, 12))
    for row, place in zip(wanted, known, strict=True):
        row[place.key // 12, place.key % 12] = 1.0
    values = np.zeros((2, 37))
    mean, square = np.zeros_like(values), np.zeros_like(values)
    for step in range(1, STEPS + 1):
        scores = np.einsum("ntf,mf->nmt", inputs, values[:, :36]) + values[None, :, 36:]
        odds = np.exp(scores - scores.max(axis=(1, 2), keepdims=True))
        off = (odds / odds.sum(axis=(1, 2), keepdims=True) - wanted) / len(known)
        gradient = np.hstack([np.einsum("nmt,ntf->mf", off, inputs), off.sum(axis=(0, 2))[:, None]])
        gradient[:, :36] += DECAY * values[:, :36]
        mean += 0.1 * (gradient - mean)
        square += 0.01 * (gradient**2 - square)
        rate = 0.1 if step < 0.6 * STEPS else 0.02
        values -= rate * mean / (1 - 0.9**step) / (np.sqrt(square / (1 - 0.99**step)) + 1e-9)
    return values[:, :36], values[:, 36]


def relation(told: int, key: int) -> str:
    """How a key that was told is related to the true one."""
    off, same = (told - key) % 12, told // 12 == key // 12
    if told == key:
        return "exact"
    if same and off in (5, 7):
        return "fifth"
    if not same and off == (9 if key < 12 else 3):
        return "relative"
    return "parallel" if not same and off == 0 else "other"


def score(known: list[Place], guess: Callable[[Place], int]) -> str:
    """Shares of how guesses are related to the true keys."""
    found = [relation(guess(place), place.key) for place in known]
    shares = "  ".join(f"{name} {found.count(name) / len(found):.3f}" for name in SCORES)
    mean = sum(SCORES[name] for name in found) / len(found)
    return f"{len(found)} places  MIREX {mean:.3f}  {shares}"


if __name__ == "__main__":
    main(sys.argv[1:])
