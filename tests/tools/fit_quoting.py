"""Fit the shares of daemon/segued/recall/mixture_weights.py: how often what is quoted comes true.

    python -m tests.tools.fit_quoting MODEL.onnx DIR[:N] ... [--check DIR[:N] ...] [--cache DIR]

N: every Nth piece of a folder. Prints the tables as they stand in the room, and for each folder of
--check the nats per token without and with quoting. By expectation maximisation: a share is the
mean of how likely it was the quotation, not the model, that a token came from. Training pieces, for
nothing may be fitted to what it is judged by; the model has not learned them by heart (its nats on
them are within 0.1 of those on others), so they serve.
"""

import argparse
from collections.abc import Callable
from operator import attrgetter
from pathlib import Path

import numpy as np
from segue_export.corpus.store import read_folder
from segue_export.judge.evaluate import softmax
from segue_export.judge.quoting import FIELDS, ONS, Quoted, after_tunes, quoted
from segued.model.session import Model
from segued.recall.mixture_weights import AGREES, ID_LENGTHS, ID_SHARES, RUNS
from segued.recall.tune_follower import QUOTED
from segued.tokens.vocabulary import PERFORMANCE
from tqdm import tqdm

WINDOW, ROUNDS = 256, 40
FEWEST = 20  # cases of a share; rarer ones keep that of the passage a little shorter
MOST = 0.99  # a share: nothing is certain


class Seen:
    """Tokens of some pieces, what was quoted before them, and what the model gave them.

    Arrays (tokens,): `targets`, `told`; `given`, the probability of the target; `of_notes`, that of
    all note-ons together.
    """

    def __init__(self, model: Model, folder: str, cache: Path | None) -> None:
        path, _, every = folder.partition(":")
        pieces = list(read_folder(Path(path), cache, 1))[:: int(every or 1)]
        told, given, of_notes = [], [], []
        for piece in tqdm(pieces, folder, leave=False):
            told.append(quoted(piece))
            chances = chances_of(model, piece)
            given.append(chances[np.arange(len(chances)), piece[1:]])
            of_notes.append(chances[:, ONS.start : ONS.stop].sum(axis=1))
        self.targets = np.concatenate([piece[1:] for piece in pieces])
        self.told = Quoted(*(np.concatenate([getattr(t, f) for t in told]) for f in FIELDS))
        self.given, self.of_notes = np.concatenate(given), np.concatenate(of_notes)

    @property
    def hits(self) -> np.ndarray:
        """Which of the next notes of the tune came: (tokens, QUOTED)."""
        hits: np.ndarray = self.told.ons == self.targets[:, None]
        return hits

    def nats(self, quoting: bool) -> float:
        """Per token, under the shares that stand in the room."""
        p = self.given
        if quoting:
            told = self.told
            p = after_tunes(p, self.of_notes, self.hits, told.on_shares, self.targets)
            p = (1.0 - told.shares) * p + told.shares * (self.targets == told.ids)
        return float(-np.log(p).mean())


def chances_of(model: Model, piece: np.ndarray) -> np.ndarray:
    """The model's probabilities (tokens, V) of what follows each token of a piece but its last."""
    state, rows = np.zeros((1, model.state_size), np.float32), []
    for start in range(0, len(piece) - 1, WINDOW):
        inputs = piece[None, start : min(start + WINDOW, len(piece) - 1)].astype(np.int64)
        logits, state = model.run(inputs, state)
        rows.append(softmax(logits[0]).astype(np.float32))
    return np.concatenate(rows)


