"""Count the tables of daemon/segued/timing/metre.json in music whose bars are known.

    python -m tests.tools.fit_metre FOLDER [FOLDER ...] > daemon/segued/timing/metre.json

Every MIDI file of the folders that has time signatures is read in windows of 24 onsets. A window
counts for the coarsest division of the beat that nearly all of its onsets keep to; each folder
counts at most as 4,000 onsets a metre, so that no corpus speaks for all music.
"""

import json
import random
import sys
from pathlib import Path
from typing import Any

import mido
import numpy as np
from segued.timing.tempo_follower import CHORD, Accents, Onset

FILES, MOST = 400, 8000  # files of a folder, and onsets of a metre that it counts for
WINDOW = 24  # onsets
KEEPS, NEAR = 0.94, 0.03  # share of the onsets that must be near a line of the grid; beats
DIVISIONS, BARS = (1, 2, 3, 4), (2, 3, 4)
TOO_FEW = 500  # onsets

Tables = dict[tuple[int, int], np.ndarray]
Signature = tuple[float, int, int]
"""When it begins, in quarters; the two numbers."""


def main(folders: list[str]) -> None:
    """Print the tables."""
    following = {(d, b): np.zeros((d * b, 2 * d * b + 2)) for d in DIVISIONS for b in BARS}
    accents = {(d, b): np.zeros((3, d * b)) for d in DIVISIONS for b in BARS}
    for folder in folders:
        files = sorted(Path(folder).rglob("*.mid"))
        random.Random(1).shuffle(files)
        here = {key: np.zeros_like(table) for key, table in following.items()}
        stand_out = {key: np.zeros_like(table) for key, table in accents.items()}
        for path in files[:FILES]:
            count(path, here, stand_out)
        for key, table in here.items():
            share = min(1.0, MOST / max(1.0, table.sum()))
            following[key] += share * table
            accents[key] += share * stand_out[key]
        print(folder, {key: int(table.sum()) for key, table in here.items()}, file=sys.stderr)
    tables = {
        f"{d},{b}": {"next": rows(following[d, b]), "accent": ratios(accents[d, b])}
        for d in DIVISIONS
        for b in BARS
        if following[d, b].sum() >= TOO_FEW
    }
    print(written(tables))


def written(tables: dict[str, dict[str, list[list[float]]]]) -> str:
    """JSON with a line for each row."""
    text = json.dumps(tables)
    for before, after in (("{", "{\n"), ("[[", "[\n ["), ("], [", "],\n [")):
        text = text.replace(before, after)
    return text.replace("]]}, ", "]]},\n").replace("]], ", "]],\n")


def rows(counts: np.ndarray) -> list[list[float]]:
    """Counts (places, steps) as shares, with what was never seen a little likely."""
    steps = np.arange(counts.shape[1])
    counts = counts + 0.5 * np.exp(-steps / 3.0) + 0.02
    found: list[list[float]] = (
        np.maximum(counts / counts.sum(1, keepdims=True), 0.001).round(3).tolist()
    )
    return found


def ratios(counts: np.ndarray) -> list[list[float]]:
    """Counts (levels, places) as how much oftener than elsewhere a level is at a place."""
    shares = (counts + 2) / (counts + 2).sum(0)
    found: list[list[float]] = (shares / (counts.sum(1) / counts.sum())[:, None]).round(3).tolist()
    return found


def count(path: Path, following: Tables, accents: Tables) -> None:
    """Add the onsets of a file."""
    onsets, signatures = read(path)
    follower = Accents()
    for onset in onsets:
        onset.level = follower.level(onset)
    ends = [*(begin for begin, _, _ in signatures[1:]), float("inf")]
    for (begin, upper, lower), until in zip(signatures, ends, strict=False):
        beat, bar = beats_of(upper, lower)
        if bar not in BARS:
            continue
        part = [onset for onset in onsets if begin - 1e-6 <= onset.time < until]
        for start in range(0, len(part) - WINDOW // 2, WINDOW):
            window = part[start : start + WINDOW + 1]
            places = np.array([(onset.time - begin) / beat for onset in window])
            for division in DIVISIONS:
                off = np.abs(places * division - np.rint(places * division)) / division
                if (off < NEAR).mean() > KEEPS:
                    add(window, places, division, bar, following, accents)
                    break


def add(window: list[Any], places: np.ndarray, division: int, bar: int, following: Tables,
        accents: Tables) -> None:  # fmt: skip
    """Add a window that keeps to a division of the beat."""
    numbers = np.rint(places * division).astype(int)
    size = division * bar
    for onset, here, there in zip(window, numbers, numbers[1:], strict=False):
        following[division, bar][here % size, min(there - here, 2 * size + 1)] += 1
        accents[division, bar][onset.level, here % size] += 1


def beats_of(upper: int, lower: int) -> tuple[float, int]:
    """Quarters in a beat, and beats in a bar, of a time signature; 1 in a bar counts as 2."""
    beat = 4 / lower
    if lower >= 8 and upper % 3 == 0:
        beat, upper = 3 * beat, upper // 3
    return beat, {1: 2, 6: 3}.get(upper, upper)


def read(path: Path) -> tuple[list[Onset], list[Signature]]:
    """Onsets with their times in quarters, and time signatures; none of what cannot be read."""
    try:
        file = mido.MidiFile(path, clip=True)
    except (OSError, ValueError, EOFError, KeyError):
        return [], []
    onsets: list[Onset] = []
    signatures: list[Signature] = []
    ticks = 0
    for message in mido.merge_tracks(file.tracks):
        ticks += message.time
        time = ticks / file.ticks_per_beat
        if message.type == "time_signature":
            signatures.append((time, message.numerator, message.denominator))
        elif message.type == "note_on" and message.velocity:
            if onsets and time - onsets[-1].first < CHORD:
                chord = onsets[-1]
                chord.velocity = max(chord.velocity, message.velocity)
                chord.lowest, chord.keys = min(chord.lowest, message.note), chord.keys + 1
            else:
                onsets.append(Onset(time, time, message.velocity, message.note, 1))
    return onsets, signatures


if __name__ == "__main__":
    main(sys.argv[1:])
