"""Formats results: for a terminal, as JSON, and as the tables of a model card."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from .compare import Row
from .duet_measures import MEASURES
from .longrun import LongRun

TABLES = "quality.md"

Result = Mapping[str, Any]
"""What `evaluate --json` and the others print."""

BASELINES = {
    "unigram": "counting tokens",
    "markov": "Markov model, trained",
    "markov_listening": "Markov model, learning as it listens",
    "markov_both": "Markov model, both",
}


def evaluation_text(result: Result) -> str:
    """An evaluation for a terminal."""
    low, high = result["nats_per_token_low"], result["nats_per_token_high"]
    quoting = result["quoting"]
    kinds = [f"{nats:.3f} a {kind.lower()}" for kind, nats in result["nats_by_kind"].items()]
    lines = [
        f"{result['nats_per_token']:.4f} nats per token (95 %: {low:.3f}-{high:.3f}), "
        f"{result['nats_per_note']:.3f} per note",
        f"{quoting['nats_per_token']:.4f} as the daemon plays, quoting what came before in the "
        f"piece (95 %: {quoting['low']:.3f}-{quoting['high']:.3f})",
        "of these " + ", ".join(kinds),
        f"{result['tokens']} tokens, {result['notes']} notes, {result['files']} files",
    ]
    if result["broken"]:
        lines.append(f"{result['broken']} files left out")
    for name, row in result["baselines"].items():
        gain = f"{row['gain']:+.3f} ({row['gain_low']:+.3f} to {row['gain_high']:+.3f})"
        lines.append(f"{name:17}{row['nats_per_token']:7.4f}, gained {gain}; {row['about']}")
    for row in result.get("seed", {}).get("rows", []):
        nats = f"{row['nats_per_chord']:.3f} nats a chord, pitches alone"
        lines.append(f"{nats}: {row['model']}, {row['way']}")
    return "\n".join(lines)


def comparison_text(rows: Sequence[Row], scored: Mapping[str, float]) -> str:
    """A comparison of models as a table for a terminal."""
    width = max(len(row.model) for row in rows)
    lines = [f"{'':{width}}  {'':24}{'nats a chord':>14}{'a note':>8}{'ms a chord':>12}"]
    lines += [
        f"{row.model:{width}}  {row.way:24}{row.nats_per_chord:14.3f}"
        f"{row.nats_per_note:8.3f}{row.milliseconds:12.3f}"
        for row in rows
    ]
    lines.append(
        f"pitches alone, of {scored['chords']} chords with {scored['notes']} notes, "
        f"{100 * scored['share']:.1f} % of all: those that every note vocabulary here knows; "
        "* is how the daemon plays it"
    )
    return "\n".join(lines)


def continuation_text(result: Mapping[str, Mapping[str, float]]) -> str:
    """The continuation test as a table for a terminal."""
    heads = ("overlap with the real", "floor", "reply", "(95 %)", "ceiling", "echo", "share", "")
    lines = ["{:22}{:>7}{:>8} {:15}{:>7}{:>7}{:>7} {}".format(*heads)]
    for name, row in result.items():
        if "floor" not in row:
            continue
        share = f"({row['share_low']:.2f}-{row['share_high']:.2f})"
        lines.append(
            f"{name:22}{row['floor']:7.3f}{row['reply']:8.3f} "
            f"{_interval(row):15}{row['ceiling']:7.3f}{row['echo']:7.3f}{row['share']:7.2f} {share}"
        )
    new = result["new"]
    lines.append(
        f"{new['passages']:.0f} passages of {new['pieces']:.0f} pieces; floor: other pieces, "
        "ceiling: the ten seconds after, echo: the ten seconds before"
    )
    lines.append(
        f"new melody: {100 * new['reply']:.0f} % of the replies', {100 * new['real']:.0f} % of "
        "what really came"
    )
    return "\n".join(lines)


DUET_HEADS = "somebody else", "reply", "the performer", "share"


def duet_text(result: Result) -> str:
    """The duet test as a table for a terminal."""
    lines = ["{:52}{:>14}{:>8}{:>15}{:>8}".format("", *DUET_HEADS)]
    lines += ["{:52}{:>14}{:>8}{:>15}{:>8}".format(*row) for row in _duet_rows(result)]
    return "\n".join([*lines, _duet_about(result)])


def _duet_rows(result: Result) -> list[list[str]]:
    rows = []
    for name, measure in MEASURES.items():
        row = result["measures"][name]
        figures = [row["floor"], row["reply"], row["yours"], row["share"]]
        digits = [*[measure.digits] * 3, 2]
        rows.append([measure.text, *map(_plain, figures, digits)])
    return rows


def _duet_about(result: Result) -> str:
    families = ", ".join(f"{name} {_plain(share)}" for name, share in result["families"].items())
    interval = f"{result['listened_low']:.2f}-{result['listened_high']:.2f}"
    return (
        f"listened: {_plain(result['listened'])} ({interval}) from what a musician plays to "
        f"somebody else (0) to what the performer went on with (1): {families}; "
        f"{result['prompts']} prompts, {result['replies']} replies, "
        f"{100 * result['intruded']:.0f} % came in while the prompt was played, "
        f"{100 * result['silent']:.0f} % never"
    )


def _plain(value: float | None, digits: int = 2) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def long_run_text(name: str, run: LongRun) -> str:
    """A long run minute by minute, and whether it held, for a terminal."""
    heads = ("minute", "entropy", "surprise", "notes/s", "pitches", "silence", "new")
    lines = [f"{name}:", ("{:>9}" * len(heads)).format(*heads)]
    for number, m in enumerate(run.minutes, start=1):
        lines.append(
            f"{number:9}{m.entropy:9.3f}{m.surprise:9.3f}{m.density:9.2f}{m.pitches:9.1f}"
            f"{m.silence:9.1f}{m.new:9.2f}"
        )
    lines += [f"{'held' if c.held else 'NOT HELD':9}{c.name}: {c.detail}" for c in run.checks]
    return "\n".join(lines)


def long_run_json(runs: Mapping[str, LongRun]) -> dict[str, Any]:
    """Long runs as JSON values."""
    return {"held": all(run.held for run in runs.values())} | {
        name: {
            "held": run.held,
            "ranges": run.ranges,
            "checks": [asdict(check) for check in run.checks],
            "minutes": [asdict(minute) for minute in run.minutes],
        }
        for name, run in runs.items()
    }


def markdown(results: Mapping[str, Result]) -> str:
    """The tables of all results that exist."""
    parts = []
    if results["evaluate"]:
        parts.append(_evaluations(results["evaluate"]))
    if results["continuation"]:
        parts.append(_continuations(results["continuation"]))
    if "duet" in results:
        table = _table([["", *DUET_HEADS], *_duet_rows(results["duet"])])
        parts += ["Does it play with people?", table, _duet_about(results["duet"]) + "."]
    if "longrun" in results:
        parts.append(_long_runs(results["longrun"]))
    return "\n\n".join(parts) + "\n"


def _evaluations(results: Mapping[str, Result]) -> str:
    rows = [["", *results]]
    rows.append(["files, tokens", *(f"{r['files']}, {r['tokens']:,}" for r in results.values())])
    for name, label in BASELINES.items():
        cells = [_figure(r["baselines"].get(name)) for r in results.values()]
        if any(cells):
            rows.append([label, *cells])
    model = [
        f"**{r['nats_per_token']:.3f}** "
        f"({r['nats_per_token_low']:.2f}-{r['nats_per_token_high']:.2f})"
        for r in results.values()
    ]
    rows += [["this model", *model]]
    rows.append(["and quoting, as the daemon", *(_figure(r["quoting"]) for r in results.values())])
    for name, label in BASELINES.items():
        cells = [_gain(r["baselines"].get(name)) for r in results.values()]
        if any(cells) and name != "unigram":
            rows.append([f"better than: {label}", *cells])
    rows.append(["nats a note", *(f"{r['nats_per_note']:.2f}" for r in results.values())])
    about = [
        f"{BASELINES[name]}: {row['about']} ({folder})"
        for folder, result in results.items()
        for name, row in result["baselines"].items()
        if name == "markov"
    ]
    seeds = [_seed(folder, r["seed"]) for folder, r in results.items() if "seed" in r]
    text = (
        "Nats per token with the state carried through each piece (lower is better); in brackets "
        "95 % confidence, bootstrap over files."
    )
    return "\n\n".join([text, _table(rows), *about, *seeds])


def _seed(folder: str, result: Result) -> str:
    rows = [[f"pitches alone, {folder}", "", "nats a chord", "a note", "ms a chord"]]
    rows += [
        [
            row["model"], row["way"], f"{row['nats_per_chord']:.3f}", f"{row['nats_per_note']:.3f}",
            f"{row['milliseconds']:.2f}",
        ]
        for row in result["rows"]
    ]  # fmt: skip
    return _table(rows)


def _figure(row: Result | None) -> str:
    return f"{row['nats_per_token']:.3f} ({row['low']:.2f}-{row['high']:.2f})" if row else ""


def _gain(row: Result | None) -> str:
    return f"{row['gain']:.2f} ({row['gain_low']:.2f}-{row['gain_high']:.2f})" if row else ""


def _continuations(results: Mapping[str, Result]) -> str:
    heads = [""]
    for folder in results:
        heads += [f"{folder}: floor", "reply (95 %)", "ceiling", "share (95 %)"]
    rows = [heads]
    first = next(iter(results.values()))
    for name in first:
        if "floor" not in first[name]:
            continue
        cells = [name]
        for result in results.values():
            row = result[name]
            share = f"{row['share']:.2f} ({row['share_low']:.2f}-{row['share_high']:.2f})"
            reply = f"**{row['reply']:.3f}** {_interval(row)}"
            cells += [f"{row['floor']:.3f}", reply, f"{row['ceiling']:.3f}", share]
        rows.append(cells)
    counts = [
        f"{folder}: {r['new']['passages']:.0f} passages of {r['new']['pieces']:.0f} pieces, new "
        f"melody {100 * r['new']['reply']:.0f} % ({100 * r['new']['real']:.0f} % of the real)"
        for folder, r in results.items()
    ]
    text = (
        "Do replies resemble what really came next? 20 s of real music, the model's next 10 s "
        "against the real ones, overlap of distributions."
    )
    return "\n\n".join([text, _table(rows), "; ".join(counts) + "."])


def _long_runs(result: Result) -> str:
    parts = []
    for name in ("playing", "listening"):
        if name not in result:
            continue
        run = result[name]
        verdict = "held" if run["held"] else "did not hold"
        checks = [["", f"{name}, {len(run['minutes'])} minutes: {verdict}", ""]]
        checks += [
            [c["name"], c["detail"], "held" if c["held"] else "**not held**"] for c in run["checks"]
        ]
        parts.append(_table(checks))
    return "\n\n".join(["A long run, minute by minute (`longrun.png`).", *parts])


def _interval(row: Mapping[str, float]) -> str:
    return f"({row['low']:.3f}-{row['high']:.3f})"


def _table(rows: list[list[str]]) -> str:
    head, *body = rows
    lines = [head, ["---"] * len(head), *body]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)
