"""The commands that judge a model file, and roll; each imports what it needs when it is called."""

import argparse
import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from segued.errors import DataError, UsageError
from segued.model.loading import MODELS
from segued.model.session import Model
from segued.settings.config import Config
from segued.settings.yaml_file import load_settings

from ..corpus.encoding import encode_file
from ..corpus.pieces import Pieces, join, join_all
from ..corpus.store import broken_list, read_folder, report_broken
from ..report import progress
from . import card
from .longrun import LongRun

NOT_HELD = 1
"""`longrun`'s exit status when a criterion did not hold."""


def evaluate(options: argparse.Namespace) -> int:
    """`evaluate`: how well a model file predicts a folder."""
    model = Model.load(options.model, threads=options.threads)
    if model.notes is not None:
        return _evaluate_chords(options, model)
    if options.way:
        raise UsageError("--way is for models of train --preset seed: others have no windows")
    training = options.train or own_training(options.folder)
    result = evaluation(options, model, options.folder, training)
    print(json.dumps(result) if options.json else card.evaluation_text(result))
    return 0


def _evaluate_chords(options: argparse.Namespace, model: Model) -> int:
    """`evaluate` of a model of the note vocabulary."""
    from .chords import evaluate_chords

    result = evaluate_chords(model, _read(options, options.folder), options.way)
    print(json.dumps(result.to_dict()) if options.json else result)
    return 0


def compare(options: argparse.Namespace) -> int:
    """`compare`: models of both vocabularies on pitches alone."""
    from .compare import compare

    rows, scored = compare(options.models, _read(options, options.folder))
    if options.json:
        print(json.dumps({"scored": scored, "rows": [asdict(row) for row in rows]}))
    else:
        print(card.comparison_text(rows, scored))
    return 0


def roll(options: argparse.Namespace) -> int:
    """`roll`: a picture of a MIDI file."""
    from .pictures import draw_file

    draw_file(options.file, options.picture)
    return 0


def evaluation(
    options: argparse.Namespace, model: Model, folder: Path, training: list[Path]
) -> dict[str, Any]:
    """The model and its baselines on a folder, as `evaluate --json` prints it."""
    from .baselines import markov
    from .compare import compare
    from .evaluate import evaluate as evaluate_pieces

    pieces = _read(options, folder)
    baselines = []
    if not options.quick:
        parts = [_read(options, part) for part in training]
        learned = join_all(parts) if parts else None
        baselines = markov(pieces, learned, options.markov_order, options.markov_keys)
    result = evaluate_pieces(model, pieces, baselines).to_dict()
    if not options.quick:
        result["trained_on"] = [str(part) for part in training]
    if options.seed_model:
        rows, scored = compare([options.model, options.seed_model], pieces)
        result["seed"] = {"scored": scored, "rows": [asdict(row) for row in rows]}
    return result


def own_training(folder: Path) -> list[Path]:
    """The training folder next to a folder named valid."""
    beside = folder.resolve().parent / "train"
    return [beside] if folder.resolve().name == "valid" and beside.is_dir() else []


def continuation(options: argparse.Namespace) -> int:
    """`continuation`: replies compared with the original continuations."""
    from .continuation import continuation_test, passages

    shorts = {"temperature": options.temperature, "top_p": options.top_p}
    settings = [f"sampling.{k}={v}" for k, v in shorts.items() if v is not None]
    config = settings_of([*options.settings, *settings])
    places = passages(_read(options, options.folder), options.passages, options.seed)
    result = continuation_test(
        options.model, places, config, options.replies, options.seed, options.workers, options.hear
    )
    if options.picture:
        from .pictures import draw_continuation

        draw_continuation(result, _name(options.folder), options.picture)
    print(json.dumps(result) if options.json else card.continuation_text(result))
    return 0


def duet(options: argparse.Namespace) -> int:
    """`duet`: replies to performers, compared with their own continuations."""
    result = _duet_of(options, options.keep)
    print(json.dumps(result) if options.json else card.duet_text(result))
    return 0


def _duet_of(options: argparse.Namespace, keep: Path | None = None) -> dict[str, Any]:
    from .duet import duet_test

    config = settings_of(options.settings)
    return duet_test(options.model, config, options.replies, options.seed, options.workers, keep)


