"""The long run: an hour of playing and an hour of listening, in virtual time.

The daemon's own player is driven, as by `segued render`. For every token that enters its context
the model's entropy before it and its surprise (-log p) are computed. The criteria were fixed before
anything was measured.

Playing. It hears twenty seconds of music and then plays without end.

- Entropy, surprise and notes per second stay within the range of first minutes, those of `STARTS`
  replies to other music. A further first minute would be outside with probability 2 in
  `STARTS` + 1; a share `INSIDE` of the minutes must be inside, and so must the mean of the last
  `TAIL`.
- It is never silent: no `SILENCE` seconds pass without an onset.
- It does not get stuck on a few notes: every minute has at least `PITCHES` pitches, counted as the
  exponential of their entropy, so that rare ones count little.
- It does not loop: in every minute at least a share `NEW` of the runs of `RUN` successive notes
  was never played before.

Listening. It hears real music. Each minute is also evaluated with a model that starts with it.

- Entropy and surprise stay within the range of the minutes evaluated from a start, as above.
- Over the last `TAIL` minutes the surprise is at most a share `WEARY` above that from a start.
- Then it plays for a minute, which meets the criteria of playing.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from segued.generation.context import StepModel
from segued.settings.config import Config, change
from segued.timing.clock import Clock
from segued.timing.durations import seconds_of

from .minutes import CURVES, MINUTE, Minute, Passed, Trace, by_minute, weigh
from .session import Session, programme, prompt

PROMPT = 20.0  # seconds of music before a reply
STARTS = 24
INSIDE = 0.75  # a stationary model would fail by chance once in a hundred runs
TAIL = 10
SILENCE = 20.0  # seconds
PITCHES = 4.0
NEW = 0.2
WEARY = 0.02

Range = tuple[float, float]


@dataclass(frozen=True)
class Check:
    """A criterion: whether it held, with the figures."""

    name: str
    held: bool
    detail: str


@dataclass(frozen=True)
class LongRun:
    """A long run: its minutes, the range of each curve in first minutes, and the criteria."""

    minutes: Sequence[Minute]
    ranges: dict[str, Range]
    checks: Sequence[Check]

    @property
    def held(self) -> bool:
        """Whether all criteria held."""
        return all(check.held for check in self.checks)


def play(
    model: StepModel, config: Config, music: Sequence[np.ndarray], minutes: int, seed: int,
    passed: Passed,
) -> LongRun:  # fmt: skip
    """Let a model play for `minutes` after a passage of a piece of `music`, arrays of ids."""
    ranges = ranges_of(first_minutes(model, config, music, seed, passed))
    trace = _endless(model, config, music, minutes, seed, passed)
    found = by_minute(trace, minutes)
    checks = [*within(found, ranges, CURVES), *healthy(found)]
    return LongRun(found, ranges, checks)


def listen(
    model: StepModel, config: Config, music: Sequence[np.ndarray], minutes: int, seed: int,
    starts: dict[str, Range], passed: Passed,
) -> LongRun:  # fmt: skip
    """Let a model hear pieces of `music` for `minutes`, and then play for a minute.

    `starts`: the ranges of first minutes of playing, from `play`.
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
    """The first minutes of `STARTS` replies to different passages, with different seeds."""
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


def _heard_afresh(model: StepModel, trace: Trace, passed: Passed) -> Trace:
    """The same tokens, each minute evaluated by a model that starts with it."""
    minute = (trace.times // MINUTE).astype(int)
    parts = np.split(trace.ids, np.flatnonzero(np.diff(minute)) + 1)
    afresh = [weigh(model, part.tolist(), passed, 0.0) for part in parts]
    entropy, surprise = ([getattr(part, name) for part in afresh] for name in CURVES[:2])
    return Trace(trace.ids, trace.times, np.concatenate(entropy), np.concatenate(surprise))


def ranges_of(minutes: Sequence[Minute]) -> dict[str, Range]:
    """The lowest and highest value of each curve."""
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
    """About how many seconds of music `play` and `listen` will report to `passed`."""
    playing = 2 * (STARTS * (PROMPT + MINUTE) + PROMPT + minutes * MINUTE)
    return playing + (3 * minutes * MINUTE + 2 * MINUTE if listens else 0.0)
