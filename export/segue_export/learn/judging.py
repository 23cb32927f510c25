"""Evaluates a new model on test pieces, which were used neither for training nor for validation.

Three criteria, each with its statistical error:

- Prediction: nats per token on whole pieces of the performer.
- Continuation: after twenty seconds of a piece, how similar the next ten seconds are to those of
  the piece, compared with the present model.
- Listening to others: the duet test (`judge.duet`: pulse, texture, figures).
"""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from segued.errors import DataError
from segued.model.options import SHIPPED
from segued.model.own_models import own_models
from segued.model.session import Model
from segued.settings.config import Config

from ..corpus.pieces import Pieces
from ..data import IGNORE
from ..judge.bootstrap import interval, redraws
from ..judge.continuation import Passage, passages, replies_compared
from ..judge.duet import duet_test
from ..judge.evaluate import forward, nats_of
from ..judge.features import FEATURES
from ..judge.player_pool import load_model
from ..validation import GAIN, ValidationResult, Verdict
from .reading import shipped_phrases
from .training import Lesson

ROWS, WINDOW = 16, 256  # see judge.evaluate
FEW = 4  # pieces; with fewer, passages are the samples of the statistics
PLACES = 24  # passages that are continued


def predicted(model: Model, pieces: Pieces) -> ValidationResult:
    """The loss of a model file on each window of each piece."""
    order = sorted(range(len(pieces)), key=lambda i: -len(pieces[i]))
    shape = len(pieces), -(-int(pieces.lengths.max()) // WINDOW)
    loss, tokens = np.zeros(shape), np.zeros(shape, np.int64)
    for group in (order[i : i + ROWS] for i in range(0, len(order), ROWS)):
        for start, logits, targets in forward(model, [pieces[i] for i in group]):
            for row, piece in enumerate(group[: len(targets)]):
                real = targets[row] != IGNORE
                loss[piece, start // WINDOW] = nats_of(logits[row, real], targets[row, real]).sum()
                tokens[piece, start // WINDOW] = real.sum()
    return ValidationResult(loss, tokens)


def verdict_of(before: ValidationResult, after: ValidationResult) -> Verdict:
    """The verdict over pieces, or over windows if there are few pieces.

    Windows of a piece are not independent, so the error is then underestimated.
    """
    if before.pieces >= FEW:
        return Verdict.of(before, after)
    apart = [ValidationResult(r.loss_sum.reshape(-1, 1), r.tokens.reshape(-1, 1))
             for r in (before, after)]  # fmt: skip
    return Verdict.of(*apart)


@dataclass(frozen=True)
class Playing:
    """The overlap of continuations with the originals by feature, 0 to 1, before and after.

    `low`, `high`: the 95 % confidence interval of the mean gain.
    """

    before: dict[str, float]
    after: dict[str, float]
    low: float
    high: float

    @property
    def worse(self) -> bool:
        """Whether it plays significantly less like the performer than before."""
        return self.high < 0


@dataclass(frozen=True)
class Duet:
    """The score of the duet test, 0 to 1, with the bounds of its 95 % confidence interval."""

    before: tuple[float, float, float]
    after: tuple[float, float, float]
    families: dict[str, tuple[float, float]]

    @classmethod
    def of(cls, old: Path, new: Path, config: Config) -> "Duet":
        """Run the duet test on two model files."""
        found = [duet_test(path, config) for path in (old, new)]
        names = ("listened", "listened_low", "listened_high")
        before, after = (tuple(float(row[name]) for name in names) for row in found)
        both = {name: (share, found[1]["families"][name])
                for name, share in found[0]["families"].items()}  # fmt: skip
        return cls((before[0], before[1], before[2]), (after[0], after[1], after[2]), both)

    @property
    def worse(self) -> bool:
        """Whether the score is significantly lower."""
        return self.after[2] < self.before[1]

    def __str__(self) -> str:
        families = ", ".join(f"{name} {a:.2f} to {b:.2f}" for name, (a, b) in self.families.items())
        return (
            f"listening to others (0 to 1): {self.before[0]:.2f} before, {self.after[0]:.2f} after "
            f"(95 % sure: {self.after[1]:.2f} to {self.after[2]:.2f}); {families}"
        )


@dataclass(frozen=True)
class Judgement:
    """The comparison of a new model with the present one.

    `verdict`: by nats per token on the performer's pieces. `playing`: None if they are too short to
    be continued. `elsewhere`, `phrases`: the increase in nats per token over the shipped model, on
    music which that model generates and on the phrases that come with Segue. `others`: nats per
    token of all available models on the performer's pieces.
    """

    verdict: Verdict
    pieces: int
    playing: Playing | None
    elsewhere: float
    phrases: float
    others: dict[str, float]
    duet: Duet

    @property
    def better(self) -> bool:
        """Whether to keep the new model."""
        worse = self.playing is not None and self.playing.worse
        return self.verdict.better and not worse and not self.duet.worse

    @property
    def refusal(self) -> str:
        """The reason why it is not kept."""
        if self.verdict.better and self.duet.worse:
            return "not kept: it predicts you better, but it no longer listens to others as before"
        if self.verdict.better:
            return "not kept: it predicts you better, but it plays on less like you"
        if self.verdict.gain < GAIN:
            return "not kept: it is no better for you than the model that plays; play more takes"
        return "not kept: the gain is not more than chance on so few pieces; play more takes"

    def text(self) -> str:
        """The comparison as text."""
        few = "" if self.pieces >= FEW else f" (of {self.pieces} pieces only: a hint, no proof)"
        verdict, witnesses = self.verdict, "pieces" if self.pieces >= FEW else "passages"
        lines = [
            f"judged on what nothing was learned or chosen by{few}:",
            f"  {verdict.before:.4f} nats a token before, {verdict.after:.4f} after: a gain of "
            f"{verdict.gain:.4f} (standard error {verdict.error:.4f} over {verdict.pieces} "
            f"{witnesses})",
        ]
        if self.playing is not None:
            means = [np.mean([*d.values()]) for d in (self.playing.before, self.playing.after)]
            lines.append(
                f"  playing on from them, in common with what came: {means[0]:.3f} before, "
                f"{means[1]:.3f} after (95 % sure: {self.playing.low:+.3f} to "
                f"{self.playing.high:+.3f})"
            )
        lines.append(
            f"  what it costs elsewhere: {self.elsewhere:+.4f} nats a token on what the shipped "
            f"model plays by itself, {self.phrases:+.4f} on the shipped phrases; on other players' "
            "music up to twice the first was measured"
        )
        lines.append(f"  {self.duet}")
        return "\n".join(lines)

    def in_plain_words(self) -> str:
        """The judgement for the page, without terms of machine learning."""
        few = "" if self.pieces >= FEW else " That is a hint, no proof: there are too few pieces."
        gain, cost = (100 * math.expm1(nats) for nats in (self.verdict.gain, self.elsewhere))
        lines = [
            f"On {self.pieces} pieces of yours that it had never heard, the new model found what "
            f"you played {_percent(gain, 'more', 'less')} likely than the present one did.{few}"
        ]
        if self.playing is not None:
            like = "less like you" if self.playing.worse else "as much like you as before"
            lines.append(f"Playing on from them, it is {like}.")
        listens = "less than before" if self.duet.worse else "as before"
        lines.append(f"It listens to others {listens}.")
        if cost > 0:
            lines.append(
                f"Other music is {cost:.1f} % less likely to it than to the shipped model."
            )
        return " ".join(lines)

    def figures(self) -> dict[str, Any]:
        """The comparison as JSON values."""
        return asdict(self) | {"better": self.better}


def _percent(value: float, more: str, less: str) -> str:
    return f"{abs(value):.1f} % {more if value >= 0 else less}"


def judge(
    name: str, new: Path, present: Path, shipped: Path, pieces: Pieces, lesson: Lesson,
    config: Config,
) -> Judgement:  # fmt: skip
    """Judge a new model file against the present one and the shipped one, which may be the same."""
    old, base, candidate = (Model.load(path) for path in (present, shipped, new))
    before, after = (predicted(model, pieces) for model in (old, candidate))
    places = places_in(pieces)
    played = playing(present, new, places, config) if places else None
    elsewhere, phrases = (
        predicted(candidate, music).nll - predicted(base, music).nll
        for music in (lesson.elsewhere, shipped_phrases())
    )
    others = {SHIPPED: predicted(base, pieces).nll, name: after.nll}
    for own in own_models():
        model = Model.load(own.file())
        if model.notes is None:  # another vocabulary's nats are no measure
            others[own.name] = predicted(model, pieces).nll
    verdict = verdict_of(before, after)
    duet = Duet.of(present, new, config)
    return Judgement(verdict, len(pieces), played, elsewhere, phrases, others, duet)


def places_in(pieces: Pieces, seed: int = 1) -> list[Passage]:
    """Passages to continue; none if the pieces are too short or too few."""
    try:
        places = passages(pieces, PLACES, seed)
    except DataError:
        return []
    return places if len({place.piece for place in places}) > 1 else []


def playing(old: Path, new: Path, places: Sequence[Passage], config: Config) -> Playing:
    """Compare continuations of the same passages by two models, with the same random numbers."""
    rows = [replies_compared(load_model(path), places, config) for path in (old, new)]
    names = [feature.name for feature in FEATURES]
    values = np.array([[[row["reply"][name] for name in names] for row in part] for part in rows])
    owners = np.array([place.piece for place in places])
    member = (np.unique(owners)[:, None] == owners).astype(float)
    gained = (values[1] - values[0]).mean(axis=1)
    drawn = redraws(len(member))
    low, high = interval((drawn @ (member @ gained)) / (drawn @ member.sum(axis=1)))
    before, after = (dict(zip(names, part.mean(axis=0).tolist(), strict=True)) for part in values)
    return Playing(before, after, low, high)