def fit(
    agree: np.ndarray, lengths: tuple[int, ...], came: np.ndarray, p: np.ndarray
) -> list[float]:
    """A share for each of `lengths`, of passages that agree for so long or longer.

    `came`: what a share of 1 would give each token, `p`: what the model gives it.
    """
    place, shares = np.digitize(agree, lengths) - 1, np.full(len(lengths), 0.5)
    for _ in range(ROUNDS):
        of_share = shares[place] * came
        from_quotation = of_share / np.maximum(1e-30, of_share + (1.0 - shares[place]) * p)
        for i in range(len(lengths)):
            cases = place == i
            if cases.sum() >= FEWEST:
                shares[i] = min(MOST, from_quotation[cases].mean())
            elif i:
                shares[i] = shares[i - 1]
    return shares.tolist()


def fit_tunes(case: np.ndarray, came: np.ndarray, p: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """TUNE_SHARES and NEXT_SHARES. `case` (tokens,), `came` (tokens, QUOTED) what a share of 1
    would give each token, `p` what the model gives it."""
    totals = np.full(len(RUNS) * len(AGREES), 0.3)
    parts = np.tile([0.7, 0.2, 0.1], (len(RUNS), 1))
    row, count = case // len(AGREES), np.bincount(case, minlength=len(totals))
    for _ in range(ROUNDS):
        of_next = totals[case, None] * parts[row] * came
        likely = of_next / (of_next.sum(axis=1) + (1.0 - totals[case]) * p + 1e-30)[:, None]
        sums = np.bincount(case, likely.sum(axis=1), len(totals))
        totals = np.minimum(MOST, sums / np.maximum(1, count))
        for i in range(len(RUNS)):
            parts[i] = likely[row == i].sum(axis=0) + np.full(QUOTED, 1e-9)
            parts[i] /= parts[i].sum()
    table, columns = totals.reshape(len(RUNS), -1), np.arange(len(AGREES))
    for shares, seen in zip(table, (count >= FEWEST).reshape(table.shape), strict=True):
        shares[:] = np.interp(columns, columns[seen], shares[seen])
    return table, parts


def rows(name: str, table: np.ndarray) -> str:
    """A table as it stands in the room."""
    lines = ("    (" + ", ".join(f"{x:.2f}" for x in row) + ")," for row in table)
    return "\n".join([f"{name} = (", *lines, ")"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("folders", nargs="+", metavar="DIR[:N]")
    parser.add_argument("--check", nargs="*", default=[], metavar="DIR[:N]")
    parser.add_argument("--cache", type=Path)
    options = parser.parse_args()
    model = Model.load(options.model)
    seen = [Seen(model, folder, options.cache) for folder in options.folders]

    def all_of(value: Callable[[Seen], np.ndarray]) -> np.ndarray:
        return np.concatenate([value(s) for s in seen])

    targets, given, notes = (all_of(attrgetter(n)) for n in ("targets", "given", "of_notes"))
    told = {name: all_of(attrgetter(f"told.{name}")) for name in FIELDS}
    of = (told["on_case"] >= 0) & (targets < ONS.stop)
    hits = np.concatenate([s.hits for s in seen])
    table, parts = fit_tunes(told["on_case"][of], (notes[:, None] * hits)[of], given[of])
    print(rows("TUNE_SHARES", table), rows("NEXT_SHARES", parts), sep="\n")
    shares = table.flat[told["on_case"]][:, None] * parts[told["on_case"] // len(AGREES)]
    shares[(told["ons"] < 0) | (told["on_case"] < 0)[:, None]] = 0.0
    p = after_tunes(given, notes, hits, shares, targets)
    for kind in ID_SHARES:
        ids = PERFORMANCE.ids(kind)
        of = (told["ids"] >= ids.start) & (told["ids"] < ids.stop)
        row = fit(told["agree"][of], ID_LENGTHS, (targets == told["ids"])[of] * 1.0, p[of])
        print(f'    "{kind}": ({", ".join(f"{share:.2f}" for share in row)}),')
    for folder in options.check:
        one = Seen(model, folder, options.cache)
        print(f"{folder}: {one.nats(False):.4f} nats per token, quoting {one.nats(True):.4f}")


if __name__ == "__main__":
    main()
