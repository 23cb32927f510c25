"""Does it play with people? Short performances as people play them, each answered by the model.

A reply is rendered by the daemon's own player and held against what was played (`duet_measures`).
Two marks stand beside it, which are the same for every model and all settings:

- `yours`: how the performer of the prompt went on. That is 1 on the scale.
- `floor`: how all the other performers went on, each in turn in place of the reply, after SILENCE
  seconds. What a musician plays to somebody else is 0.

`listened` is the mean place on that scale, from LEAST to 1, over the measures by which the two
marks differ at all; each family counts as much as any other. The form of a reply does not tell
whether it listened, so it is shown and does not count. Confidence is by bootstrap over prompts.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from segued.generation.context import StepModel
from segued.midi.files import Timed, write_messages
from segued.midi.notes import Note, notes_of
from segued.settings.config import Config
from segued.tokens.events import Event, NoteOff, NoteOn
from segued.tools.render import perform, repeatable

from ..report import progress
from .bootstrap import interval, redraws
from .duet_measures import FAMILIES, MEASURES, Part, Values, measured
from .duet_prompts import Prompt, prompts
from .player_pool import player_pool
from .session import messages

SILENCE = 0.7  # seconds after which the other performers are taken to begin
LEAST = -0.5  # on the scale: one measure that fails altogether is no reason to forget the others
DIFFERENT = 0.1  # share by which the marks of a measure that counts differ

COUNTED = [name for name in FAMILIES if name != "form"]
COLUMNS = "floor", "reply", "yours", "share"

Table = np.ndarray
"""Values (prompts, measures) in the order of MEASURES; NaN where there is none."""


@dataclass(frozen=True)
class Turn:
    """One prompt to be answered: what is heard, the settings, the seed."""

    heard: Sequence[Timed]
    config: Config
    seed: int


def answer(model: StepModel, turn: Turn) -> list[Timed]:
    """The notes that the daemon plays after a performance."""
    return perform(model, repeatable(turn.config), turn.heard, turn.seed)


def duet_test(
    model: Path | StepModel, config: Config, replies: int = 1, seed: int = 1, workers: int = 1,
    keep: Path | None = None,
) -> dict[str, Any]:  # fmt: skip
    """All measures of all replies, as JSON values.

    `measures` has by name `floor`, `reply`, `yours` and the place of the reply between them,
    `share`; `families` the mean share of each that counts, and `listened` their mean with its
    `listened_low` and `listened_high`, 95 %. `intruded` is the share of replies with notes before
    the prompt was over, `silent` the share without any after it. `keep` is a folder for prompts and
    replies as MIDI files. The same arguments give the same, whatever the number of workers.
    """
    every = prompts()
    heard = [messages(events_of(prompt.heard)) for prompt in every]
    seeds = [int(s) for s in np.random.SeedSequence(seed).generate_state(replies)]
    turns = [Turn(some, config, one) for some in heard for one in seeds]
    with player_pool(model, workers, answer) as play:
        bar = partial(progress, desc="answering", total=len(turns), unit="reply", leave=False)
        played = list(bar(play(turns)))
    if keep is not None:
        _keep(keep, every, turns, played)
    floor, yours = marks(every)
    rows, intruded, silent = [], 0, 0
    for i, prompt in enumerate(every):
        part, end = Part(prompt.heard), max(note.end for note in prompt.heard)
        values = []
        for reply in played[i * replies : (i + 1) * replies]:
            notes = notes_of(reply)
            after = [note for note in notes if note.start >= end]
            intruded += len(after) < len(notes)
            silent += not after
            # what does not come is a reply to somebody else
            values.append(_row(measured(prompt, part, after)) if after else floor[i])
        rows.append(mean(np.array(values), axis=0))
    result = summary(np.array(rows), floor, yours, seed)
    count = len(turns)
    return {"prompts": len(every), "replies": count, **result, "intruded": intruded / count,
            "silent": silent / count}  # fmt: skip


def events_of(notes: Sequence[Note]) -> list[Event]:
    """Notes as MIDI messages, note-offs before note-ons of the same time."""
    events: list[NoteOn | NoteOff] = [NoteOn(n.start, n.pitch, n.velocity) for n in notes]
    events += [NoteOff(n.end, n.pitch) for n in notes]
    return sorted(events, key=lambda event: (event.time, isinstance(event, NoteOn)))


def marks(every: Sequence[Prompt]) -> tuple[Table, Table]:
    """The floor and the performers' own continuations, in place of replies."""
    floor, yours = [], []
    for prompt in every:
        part, begin = Part(prompt.heard), max(note.end for note in prompt.heard) + SILENCE
        others = [_moved(other.on, begin) for other in every if other is not prompt]
        floor.append(mean(np.array([_row(measured(prompt, part, on)) for on in others]), axis=0))
        yours.append(_row(measured(prompt, part, prompt.on)))
    return np.array(floor), np.array(yours)


