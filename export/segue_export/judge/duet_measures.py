"""What a listener notices of a reply to somebody, in numbers: one function for each family.

Notes are in order of onset, times in seconds. A measure that has no meaning for what was played or
replied is NaN.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from segued.midi.notes import Note

from .duet_prompts import Prompt
from .features import FEATURES, chords, density

NONE = float("nan")
Values = dict[str, float]
Floats = np.ndarray

WINDOW = 4.0  # seconds in which onsets are held against one grid, so that a slow drift is forgiven
OWN_TEMPO = np.exp2(np.arange(-0.5, 0.5001, 0.01))  # periods tried, as shares of the performer's
SAME_TEMPO = 0.03  # octaves by which a reply in the same tempo may be off
IN_TEMPO = 0.25  # agreement below which a reply has no tempo
ON_BEAT = 0.125  # beats by which a reply that begins on the beat may be off
ONE_LINE, SOME_CHORDS = 1.15, 1.4  # mean polyphony up to which it is a line; above: chords
LAST = 1.5  # seconds at the end of a reply that must be calmer than the rest, if it is not cut off
LONG = 1.5  # usual gaps between onsets that a long last note lasts at least
SAME_GAP = 0.35  # octaves between gaps that are the same note value
GAPS = next(feature for feature in FEATURES if feature.name == "inter-onset")


class Part:
    """One side of a duet: columns of its notes, and its chords with their highest pitches."""

    def __init__(self, notes: Sequence[Note]) -> None:
        self.start = np.array([note.start for note in notes])
        self.end = np.array([note.end for note in notes])
        self.pitch = np.array([note.pitch for note in notes], float)
        self.velocity = np.array([note.velocity for note in notes], float)
        self.times, self.tops = chords(self.start, self.pitch)
        self.gaps = np.diff(self.times)
        self.usual = float(np.median(self.gaps)) if len(self.gaps) else NONE
        self.seconds = max(0.5, float(self.times[-1] - self.times[0]))
        self.rate = max(1, len(notes) - 1) / self.seconds  # notes a second
        self.polyphony = self._polyphony()

    def _polyphony(self) -> float:
        """The mean number of sounding notes while at least one sounds."""
        edges = np.unique([*self.start, *self.end])
        middle, width = (edges[1:] + edges[:-1]) / 2, np.diff(edges)
        held = ((self.start <= middle[:, None]) & (self.end > middle[:, None])).sum(axis=1)
        return float((held * width).sum() / width[held > 0].sum())


def time(prompt: Prompt, heard: Part, reply: Part) -> Values:
    """Measures of time: whether it keeps the performer's tempo and beat."""
    part, onsets = prompt.beat / prompt.parts, reply.times
    agreements = agreement(onsets, part * OWN_TEMPO)
    values = {"pulse": float(agreement(onsets, np.array([part]))[0]), "in tempo": NONE}
    if np.isfinite(agreements).any():
        off = abs(float(np.log2(OWN_TEMPO[np.nanargmax(agreements)])))
        values["in tempo"] = float(off <= SAME_TEMPO and values["pulse"] > IN_TEMPO)
    phase = (onsets - prompt.origin) / prompt.beat
    values["begins on the beat"] = float(abs(phase[0] - np.round(phase[0])) <= ON_BEAT)
    values["on your grid"] = float(np.cos(2 * np.pi * prompt.parts * phase).mean())
    values["note values"] = NONE
    if len(heard.gaps) > 2 and len(reply.gaps) > 1:
        both = [density(GAPS, np.log2(p.gaps)[None]) for p in (heard, reply)]
        values["note values"] = float(np.minimum(*both).sum())
    return values


def texture(prompt: Prompt, heard: Part, reply: Part) -> Values:
    """Measures of texture: polyphony, density and register."""
    line = heard.polyphony < ONE_LINE
    return {
        "polyphony": abs(float(np.log2(reply.polyphony / heard.polyphony))),
        "line to chords": float(reply.polyphony > SOME_CHORDS) if line else NONE,
        "density": abs(float(np.log2(reply.rate / heard.rate))),
        "register": abs(float(reply.pitch.mean() - heard.pitch.mean())),
        "in your key": float(np.isin(reply.pitch % 12, [*prompt.key]).mean()),
    }


def touch(prompt: Prompt, heard: Part, reply: Part) -> Values:
    """Measures of dynamics: mean and spread of velocities."""
    return {
        "velocity": abs(float(reply.velocity.mean() - heard.velocity.mean())),
        "spread of velocity": abs(float(reply.velocity.std() - heard.velocity.std())),
    }


def form(prompt: Prompt, heard: Part, reply: Part) -> Values:
    """Measures of the ending."""
    last = reply.start >= reply.times[-1]
    length = float((reply.end - reply.start)[last].max())
    long = length >= LONG * reply.usual
    rate = (len(reply.times) - 1) / reply.seconds
    late = int((reply.times > reply.times[-1] - LAST).sum()) - 1
    third = min((4, 3), key=lambda step: (prompt.tonic + step) % 12 not in prompt.key)
    triad = {(prompt.tonic + step) % 12 for step in (0, third, 7)}
    outer = {int(reply.pitch[last].min()) % 12, int(reply.pitch[last].max()) % 12}
    enough = reply.seconds > 2 * LAST
    return {
        "cut off": float(not long and late / LAST > 0.8 * rate) if enough else NONE,
        "ends on the tonic chord": float(outer <= triad),
        "last note long": float(long) if len(reply.gaps) else NONE,
    }


