"""Training: it learns, it resumes exactly, and reports what does not fit."""

import json
import math
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from segue_export import report
from segue_export.augment import NO_AUGMENTATION, Augmentation, Component
from segue_export.checkpoint import load_weights
from segue_export.config import NetworkConfig, TrainConfig
from segue_export.corpus.pieces import Pieces
from segue_export.corpus.store import read_folder
from segue_export.judge.evaluate import unigram
from segue_export.network import Network
from segue_export.optim import Optimizer, averaged
from segue_export.options import OPTIMIZERS
from segue_export.task import PerformanceTask
from segue_export.train import Trainer
from segue_export.validation import some_of, validate
from segued.errors import DataError, UsageError
from torch.nn import functional

from ..support.tiny import TINY, network, pieces_of, scale_work, work, write_midi

ROOT = Path(__file__).parents[2]

SHORT = TrainConfig(
    updates=20, batch=3, time=16, optimizer="adamw", learning_rate=2e-3, warmup=5, decay=0.3,
    validate_every=10, checkpoint_every=7,
)  # fmt: skip


@pytest.fixture(autouse=True)
def no_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report, "plot", lambda *about: None)


def trainer(
    out: Path, config: TrainConfig = SHORT, sizes: NetworkConfig = TINY, sources: int = 2,
    trunk: Path | None = None,
) -> Trainer:  # fmt: skip
    parts = [Component(pieces_of([work(i, 20), work(i + 9, 8)]), 1.0, 0.01) for i in range(sources)]
    about = {"data": ["somewhere"] * sources}
    valid = pieces_of([work(50, 20), work(51, 10)])
    sizes = replace(sizes, dropout=0.2)
    task = PerformanceTask(sizes, config, Augmentation(), parts, valid)
    return Trainer(out, task, config, about, trunk=trunk)


def weights(trained: Trainer) -> dict[str, torch.Tensor]:
    return trained.network.state_dict()