def summary(reply: Table, floor: Table, yours: Table, seed: int) -> dict[str, Any]:
    """The measures and the scores derived from them."""
    tables, drawn = (reply, floor, yours), redraws(len(reply), seed)
    means = [mean(table, axis=0) for table in tables]
    low, high = interval(mean(families_of(*(_redrawn(drawn, t) for t in tables)), axis=-1))
    families = families_of(*means)
    columns = np.stack([means[1], means[0], means[2], shares(*means)], axis=1)
    return {
        "measures": {
            name: dict(zip(COLUMNS, map(_plain, row), strict=True))
            for name, row in zip(MEASURES, columns, strict=True)
        },
        "families": dict(zip(COUNTED, map(_plain, families), strict=True)),
        "listened": _plain(mean(families, axis=-1)), "listened_low": low, "listened_high": high,
    }  # fmt: skip


def shares(reply: Table, floor: Table, yours: Table) -> Table:
    """How far means (..., measures) are on the way from the floor to the performer's own.

    NaN where the two hardly differ, or the floor is the better one.
    """
    signs = np.array([-1.0 if measure.aim == "less" else 1.0 for measure in MEASURES.values()])
    different = signs * (yours - floor) > DIFFERENT * np.maximum(abs(yours), abs(floor))
    way = (reply - floor) / np.where(different, yours - floor, np.nan)
    mirrored = [measure.aim == "yours" for measure in MEASURES.values()]
    share: Table = np.where(mirrored, 1.0 - abs(1.0 - way), way)
    return share


def families_of(reply: Table, floor: Table, yours: Table) -> Table:
    """The mean share of each family that counts, (..., families)."""
    share, names = np.clip(shares(reply, floor, yours), LEAST, 1.0), [*MEASURES]
    places = [[names.index(measure.name) for measure in FAMILIES[name][1]] for name in COUNTED]
    return np.stack([mean(share[..., some], axis=-1) for some in places], axis=-1)


def _redrawn(drawn: np.ndarray, table: Table) -> Table:
    """The means of a table over resamples of its prompts, (draws, measures)."""
    known = np.isfinite(table)
    with np.errstate(invalid="ignore"):
        means: Table = (drawn @ np.where(known, table, 0.0)) / (drawn @ known.astype(float))
        return means


def mean(values: Table, axis: int) -> Table:
    """The mean without NaN; NaN if all values are."""
    known = np.isfinite(values)
    with np.errstate(invalid="ignore"):
        result: Table = np.where(known, values, 0.0).sum(axis=axis) / known.sum(axis=axis)
    return result


def _row(values: Values) -> Table:
    return np.array([values[name] for name in MEASURES])


def _moved(notes: Sequence[Note], begin: float) -> list[Note]:
    by = begin - notes[0].start
    return [Note(n.start + by, n.end + by, n.pitch, n.velocity) for n in notes]


def _plain(value: Any) -> float | None:
    """A number for JSON, which has no NaN: None."""
    return float(value) if math.isfinite(value) else None


def _keep(
    folder: Path, every: Sequence[Prompt], turns: Sequence[Turn], played: Sequence[list[Timed]]
) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    replies = len(turns) // len(every)
    for number, (turn, reply) in enumerate(zip(turns, played, strict=True)):
        name = every[number // replies].name.replace(" ", "-")
        both = [("Performer", turn.heard), ("Segue", reply)]
        write_messages(folder / f"{name}-{number % replies + 1}.mid", both)
