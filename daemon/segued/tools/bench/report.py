"""A measured figure with its floor and target, and the table of all figures."""

import math
from bisect import bisect
from collections.abc import Sequence
from dataclasses import dataclass, field


def percentile(values: Sequence[float], share: float) -> float:
    """The quantile `share` (0..1) of the values."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


@dataclass
class Figure:
    """Measured `values` and those of the `floor` (empty: there is none), in `unit`.

    `target`: the upper limit of the `judged` statistic, "median", "p99" or "max"; with
    `over_floor` of its difference from the floor's, with `ratio` of the ratio of the two.
    """

    name: str
    unit: str
    values: Sequence[float]
    floor: Sequence[float] = field(default_factory=tuple)
    target: float = 0.0
    judged: str = "median"
    over_floor: bool = False
    ratio: bool = False
    note: str = ""

    def statistic(self, values: Sequence[float], name: str) -> float:
        """Median, p99 or max."""
        return percentile(values, {"median": 0.5, "p99": 0.99, "max": 1.0}[name])

    @property
    def verdict(self) -> float:
        """The value that is compared with the target."""
        value = self.statistic(self.values, self.judged)
        if self.ratio:
            return value / self.statistic(self.floor, self.judged)
        if self.over_floor:
            return value - self.statistic(self.floor, self.judged)
        return value

    def as_dict(self) -> dict[str, object]:
        """Plain values for JSON."""
        names = ("median", "p99", "max")
        return {
            "unit": self.unit,
            "count": len(self.values),
            **{name: self.statistic(self.values, name) for name in names},
            "floor": {n: self.statistic(self.floor, n) for n in names} if self.floor else None,
            "judged": self.rule,
            "verdict": self.verdict,
            "target": self.target,
            "met": self.verdict <= self.target,
            "note": self.note,
        }

    @property
    def rule(self) -> str:
        """What the target limits, in words."""
        what = "times the floor's" if self.ratio else "over the floor's" if self.over_floor else ""
        return f"{self.judged} {what}".strip()


BARS = " ▁▂▃▄▅▆▇█"
EDGES = [0.01 * 10 ** (i / 8) for i in range(25)]  # milliseconds: eight bins a decade to 10 ms


def histogram(values: Sequence[float]) -> str:
    """A bar for each bin of a logarithmic scale from 0.01 to 10; the end bins include the rest."""
    counts = [0] * (len(EDGES) + 1)
    for value in values:
        counts[bisect(EDGES, value)] += 1
    most = max(counts)
    return "".join(BARS[math.ceil(count / most * (len(BARS) - 1))] for count in counts)


def table(figures: Sequence[Figure]) -> str:
    """All figures as lines of text, with histograms of those in milliseconds."""
    head = f"{'':34}{'median':>9}{'p99':>9}{'max':>9}   {'floor: median, p99':20}{'judged'}"
    lines = [head]
    for figure in figures:
        shown = [figure.statistic(figure.values, name) for name in ("median", "p99", "max")]
        floor = "-"
        if figure.floor:
            floor = ", ".join(f"{figure.statistic(figure.floor, n):.3f}" for n in ("median", "p99"))
        met = "met" if figure.verdict <= figure.target else "NOT MET"
        lines.append(
            f"{figure.name + ' [' + figure.unit + ']':34}"
            + "".join(f"{value:9.3f}" for value in shown)
            + f"   {floor:20}{figure.rule} {figure.verdict:.3f} (target {figure.target:g}: {met})"
        )
        if figure.note:
            lines.append(f"{'':36}{figure.note}")
        if figure.unit == "ms":
            lines.append(f"{'':36}0.01 ms ▕{histogram(figure.values)}▏ 10 ms")
    return "\n".join(lines)