def longrun(options: argparse.Namespace) -> int:
    """`longrun`: an hour of playing and an hour of listening."""
    runs = long_runs(options, options.listen)
    if options.picture:
        from .pictures import draw_long_run

        draw_long_run(runs, options.model.name, options.picture)
    if options.json:
        print(json.dumps(card.long_run_json(runs)))
    else:
        print("\n\n".join(card.long_run_text(name, run) for name, run in runs.items()))
    return 0 if all(run.held for run in runs.values()) else NOT_HELD


def long_runs(options: argparse.Namespace, source: Path | None) -> dict[str, LongRun]:
    """The runs by name: playing, and listening if there is music for it."""
    from .longrun import listen, play, seconds_of_work
    from .player_pool import load_model

    config = settings_of(options.settings)
    model = load_model(options.model)
    music = list(_music(options, source))
    listens = source is not None
    total = seconds_of_work(options.minutes, listens)
    with progress(total=round(total), desc="a long run", unit="s", leave=False) as bar:
        passed = _counting(bar)
        runs = {"playing": play(model, config, music, options.minutes, options.seed, passed)}
        if listens:
            runs["listening"] = listen(
                model, config, music, options.minutes, options.seed, runs["playing"].ranges, passed
            )
    return runs


def _counting(bar: Any) -> Callable[[float], object]:
    """Updates a progress bar, which counts whole seconds, with seconds of music."""
    passed = 0.0

    def add(seconds: float) -> None:
        nonlocal passed
        passed += seconds
        if passed >= bar.n + 1:
            bar.update(int(passed) - bar.n)

    return add


def _music(options: argparse.Namespace, source: Path | None) -> Pieces:
    if source is not None and source.is_dir():
        return _read(options, source)
    shipped = MODELS.with_name("phrases")
    files = [source] if source is not None else sorted(shipped.glob("*.mid"))
    arrays = []
    for file in files:
        ids = encode_file(file)
        if isinstance(ids, str):
            raise DataError(ids)
        arrays.append(ids)
    return join([str(file) for file in files], arrays)


def settings_of(settings: list[str]) -> Config:
    """The daemon's own settings with some of them changed."""
    return load_settings(None, settings)


def quality(options: argparse.Namespace) -> int:
    """`quality`: all of it, as the tables and pictures of a model card."""
    if len({_name(folder) for folder in options.folders}) < len(options.folders):
        raise UsageError("two of the folders have the same last two names")
    model = Model.load(options.model)
    if model.notes is not None:
        raise UsageError(f"{options.model}: a model of chords has no nats per token: use compare")
    options.out.mkdir(parents=True, exist_ok=True)
    known = [part for folder in options.folders for part in own_training(folder)]
    results: dict[str, dict[str, Any]] = {"evaluate": {}, "continuation": {}}
    for folder in options.folders:
        training = options.train or own_training(folder) or known
        results["evaluate"][_name(folder)] = evaluation(options, model, folder, training)
        _keep(options.out, results)
    for folder in options.folders:
        results["continuation"][_name(folder)] = _continuation_of(options, folder)
        _keep(options.out, results)
    results["duet"] = _duet_of(options)
    _keep(options.out, results)
    from .pictures import draw_long_run

    runs = long_runs(options, options.folders[0])
    draw_long_run(runs, options.model.name, options.out / "longrun.png")
    results["longrun"] = card.long_run_json(runs)
    _keep(options.out, results)
    print(f"{options.out / card.TABLES}: tables, beside them quality.json and pictures")
    return 0


def _continuation_of(options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    from .continuation import continuation_test, passages
    from .pictures import draw_continuation

    places = passages(_read(options, folder), options.passages, options.seed)
    config = settings_of(options.settings)
    result = continuation_test(
        options.model, places, config, options.replies, options.seed, options.workers
    )
    picture = options.out / f"continuation-{_name(folder).replace('/', '-')}.png"
    draw_continuation(result, _name(folder), picture)
    return result


def _keep(out: Path, results: dict[str, Any]) -> None:
    """Write the results so far, so that an error does not lose hours of work."""
    (out / "quality.json").write_text(json.dumps(results, indent=1) + "\n")
    (out / card.TABLES).write_text(card.markdown(results))


def _name(folder: Path) -> str:
    return "/".join(folder.resolve().parts[-2:])


def _read(options: argparse.Namespace, folder: Path) -> Pieces:
    pieces = read_folder(folder, options.cache, options.workers)
    report_broken(pieces, broken_list(folder, options.cache))
    return pieces
