"""Training: it learns, it goes on exactly where it stopped, and it says what does not fit."""

import json
import math
import os
import signal
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch.nn import functional

from daemon.errors import DataError, UsageError
from export import train as room
from export.corpus import Pieces
from export.dataset import NO_AUGMENTATION, Augmentation, Stream
from export.evaluate import unigram
from export.network import NetworkConfig
from export.train import TrainConfig, Trainer, negative_log_likelihood

from .tiny import TINY, network, pieces_of, scale_work, work

SHORT = TrainConfig(updates=20, batch=3, time=16, warmup=5, validate_every=10, checkpoint_every=7)


@pytest.fixture(autouse=True)
def no_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "plot", lambda path, log: None)


def trainer(
    out: Path, config: TrainConfig = SHORT, sizes: NetworkConfig = TINY, sources: int = 2
) -> Trainer:
    streams = [Stream(pieces_of([work(i, 20), work(i + 9, 8)]), 1.0, 0.01) for i in range(sources)]
    about = {"data": ["somewhere"] * sources}
    valid = pieces_of([work(50, 20), work(51, 10)])
    dropout = replace(sizes, dropout=0.2)
    return Trainer(out, dropout, config, Augmentation(), streams, valid, about)


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
        ({"sources": 1}, "2 --data folders"),
    ):
        with pytest.raises(UsageError, match=f"was begun with {option}.* give another --out"):
            trainer(tmp_path, **change)
    assert (tmp_path / "run.json").read_bytes() == described


def test_a_checkpoint_that_is_broken(tmp_path: Path) -> None:
    trainer(tmp_path).run()
    whole = (tmp_path / "last.pt").read_bytes()
    for data in (b"", b"garbage", whole[: len(whole) // 2]):
        (tmp_path / "last.pt").write_bytes(data)
        with pytest.raises(DataError, match=r"last\.pt cannot be gone on from.*remove it") as error:
            trainer(tmp_path)
        assert "\n" not in str(error.value)
    (tmp_path / "run.json").write_text("{")
    with pytest.raises(DataError, match=r"run\.json is broken"):
        trainer(tmp_path)


def test_it_learns_what_counting_cannot(tmp_path: Path) -> None:
    pieces = pieces_of([scale_work((60, 64, 67, 72)), scale_work((62, 65, 69, 74))])
    config = TrainConfig(
        updates=150, batch=4, time=32, learning_rate=2e-2, warmup=10, validate_every=150
    )
    small = NetworkConfig(embedding=16, layers=(32,), dense=32, dropout=0.0)
    streams, about = [Stream(pieces, 1.0)], {"data": ["x"]}
    trained = Trainer(tmp_path, small, config, NO_AUGMENTATION, streams, pieces, about)
    trained.run()
    assert trained.best < 0.4 * unigram(pieces.tokens)
    kept = load_file(tmp_path / "best.safetensors")
    assert_same(kept, weights(trained))


def test_it_stops_when_validation_no_longer_improves(tmp_path: Path) -> None:
    config = replace(SHORT, updates=500, learning_rate=0.0, validate_every=3, patience=2)
    stopped = trainer(tmp_path, config)
    assert stopped.run() == 0 and stopped.update == 9
    assert trainer(tmp_path, config).update == 9


def test_a_loss_that_is_not_finite_is_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="lower --learning-rate"):
        trainer(tmp_path, replace(SHORT, learning_rate=1e30)).run()


def test_beginning_with_the_weights_of_another_run(tmp_path: Path) -> None:
    first = trainer(tmp_path / "a")
    first.run()
    second = trainer(tmp_path / "b", replace(SHORT, seed=9))
    second.begin_with(tmp_path / "a" / "best.safetensors")
    assert_same(weights(second), load_file(tmp_path / "a" / "best.safetensors"))
    (tmp_path / "cut").write_bytes(b"cut")
    for wrong in (tmp_path / "none", tmp_path / "cut"):
        with pytest.raises(DataError, match=str(wrong)):
            second.begin_with(wrong)
    other = trainer(tmp_path / "c", sizes=replace(TINY, dense=4))
    with pytest.raises(DataError, match="cannot be begun with: size mismatch"):
        other.begin_with(tmp_path / "a" / "best.safetensors")


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
    nll = negative_log_likelihood(reference, pieces, 40, time)
    assert nll == pytest.approx(total / count, rel=1e-5)
    assert nll > math.log(2)