def figures(prompt: Prompt, heard: Part, reply: Part) -> Values:
    """The shares of its figures (runs of highest notes) that the performer played."""

    def shapes(part: Part, length: int) -> tuple[Floats, Floats]:
        """(figures, length) semitones, and octaves of the gaps."""
        steps, gaps = np.diff(part.tops), np.log2(np.maximum(part.gaps, 0.03))
        if len(steps) < length:
            return np.zeros((0, length)), np.zeros((0, length))
        windows = np.lib.stride_tricks.sliding_window_view
        return windows(steps, length), windows(gaps, length)

    def taken(length: int, melodic: bool, rhythmic: bool) -> float:
        known, own = shapes(heard, length), shapes(reply, length)
        if not len(known[0]) or not len(own[0]):
            return NONE
        same = np.ones((len(own[0]), len(known[0])), bool)
        for wanted, allowed, mine, yours in zip(
            (melodic, rhythmic), (0.5, SAME_GAP), own, known, strict=True
        ):
            if wanted:
                same &= (abs(mine[:, None] - yours[None]) < allowed).all(axis=2)
        return float(same.any(axis=1).mean())

    return {
        "rhythmic figures": taken(4, False, True),
        "melodic figures": taken(4, True, False),
        "figures in both": taken(3, True, True),
    }


def agreement(times: Floats, periods: Floats) -> Floats:
    """How far onsets keep to a grid of each period, whatever its phase: 1 all, 0 as chance has it.

    In each WINDOW it is the squared length of the mean of a unit vector for each onset, turned by
    its phase, less what chance gives to so few. NaN for fewer than four onsets.
    """
    if len(times) < 4:
        return np.full(len(periods), NONE)
    turned = np.exp(2j * np.pi * times / periods[:, None])
    found, weights = np.zeros(len(periods)), 0.0
    for begin in np.arange(times[0], max(times[-1] - WINDOW / 2, times[0] + 1e-9), WINDOW / 2):
        inside = turned[:, (times >= begin) & (times < begin + WINDOW)]
        count = inside.shape[1]
        if count > 2:
            found += (abs(inside.sum(axis=1)) ** 2 - count) / (count - 1)
            weights += count
    return found / weights if weights else np.full(len(periods), NONE)


@dataclass(frozen=True)
class Measure:
    """A line of the table. `aim`: whether 1 is best ("more"), 0 is ("less"), or what the
    performer's own continuation has ("yours"): copying more than that is no better."""

    name: str
    text: str
    aim: str
    digits: int = 2


FAMILIES: dict[str, tuple[Callable[[Prompt, Part, Part], Values], tuple[Measure, ...]]] = {
    "time": (time, (
        Measure("pulse", "keeps your pulse (agreement of onsets with your grid)", "more"),
        Measure("in tempo", "in your tempo", "more"),
        Measure("begins on the beat", "begins on your beat", "more"),
        Measure("on your grid", "on your grid, through the pause", "more"),
        Measure("note values", "your note values (overlap)", "more"),
    )),
    "texture": (texture, (
        Measure("polyphony", "octaves (log2) from your polyphony", "less"),
        Measure("line to chords", "a single line is answered with chords", "less"),
        Measure("density", "octaves (log2) from your notes a second", "less"),
        Measure("register", "semitones from your register", "less", 1),
        Measure("in your key", "notes in your key", "more"),
    )),
    "touch": (touch, (
        Measure("velocity", "velocity from yours", "less", 1),
        Measure("spread of velocity", "spread of velocities from yours", "less", 1),
    )),
    "form": (form, (
        Measure("cut off", "stops in full flow", "less"),
        Measure("ends on the tonic chord", "ends on your tonic chord", "more"),
        Measure("last note long", "last note is longer than usual", "more"),
    )),
    "figures": (figures, (
        Measure("rhythmic figures", "rhythmic figures (5 notes) taken from you", "yours"),
        Measure("melodic figures", "melodic figures (5 notes) taken from you", "yours"),
        Measure("figures in both", "figures in pitch and rhythm (4 notes) from you", "yours"),
    )),
}  # fmt: skip
"""What is measured, and with which function, by family."""

MEASURES = {measure.name: measure for _, some in FAMILIES.values() for measure in some}


def measured(prompt: Prompt, heard: Part, notes: Sequence[Note]) -> Values:
    """Every measure of a reply; all are NaN if it has no note."""
    if not notes:
        return dict.fromkeys(MEASURES, NONE)
    reply = Part(notes)
    values: Values = {}
    for measure, _ in FAMILIES.values():
        values |= measure(prompt, heard, reply)
    return values
