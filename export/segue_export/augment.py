"""Data augmentation: pieces are transposed, played in another tempo and dynamics, and humanized.

Exact times are changed, and quantized once at the end.

Ids in, ids out, computed with arrays, because a GPU trains on more ids in a second than the encoder
writes in a minute. The result equals that of `segued.tokens.tokenizer`, which a test checks.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from segued.tokens.events import Event
from segued.tokens.tokenizer import decode, encode
from segued.tokens.vocabulary import NOTE_OFF, NOTE_ON, PERFORMANCE, TIME_SHIFT, VELOCITY

from .corpus.encoding import PARTS, Exact
from .corpus.pieces import Pieces
from .options import at_least_0, fraction, natural, option, tempo_range

ON, OFF = PERFORMANCE.ids(NOTE_ON), PERFORMANCE.ids(NOTE_OFF)
SHIFT, BIN = PERFORMANCE.ids(TIME_SHIFT), PERFORMANCE.ids(VELOCITY)
LOUDNESS = np.array([PERFORMANCE.velocity_of(bin) for bin in range(len(BIN))])
SAMPLE = 200  # pieces from which a source's velocities are estimated


@dataclass(frozen=True)
class Augmentation:
    """Limits of the values that are drawn for each playing of a piece."""

    transpose: int = option(5, "semitones up or down", natural, "N")
    tempo: tuple[float, float] = option(
        (0.85, 1.18), "factors on durations", tempo_range, "LOW-HIGH", shown="0.85-1.18",
    )  # fmt: skip
    velocity: int = option(10, "velocities up or down", natural, "N")
    uneven: float = option(
        14.0,
        "velocities spread note by note, by a deviation of up to N that is drawn for each playing",
        at_least_0, "N",
    )  # fmt: skip
    fixed: float = option(0.06, "share of playings at one velocity", fraction, "X")
    drift: float = option(
        0.03, "tempo that wanders, by a deviation of up to X, where there is jitter", fraction, "X",
    )  # fmt: skip
    late: float = 1.0  # steps that a whole playing may be late


NO_AUGMENTATION = Augmentation(0, (1.0, 1.0), 0, 0.0, 0.0, 0.0, 0.0)

EVEN, STEADY = 0.15, 0.2  # shares of playings without uneven velocities, and without jitter
FIXED = 60, 127  # the lowest and the highest fixed velocity
DRIFT = 4.0  # seconds between changes of tempo


@dataclass
class Component:
    """One component of the mixture: the pieces of a source and their share."""

    pieces: Pieces
    weight: float
    jitter: float = 0.0  # seconds; 0: timed by hand, which needs none
    velocity_scale: tuple[float, float] = (1.0, 0.0)  # velocity * a + b


@dataclass
class Notes:
    """Notes as columns, ordered by onset. Times are in steps, float64; velocities 1..127."""

    on: np.ndarray
    off: np.ndarray
    pitch: np.ndarray
    velocity: np.ndarray

    def keep(self, which: np.ndarray) -> "Notes":
        """A selection of notes, by index or mask."""
        return Notes(self.on[which], self.off[which], self.pitch[which], self.velocity[which])


def velocity_scale(
    pieces: Pieces, mean: float = 64.0, deviation: float = 18.0
) -> tuple[float, float]:
    """(a, b) such that velocity * a + b has this mean and deviation; a is limited to 0.5 to 2."""
    some = np.unique(np.linspace(0, len(pieces) - 1, min(SAMPLE, len(pieces))).astype(int))
    velocities = np.concatenate([notes_of(pieces[i]).velocity for i in some])
    factor = float(np.clip(deviation / max(1e-6, velocities.std()), 0.5, 2.0))
    return factor, mean - factor * float(velocities.mean())


def augment(
    piece: Exact, rng: np.random.Generator, limits: Augmentation, component: Component
) -> np.ndarray:
    """Draw one playing within the limits. Returns ids, int64 (tokens,)."""
    return augment_with(piece, rng, limits, component, np.zeros(0))[0]


def augment_with(
    piece: Exact, rng: np.random.Generator, limits: Augmentation, component: Component,
    times: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
    """Draw one playing; also return `times` of the piece in it, in steps from its first event.

    The evenness of velocities and onsets is drawn for each playing, so the network learns to infer
    it. Half of the playings keep the original tempo. Jitter moves onset and end of a note together.
    Notes outside the keyboard are left out. Notes of a chord keep their order, which depends on how
    a hand strikes it.
    """
    pitch = int(rng.integers(-limits.transpose, limits.transpose + 1))
    low, high = np.log(limits.tempo)
    tempo = float(np.exp(rng.uniform(low, high))) if rng.random() < 0.5 else 1.0
    notes = notes_of(*piece)
    notes.pitch += pitch
    notes = notes.keep((notes.pitch >= 0) & (notes.pitch <= 127))
    notes.velocity = _touched(notes.velocity, rng, limits, component.velocity_scale)
    notes.on, notes.off, times = notes.on * tempo, notes.off * tempo, times * tempo
    # a player's first note falls anywhere within its step
    late = limits.late * rng.random()
    delay: float | np.ndarray = late
    if component.jitter and len(notes.on):
        drifted = _drift(float(notes.off.max()), rng, limits.drift)
        notes.on, notes.off, times = drifted(notes.on), drifted(notes.off), drifted(times)
        deviation = 2 * component.jitter * PERFORMANCE.steps_per_second * _drawn(rng, STEADY)
        delay = late + rng.normal(0.0, deviation, len(notes.on))
    notes.on, notes.off = notes.on + delay, notes.off + delay
    first = np.floor(notes.on.min(initial=np.inf) + 0.5)
    return to_ids(notes), times + late - first


def _drawn(rng: np.random.Generator, none: float) -> float:
    """A uniform number in 0 to 1; with probability `none` 0."""
    return float(rng.random()) if rng.random() >= none else 0.0


def _touched(
    velocity: np.ndarray, rng: np.random.Generator, limits: Augmentation,
    scale: tuple[float, float],
) -> np.ndarray:  # fmt: skip
    """The velocities of one playing, int64 1..127."""
    louder = float(rng.uniform(-limits.velocity, limits.velocity))
    if rng.random() < limits.fixed:
        return np.full(len(velocity), rng.integers(FIXED[0], FIXED[1] + 1))
    uneven = limits.uneven * _drawn(rng, EVEN)
    wanted = velocity * scale[0] + scale[1] + louder
    if uneven:
        wanted = wanted + rng.normal(0.0, uneven, len(velocity))
    return np.rint(wanted).clip(1, 127).astype(np.int64)


def _drift(end: float, rng: np.random.Generator, most: float) -> Callable[[np.ndarray], np.ndarray]:
    """A function from steps, at most `end`, to steps in a drifting tempo. Before 0 none drifts."""
    part = DRIFT * PERFORMANCE.steps_per_second
    count = int(end / part) + 1
    tempi = np.exp(rng.normal(0.0, most * rng.random(), count))
    warped = np.concatenate([[0.0], np.cumsum(tempi * part)])
    before = np.arange(count + 1) * part
    return lambda steps: np.where(steps < 0, steps, np.interp(steps, before, warped))


def notes_of(ids: np.ndarray, offsets: np.ndarray | None = None) -> Notes:
    """The notes of a performance. `offsets`: see `Exact`; without them times are whole steps."""
    ids = ids.astype(np.int64)
    on, off = np.flatnonzero(_within(ids, ON)), np.flatnonzero(_within(ids, OFF))
    by_on = np.argsort(ids[on], kind="stable")  # the first of a pitch ends with its first note-off
    by_off = np.argsort(ids[off], kind="stable")
    if not np.array_equal(ids[on][by_on] - ON.start, ids[off][by_off] - OFF.start):
        events: list[Event] = [*decode(ids.tolist())]
        return notes_of(np.array(encode(events)))  # some note never ends
    steps = np.cumsum(np.where(_within(ids, SHIFT), ids - SHIFT.start + 1, 0))
    steps = steps + (0.0 if offsets is None else offsets / PARTS)
    ends = np.zeros(len(on))
    ends[by_on] = steps[off][by_off]
    changes = np.flatnonzero(_within(ids, BIN))
    bins = np.append(ids[changes] - BIN.start, len(BIN) // 2 - 1)  # the last: before any change
    velocity = LOUDNESS[bins[np.searchsorted(changes, on) - 1]]
    return Notes(steps[on], ends, ids[on] - ON.start, velocity)


def to_ids(notes: Notes) -> np.ndarray:
    """Ids of notes by the encoder's rules, int64 (tokens,); their times are rounded to steps here.

    Notes that begin at the same moment stay in their order, which only their tokens know.
    """
    notes = notes.keep(np.argsort(notes.on, kind="stable"))
    notes.on, notes.off = (np.floor(t + 0.5).astype(np.int64) for t in (notes.on, notes.off))
    came = np.argsort(notes.pitch, kind="stable")
    notes = notes.keep(came)
    again = _followed(notes.pitch) & (notes.on == np.append(notes.on[1:], 0))
    notes, came = notes.keep(~again), came[~again]  # struck twice in one step: the later counts
    ends = np.maximum(notes.off, notes.on + 1)
    until = np.where(_followed(notes.pitch), np.append(notes.on[1:], 0), ends)
    return _in_order(notes, np.minimum(ends, until), came)


def _in_order(notes: Notes, ends: np.ndarray, came: np.ndarray) -> np.ndarray:
    """Note-offs before note-ons in a step, each in the order in which their notes `came`."""
    count = len(notes.on)
    if not count:
        return np.zeros(0, np.int64)
    steps, starts = np.concatenate([ends, notes.on]), np.arange(2 * count) >= count
    order = np.lexsort((np.tile(came, 2), starts, steps))
    steps, starts = steps[order], starts[order]
    ids = np.concatenate([notes.pitch + OFF.start, notes.pitch + ON.start])[order]
    bins = (np.tile(notes.velocity, 2)[order] - 1) // PERFORMANCE.velocity_bin_size
    louder = np.zeros(2 * count, bool)
    louder[starts] = np.diff(bins[starts], prepend=-1) != 0
    gaps = np.diff(steps, prepend=steps[0])
    longest = PERFORMANCE.max_shift()
    shifts = -(-gaps // longest)
    last = np.cumsum(shifts + louder + 1) - 1  # where each event's own id stands
    result = np.full(last[-1] + 1, SHIFT.start + longest - 1, np.int64)
    result[last] = ids
    result[last[louder] - 1] = BIN.start + bins[louder]
    moved = shifts > 0
    rest = gaps - longest * (shifts - 1)  # what the last of its time shifts holds
    result[(last - louder - 1)[moved]] = SHIFT.start + rest[moved] - 1
    return result


def _within(ids: np.ndarray, kind: range) -> np.ndarray:
    return (ids >= kind.start) & (ids < kind.stop)


def _followed(pitch: np.ndarray) -> np.ndarray:
    """Whether the next note in an order by pitch has the same pitch."""
    return np.append(pitch[1:] == pitch[:-1], False)[: len(pitch)]
