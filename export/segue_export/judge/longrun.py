"""Does it hold for an hour? An hour of playing and an hour of listening, in virtual time.

The daemon's own player is driven, as by `segued render`, and every token that enters its memory is
weighed by the model: by its entropy (how open the next token is) and its surprise (-log p of what
came). What is looked at, minute by minute, was decided before anything was measured.

Playing. It hears twenty seconds of music and plays on without end.

- Entropy, surprise and notes a second stay within the range of first minutes: those of STARTS
  replies of a minute to other music. Of further first minutes all but two in STARTS + 1 would be
  expected within it; INSIDE of the minutes must be, and the mean of the last TAIL.
- It never falls silent: no SILENCE seconds without a note beginning.
- It never gets stuck on a few notes: every minute has PITCHES of them or more, counted as the
  exponential of the entropy of its pitches, so that a rare one counts for little.
- It never loops: in every minute NEW or more of the runs of RUN successive notes are new, which is
  to say that they were not played before in all the time.

Listening. It hears real music, and each minute of that is weighed a second time by a model that has
only just been started.

- Entropy and surprise stay within the range of the minutes so heard afresh, as above.
- It is no more surprised at the end than one that has just been started is by the same music: over
  the last TAIL minutes by no more than WEARY as a share.
- Then it plays for a minute, which lies within the range of first minutes, and is neither silent,
  nor stuck, nor looping.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from segued.generation.context import StepModel
from segued.settings.config import Config, change
from segued.timing.clock import Clock
from segued.timing.durations import seconds_of
from segued.tokens.vocabulary import NOTE_ON, PERFORMANCE, TIME_SHIFT

from .session import Session, programme, prompt

MINUTE = 60.0
PROMPT = 20.0  # seconds
STARTS = 24
INSIDE = 0.75  # a model that never changes would fail by chance once in a hundred runs
TAIL = 10
SILENCE = 20.0
PITCHES = 4.0
RUN, NEW = 8, 0.2
WEARY = 0.02

CURVES = ("entropy", "surprise", "density")
Passed = Callable[[float], object]
Range = tuple[float, float]


@dataclass(frozen=True)
class Minute:
    """Nats a token, notes a second, pitches, longest seconds without a note, share of new runs."""

    entropy: float
    surprise: float
    density: float
    pitches: float
    silence: float
    new: float


@dataclass(frozen=True)
class Check:
    """Something that had to hold, and the figures that say whether it did."""

    name: str
    held: bool
    detail: str


@dataclass(frozen=True)
class LongRun:
    """Its minutes, the range of each curve in first minutes, and what had to hold."""

    minutes: Sequence[Minute]
    ranges: dict[str, Range]
    checks: Sequence[Check]

    @property
    def held(self) -> bool:
        """Whether everything did."""
        return all(check.held for check in self.checks)


@dataclass(frozen=True)
class Trace:
    """Every token: its id, when it came (seconds), the entropy before it, its surprise (nats)."""

    ids: np.ndarray
    times: np.ndarray
    entropy: np.ndarray
    surprise: np.ndarray

    def part(self, start: int, stop: int | None, origin: float) -> "Trace":
        """Some of the tokens, with times counted from `origin`."""
        cut = slice(start, stop)
        times = self.times[cut] - origin
        return Trace(self.ids[cut], times, self.entropy[cut], self.surprise[cut])


def play(
    model: StepModel, config: Config, music: Sequence[np.ndarray], minutes: int, seed: int,
    passed: Passed,
) -> LongRun:  # fmt: skip
    """An hour of playing after a passage of one of the pieces of `music`, arrays of ids."""
    ranges = ranges_of(first_minutes(model, config, music, seed, passed))
    trace = _endless(model, config, music, minutes, seed, passed)
    found = by_minute(trace, minutes)
    checks = [*within(found, ranges, CURVES), *healthy(found)]
    return LongRun(found, ranges, checks)


def listen(
    model: StepModel, config: Config, music: Sequence[np.ndarray], minutes: int, seed: int,
    starts: dict[str, Range], passed: Passed,
) -> LongRun:  # fmt: skip
    """An hour of hearing the pieces of `music`, and then a minute of playing.

    `starts` are the ranges of first minutes of playing: those of `play`.
    """
    order = np.random.default_rng(seed).permutation(len(music))
    length = minutes * MINUTE
    performance = programme([music[i] for i in order], length)
    session = Session(model, _with(config, "steering.mode", "listen"), seed)
    session.hear(performance, length, passed)
    count = len(session.heard)
    session.turn("mode", "solo")
    session.hear([], length + MINUTE, passed)
    trace = weigh(model, session.heard, passed, performance[0][0])
    heard, after = trace.part(0, count, 0.0), trace.part(count, None, length)
    found = by_minute(heard, minutes)
    again = by_minute(_heard_afresh(model, heard, passed), minutes)
    played = by_minute(after, 1)
    ranges = ranges_of(again)
    checks = [*within(found, ranges, ("entropy", "surprise")), _weary(found, again)]
    checks += [
        replace(check, name=f"then plays: {check.name}")
        for check in [*within(played, starts, CURVES), *healthy(played)]
    ]
    return LongRun(found, ranges, checks)


def first_minutes(
    model: StepModel, config: Config, music: Sequence[np.ndarray], seed: int, passed: Passed
) -> list[Minute]:
    """The first minute of each of STARTS replies, to different passages with different seeds."""
    traces = (
        _endless(model, config, music, 1, seed + 1 + start, passed) for start in range(STARTS)
    )
    return [minute for trace in traces for minute in by_minute(trace, 1)]


def _endless(
    model: StepModel, config: Config, music: Sequence[np.ndarray], minutes: int, seed: int,
    passed: Passed,
) -> Trace:  # fmt: skip
    rng = np.random.default_rng(seed)
    heard = prompt(music[int(rng.integers(len(music)))], PROMPT, rng)
    endless = _with(_with(config, "steering.mode", "continue"), "turns.reply_length", "endless")
    silence = config.turns.fixed_silence  # of a set length, so that its end is known
    session = Session(model, _with(endless, "turns.silence", silence), seed)
    last = heard[-1][0]
    begin = last + seconds_of(silence, Clock(config.steering.tempo), last)
    session.hear(heard, begin, passed)
    count = len(session.heard)
    session.hear([], begin + minutes * MINUTE, passed)
    return weigh(model, session.heard, passed, heard[0][0]).part(count, None, begin)


def _with(config: Config, name: str, value: object) -> Config:
    return change(config, "the long run", name, value)


def weigh(model: StepModel, ids: Sequence[int], passed: Passed, first: float) -> Trace:
    """Feed ids to a model that was just started; the first event is at time `first`.

    Of the first token, before which nothing was heard, nothing is expected: all are equally likely.
    """
    vocabulary = model.vocabulary
    shifts = vocabulary.ids(TIME_SHIFT)
    seconds = np.zeros(len(vocabulary))
    seconds[shifts.start : shifts.stop] = np.arange(1, len(shifts) + 1)
    seconds /= vocabulary.steps_per_second
    state, logits = model.initial_state(), np.zeros(len(vocabulary), np.float32)
    entropy, surprise = np.zeros(len(ids)), np.zeros(len(ids))
    for i, id in enumerate(ids):
        costs = logits.max() - logits.astype(np.float64)
        costs += np.log(np.exp(-costs).sum())
        entropy[i], surprise[i] = np.exp(-costs) @ costs, costs[id]
        logits, state = model.step((id,), state)
        passed(seconds[id])
    array = np.array(ids, np.int64)
    return Trace(array, first + np.cumsum(seconds[array]), entropy, surprise)


def _heard_afresh(model: StepModel, trace: Trace, passed: Passed) -> Trace:
    """The same tokens, each minute of them weighed by a model that was just started."""
    minute = (trace.times // MINUTE).astype(int)
    parts = np.split(trace.ids, np.flatnonzero(np.diff(minute)) + 1)
    afresh = [weigh(model, part.tolist(), passed, 0.0) for part in parts]
    entropy, surprise = ([getattr(part, name) for part in afresh] for name in CURVES[:2])
    return Trace(trace.ids, trace.times, np.concatenate(entropy), np.concatenate(surprise))


def by_minute(trace: Trace, minutes: int) -> list[Minute]:
    """The figures of each minute from time 0 on."""
    notes = trace.ids < len(PERFORMANCE.ids(NOTE_ON))
    onsets, pitches = trace.times[notes], trace.ids[notes]
    gaps = _gaps(onsets, minutes)
    is_new = _new_runs(pitches)
    found = []
    for number in range(minutes):
        tokens = trace.times // MINUTE == number
        played = onsets // MINUTE == number
        some = bool(tokens.any())
        ends = is_new[played[len(pitches) - len(is_new) :]]
        found.append(
            Minute(
                entropy=float(trace.entropy[tokens].mean()) if some else float("nan"),
                surprise=float(trace.surprise[tokens].mean()) if some else float("nan"),
                density=float(played.sum() / MINUTE),
                pitches=_pitches(pitches[played]),
                silence=gaps[number],
                new=float(ends.mean()) if len(ends) else float("nan"),
            )
        )
    return found


def _gaps(onsets: np.ndarray, minutes: int) -> list[float]:
    """For each minute the longest time without an onset that reaches into it."""
    edges = np.concatenate(([0.0], onsets[onsets < minutes * MINUTE], [minutes * MINUTE]))
    longest = [0.0] * minutes
    for start, end in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True):
        for number in range(int(start // MINUTE), min(minutes, int(end // MINUTE) + 1)):
            longest[number] = max(longest[number], end - start)
    return longest


def _new_runs(pitches: np.ndarray) -> np.ndarray:
    """For each note but the first RUN - 1: whether the run that it ends was never played before."""
    if len(pitches) < RUN:
        return np.zeros(0, bool)
    runs = np.lib.stride_tricks.sliding_window_view(pitches, RUN)
    new = np.zeros(len(runs), bool)
    new[np.unique(runs, axis=0, return_index=True)[1]] = True
    return new


def _pitches(pitches: np.ndarray) -> float:
    shares = np.unique(pitches, return_counts=True)[1] / max(1, len(pitches))
    return float(np.exp(-(shares * np.log(shares)).sum())) if len(pitches) else 0.0


def ranges_of(minutes: Sequence[Minute]) -> dict[str, Range]:
    """Lowest and highest of each curve."""
    values = {curve: [getattr(minute, curve) for minute in minutes] for curve in CURVES}
    return {curve: (float(np.min(v)), float(np.max(v))) for curve, v in values.items()}


def within(
    minutes: Sequence[Minute], ranges: dict[str, Range], curves: Sequence[str]
) -> list[Check]:
    """Whether curves stay within their ranges."""
    checks = []
    for curve in curves:
        low, high = ranges[curve]
        values = np.array([getattr(minute, curve) for minute in minutes])
        inside = float(((values >= low) & (values <= high)).mean())
        last = float(values[-TAIL:].mean())
        detail = (
            f"{100 * inside:.0f} % of the minutes and the last ones' mean, {last:.2f}, within "
            f"{low:.2f}-{high:.2f}"
        )
        checks.append(Check(curve, inside >= INSIDE and low <= last <= high, detail))
    return checks


def healthy(minutes: Sequence[Minute]) -> list[Check]:
    """Whether it neither falls silent, nor gets stuck, nor loops."""
    silence = max(minute.silence for minute in minutes)
    pitches = min(minute.pitches for minute in minutes)
    new = min((m.new for m in minutes if np.isfinite(m.new)), default=float("nan"))
    return [
        Check("no silence", silence <= SILENCE, f"at most {silence:.1f} s without a note"),
        Check("not stuck", pitches >= PITCHES, f"at least {pitches:.1f} pitches a minute"),
        Check("no loop", new >= NEW, f"at least {100 * new:.0f} % of a minute's runs are new"),
    ]


def _weary(found: Sequence[Minute], afresh: Sequence[Minute]) -> Check:
    last, start = (np.mean([m.surprise for m in side[-TAIL:]]) for side in (found, afresh))
    detail = f"{last:.3f} nats a token at the end, {start:.3f} for a model just started"
    return Check("not weary", bool(last <= (1 + WEARY) * start), detail)


def seconds_of_work(minutes: int, listens: bool) -> float:
    """About how many seconds of music `passed` will be told of, by `play` and by `listen`."""
    playing = 2 * (STARTS * (PROMPT + MINUTE) + PROMPT + minutes * MINUTE)
    return playing + (3 * minutes * MINUTE + 2 * MINUTE if listens else 0.0)