def assert_same(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> None:
    assert a.keys() == b.keys()
    assert all(torch.equal(a[name], b[name]) for name in a)


def stop_at(trained: Trainer, update: int, number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A signal that comes in the middle of an update."""
    clip = torch.nn.utils.clip_grad_norm_

    def clip_and_be_stopped(*arguments: object) -> object:
        if trained.update + 1 == update:
            os.kill(os.getpid(), number)
        return clip(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(torch.nn.utils, "clip_grad_norm_", clip_and_be_stopped)


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_run_that_was_stopped_ends_with_the_same_bits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    straight = trainer(tmp_path / "straight")
    assert straight.run() == 0
    before = signal.getsignal(number)
    first = trainer(tmp_path / "stopped")
    stop_at(first, 11, number, monkeypatch)
    assert first.run() == 128 + number and first.update == 11
    assert signal.getsignal(number) is before
    second = trainer(tmp_path / "stopped")
    assert second.update == 11 and second.run() == 0
    assert_same(weights(second), weights(straight))
    assert second.tokens == straight.tokens
    best = [load_file(t.out / "best.safetensors") for t in (second, straight)]
    assert_same(*best)
    rows = [
        [{k: v for k, v in r.items() if k != "seconds"} for r in t.log] for t in (second, straight)
    ]
    assert rows[0] == rows[1]


@pytest.mark.slow
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_every_optimizer_learns_and_goes_on_exactly(tmp_path: Path, optimizer: str) -> None:
    rate = {"adamw": 1e-2, "muon": 2e-2, "rmsprop": 3e-3}[optimizer]
    config = replace(SHORT, optimizer=optimizer, learning_rate=rate, ema=0.9, decay=0.0)
    straight = trainer(tmp_path / "straight", config)
    straight.run()
    assert straight.log[-1]["valid_nll"] < straight.log[0]["valid_nll"] < math.log(388)
    trainer(tmp_path / "stopped", replace(config, updates=9)).run()
    second = trainer(tmp_path / "stopped", config)
    assert second.update == 9 and second.run() == 0
    assert_same(weights(second), weights(straight))
    assert_same(second.eval_model.state_dict(), straight.eval_model.state_dict())
    assert not torch.equal(second.eval_model.output.bias, second.network.output.bias)
    assert_same(load_file(second.out / "best.safetensors"), second.eval_model.state_dict())


def test_muon_has_the_matrices_inside_and_adamw_the_rest() -> None:
    trained = Network(TINY)
    muon, adamw = Optimizer(trained, replace(SHORT, optimizer="muon")).parts
    names = {id(weight): name for name, weight in trained.named_parameters()}
    inside = {names[id(w)] for w in muon.param_groups[0]["params"]}
    rest = {names[id(w)] for w in adamw.param_groups[0]["params"]}
    assert inside | rest == set(names.values()) and not inside & rest
    assert inside == {
        "dense.weight",
        *(f"lstms.{i}.weight_{part}_l0" for i in range(3) for part in ("ih", "hh")),
    }


def test_the_average_follows_slowly() -> None:
    fast = torch.nn.Linear(1, 1, bias=False)
    slow = averaged(fast, 0.99)
    values, expected = [], 0.0
    with torch.no_grad():
        for update in range(200):
            fast.weight.fill_(float(update))
            slow.update_parameters(fast)
            share = min(0.99, (1 + update) / (10 + update))
            expected = expected * share + update * (1 - share) if update else 0.0
            values.append(float(slow.module.get_parameter("weight")))
    assert values[-1] == pytest.approx(expected, rel=1e-3)
    assert values == sorted(values) and 80 < values[-1] < 199


@pytest.mark.slow
def test_one_seed_gives_one_result(tmp_path: Path) -> None:
    runs = []
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        runs.append(trainer(tmp_path / name, replace(SHORT, seed=seed)))
        runs[-1].run()
    first, second, other = runs
    assert_same(weights(first), weights(second))
    assert not torch.equal(first.network.output.bias, other.network.output.bias)


def test_a_longer_run_goes_on_from_a_shorter_one(tmp_path: Path) -> None:
    trainer(tmp_path).run()
    longer = trainer(tmp_path, replace(SHORT, updates=25, learning_rate=1e-3))
    assert longer.update == 20 and longer.run() == 0 and longer.update == 25
    done = trainer(tmp_path, replace(SHORT, updates=25))
    assert done.run() == 0 and done.update == 25


def test_what_cannot_be_changed_on_the_way(tmp_path: Path) -> None:
    trainer(tmp_path).run()
    described = (tmp_path / "run.json").read_bytes()
    for change, option in (
        ({"sizes": replace(TINY, layers=(16, 24))}, "--layers 16,24,8"),
        ({"sizes": replace(TINY, embedding=9)}, "--embedding 12"),
        ({"sizes": replace(TINY, dense=9)}, "--dense 20"),
        ({"config": replace(SHORT, batch=4)}, "--batch 3"),
        ({"config": replace(SHORT, optimizer="muon")}, "--optimizer adamw"),
        ({"config": replace(SHORT, seed=2)}, "--seed 1"),
        ({"sources": 1}, "2 --data folders"),
    ):
        with pytest.raises(UsageError, match=f"was started with {option}.* give another --out"):
            trainer(tmp_path, **change)
    assert (tmp_path / "run.json").read_bytes() == described


def test_a_checkpoint_that_is_broken(tmp_path: Path) -> None:
    trainer(tmp_path).run()
    whole = (tmp_path / "last.pt").read_bytes()
    for data in (b"", b"garbage", whole[: len(whole) // 2]):
        (tmp_path / "last.pt").write_bytes(data)
        with pytest.raises(DataError, match=r"last\.pt cannot be resumed.*remove it") as error:
            trainer(tmp_path)
        assert "\n" not in str(error.value)
    (tmp_path / "run.json").write_text("{")
    with pytest.raises(DataError, match=r"run\.json is broken"):
        trainer(tmp_path)


@pytest.mark.slow
def test_it_learns_what_counting_cannot(tmp_path: Path) -> None:
    pieces = pieces_of([scale_work((60, 64, 67, 72)), scale_work((62, 65, 69, 74))])
    config = TrainConfig(
        updates=150, batch=4, time=32, optimizer="adamw", learning_rate=2e-2, warmup=10, decay=0.3,
        validate_every=150,
    )  # fmt: skip
    small = NetworkConfig(embedding=16, layers=(32,), dense=32, latches=0)
    task = PerformanceTask(small, config, NO_AUGMENTATION, [Component(pieces, 1.0)], pieces)
    trained = Trainer(tmp_path, task, config, {"data": ["x"]})
    trained.run()
    assert trained.best < 0.4 * unigram(pieces.tokens)
    kept = load_file(tmp_path / "best.safetensors")
    assert_same(kept, weights(trained))


def test_it_stops_when_validation_no_longer_improves(tmp_path: Path) -> None:
    config = replace(SHORT, updates=500, learning_rate=0.0, validate_every=3, patience=2)
    stopped = trainer(tmp_path, config)
    assert stopped.run() == 0 and stopped.update == 9
    assert trainer(tmp_path, config).update == 9


def test_validation_hears_a_part_of_many_pieces() -> None:
    many = pieces_of([work(i, 10) for i in range(30)])
    assert some_of(many, 20, 600) is many
    some = some_of(many, 20, 200)
    assert len(some) == 10 and some.names[0] == "0.mid" and some.names[-1] == "29.mid"
    assert len(some_of(many, 20, 1)) == 1


@pytest.mark.slow
def test_memory_does_not_hold_the_corpus(tmp_path: Path) -> None:
    """What a piece in a store takes in memory does not depend on how long it is."""
    code = (
        "import sys, tracemalloc; from pathlib import Path\n"
        "from segue_export.corpus.store import read_folder\n"
        "from segue_export.corpus.split import split_parts\n"
        "for name in sys.argv[1:]:\n"
        "    tracemalloc.start()\n"
        "    pieces = read_folder(Path(name), Path(name, 'cache'))\n"
        "    (kept, out), = split_parts([pieces], 0.2, 1)\n"
        "    print(pieces.total, tracemalloc.get_traced_memory()[0])\n"
        "    tracemalloc.stop()\n"
    )
    for name, length in (("short", 100), ("long", 1500)):
        for i in range(4):
            write_midi(tmp_path / name / f"{i}.mid", work(i, length))
        read_folder(tmp_path / name, tmp_path / name / "cache")
    names = ["short", "short", "long"]  # the first time modules are loaded, too
    command = [sys.executable, "-c", code, *(str(tmp_path / name) for name in names)]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    _, short, long = ([*map(int, line.split())] for line in result.stdout.splitlines())
    assert long[0] > 10 * short[0]
    assert long[1] - short[1] < (long[0] - short[0]) / 10, "bytes; a token takes two"


def test_a_loss_that_is_not_finite_is_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="lower --learning-rate"):
        trainer(tmp_path, replace(SHORT, learning_rate=1e30)).run()


def test_beginning_with_the_weights_of_another_run(tmp_path: Path) -> None:
    first = trainer(tmp_path / "a")
    first.run()
    second = trainer(tmp_path / "b", replace(SHORT, seed=9))
    best = tmp_path / "a" / "best.safetensors"
    second.begin_with(load_weights(best), best)
    assert_same(weights(second), load_file(tmp_path / "a" / "best.safetensors"))
    (tmp_path / "cut").write_bytes(b"cut")
    for wrong in (tmp_path / "none", tmp_path / "cut"):
        with pytest.raises(DataError, match=str(wrong)):
            load_weights(wrong)
    other = trainer(tmp_path / "c", sizes=replace(TINY, dense=4))
    with pytest.raises(DataError, match=r"cannot be used as initial weights: dense\.weight is"):
        other.begin_with(load_weights(best), best)


def test_what_a_run_leaves(tmp_path: Path) -> None:
    trained = trainer(tmp_path)
    trained.run()
    described = json.loads((tmp_path / "run.json").read_text())
    assert described["network"]["layers"] == [16, 24, 8]
    assert described["train"]["updates"] == 20
    header, *rows = (tmp_path / "log.csv").read_text().splitlines()
    assert header == "update,tokens,seconds,rate,train_nll,valid_nll" and len(rows) == 2
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "best.safetensors", "last.pt", "log.csv", "run.json",
    ]  # fmt: skip


def test_the_learning_rate_rises_stays_and_falls() -> None:
    config = TrainConfig(updates=1000, learning_rate=1.0, warmup=100, decay=0.3)
    assert config.rate(0) == 0.01 and config.rate(49) == 0.5
    assert config.rate(99) == config.rate(400) == config.rate(700) == 1.0
    assert config.rate(850) == pytest.approx(0.5) and config.rate(1000) == 0.0


def test_what_was_heard_is_told_passage_by_passage() -> None:
    result = validate(network(), pieces_of([work(1, 12), work(2, 30)]), 40, 16)
    assert result.tokens.tolist() == [[16, 16, 8], [16, 16, 8]] and result.pieces == 2
    assert (result.loss_sum > 0).all()
    short = validate(network(), pieces_of([work(1, 1), work(2, 30)]), 40, 16)
    assert short.tokens[0, 1:].tolist() == [0, 0] and short.loss_sum[0, 1:].tolist() == [0.0, 0.0]


@pytest.mark.parametrize("time", [5, 512])
def test_validation_carries_the_state_through_each_piece(time: int) -> None:
    pieces: Pieces = pieces_of([work(1, 12), work(2, 30), work(3, 4)])
    reference, total, count = network(), 0.0, 0
    for piece in pieces:
        ids = torch.from_numpy(piece.astype(np.int64))[:41]
        with torch.no_grad():
            logits, _ = reference(ids[None, :-1], reference.initial_state(1))
        total += float(functional.cross_entropy(logits[0], ids[1:], reduction="sum"))
        count += len(ids) - 1
    nll = validate(reference, pieces, 40, time).nll
    assert nll == pytest.approx(total / count, rel=1e-5)
    assert nll > math.log(2)
