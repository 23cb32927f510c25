"""Trainings in separate processes, one or several: stopped, killed, resumed.

All but torchrun's are forks of one that has torch (see tests/support/trainers.py).
"""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from segue_export import process_group as distributed
from segue_export import report, train
from segue_export.__main__ import main
from segue_export.config import TrainConfig
from segue_export.process_group import ProcessGroup, computed_in, single_process
from segued.errors import UsageError

from ..support.tiny import work, write_midi
from ..support.trainers import FORKS, start, together
from .test_train import SHORT, assert_same, weights
from .test_train import trainer as trainer_in

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
SMALL = [
    "--layers", "12,8", "--embedding", "8", "--dense", "8", "--batch", "4", "--time", "24",
    "--warmup", "5", "--validate-every", "10", "--valid-share", "0.3", "--device", "cpu",
    "--workers", "1", "--threads", "1", "--precision", "fp32",
]  # fmt: skip


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("corpus")
    for i in range(8):
        write_midi(folder / f"{i}.mid", work(i, 40))
    return folder


def command(corpus: Path, run: Path, *more: str) -> list[str]:
    cache = str(run.parent / "prepared")
    return ["train", "--data", str(corpus), "--out", str(run), "--cache", cache, *SMALL, *more]


def curve(run: Path) -> list[list[float]]:
    rows = csv.DictReader((run / "log.csv").read_text().splitlines())
    return [[float(row[name]) for name in ("tokens", "train_nll", "valid_nll")] for row in rows]


def no_picture(*about: object) -> None:
    """Draw none: it takes longer than the training."""


@pytest.fixture(autouse=True)
def no_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report, "plot", no_picture)


@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
def test_two_processes_learn_what_one_learns(corpus: Path, tmp_path: Path, optimizer: str) -> None:
    more = ["--updates", "30", "--dropout", "0", "--optimizer", optimizer, "--ema", "0.9"]
    assert main(command(corpus, tmp_path / "one", *more)) == 0
    ended = together(command(corpus, tmp_path / "two", *more), tmp_path)
    assert [status for status, _, _ in ended] == [0, 0], ended
    one, two = curve(tmp_path / "one"), curve(tmp_path / "two")
    assert len(one) == 3 and one[2][2] < one[0][2] - 0.02
    assert [row[0] for row in one] == [row[0] for row in two]
    assert two == [pytest.approx(row, rel=1e-4) for row in one]
    assert "update 30" in ended[0][1] and ended[1][1] == "", "only the first speaks"


def test_all_stop_together_and_any_number_goes_on(corpus: Path, tmp_path: Path) -> None:
    run, more = tmp_path / "run", ["--dropout", "0.2", "--validate-every", "5"]
    trainers = start(command(corpus, run, *more, "--updates", "100000"), tmp_path)
    trainers[0].await_line("update 5:")
    trainers[1].send_signal(signal.SIGTERM)
    ended = [trainer.end() for trainer in trainers]
    assert [status for status, _, _ in ended] == [143, 143]
    assert "run the same command again" in ended[0][1]
    saved = torch.load(run / "last.pt", weights_only=True)
    update = saved["counters"][0]
    assert update >= 5 and len(saved["rng"]) == 2 and len(saved["lanes"]["lanes"]) == 4
    assert len(saved["state"]) == 4
    ended = together(command(corpus, run, *more, "--updates", str(update + 3)), tmp_path)
    assert [status for status, _, _ in ended] == [0, 0], ended
    assert f"update {update + 3}:" in ended[0][1] and "started by" not in ended[0][1]
    (one,) = together(command(corpus, run, *more, "--updates", str(update + 6)), tmp_path, 1)
    assert one[0] == 0 and "started by 2 processes, continues with 1" in one[1]


def test_two_that_were_stopped_end_as_two_that_were_not(corpus: Path, tmp_path: Path) -> None:
    more = ["--dropout", "0.3", "--checkpoint-every", "5", "--decay", "0"]
    first = together(command(corpus, tmp_path / "a", *more, "--updates", "12"), tmp_path)
    second = together(command(corpus, tmp_path / "a", *more, "--updates", "20"), tmp_path)
    straight = together(command(corpus, tmp_path / "b", *more, "--updates", "20"), tmp_path)
    assert {status for status, _, _ in (*first, *second, *straight)} == {0}
    a, b = (torch.load(tmp_path / name / "last.pt", weights_only=True) for name in "ab")
    for name, weight in b["network"].items():
        assert torch.equal(a["network"][name], weight), name
    assert torch.equal(a["state"], b["state"]) and a["lanes"] == b["lanes"]


def test_processes_that_do_not_fit_together(corpus: Path, tmp_path: Path) -> None:
    odd = together(command(corpus, tmp_path / "odd", "--batch", "5", "--updates", "1"), tmp_path)
    for status, _, told in odd:
        assert status == 64 and "--batch 5 cannot be shared by 2 processes" in told
    run = tmp_path / "run"
    run.mkdir()
    (run / "last.pt").write_bytes(b"broken")
    (run / "run.json").write_text("{")
    for status, _, told in together(command(corpus, run, "--updates", "1"), tmp_path):
        assert status == 65 and "run.json is broken" in told, "the first tells all"


def test_one_that_is_stopped_leaves_a_checkpoint(corpus: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    more = ["--updates", "1000000", "--validate-every", "5"]
    (trainer,) = start(command(corpus, run, *more), tmp_path, 1)
    trainer.await_line("update 5:")
    trainer.send_signal(signal.SIGTERM)
    status, said, _ = trainer.end()
    assert status == 128 + signal.SIGTERM and (run / "last.pt").exists()
    assert "run the same command again" in said


def train_until_killed(out: Path, config: TrainConfig, update: int, what: str) -> None:
    """Train in a process that is killed while it writes, at `update` or later."""
    setattr(report, "plot", no_picture)  # noqa: B010
    trainer = trainer_in(out, config)
    write = getattr(train, what)

    def write_and_be_killed(*arguments: object) -> None:
        if trainer.update >= update:
            Path.replace = lambda *_: os.kill(os.getpid(), signal.SIGKILL)  # type: ignore
        write(*arguments)

    setattr(train, what, write_and_be_killed)
    trainer.run()


@pytest.mark.parametrize(("update", "what"), [(9, "save_last"), (10, "save_best")])
def test_a_run_that_was_killed_while_writing_ends_with_the_same_bits(
    tmp_path: Path, update: int, what: str
) -> None:
    """SIGKILL at the worst moment: the new file is written, and has not its name yet."""
    config = replace(SHORT, checkpoint_every=3, ema=0.9)
    straight = trainer_in(tmp_path / "straight", config)
    straight.run()
    process = FORKS.Process(
        target=train_until_killed, args=(tmp_path / "killed", config, update, what)
    )
    process.start()
    process.join(300)
    assert process.exitcode == -signal.SIGKILL
    again = trainer_in(tmp_path / "killed", config)
    assert 6 <= again.update <= 9 and again.run() == 0
    assert_same(weights(again), weights(straight))
    best = [load_file(t.out / "best.safetensors") for t in (again, straight)]
    assert_same(*best)
    assert [row["valid_nll"] for row in again.log] == [row["valid_nll"] for row in straight.log]


def test_torchrun_starts_it(corpus: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    began = time.monotonic()
    result = subprocess.run(
        [
            sys.executable, "-W", "ignore", "-m", "torch.distributed.run", "--standalone",
            "--nproc-per-node", "2", "-m", "segue_export",
            *command(corpus, run, "--updates", "2", "--validate-every", "2"),
        ],
        cwd=ROOT, capture_output=True, text=True, timeout=900,
    )  # fmt: skip
    assert result.returncode == 0, (result.stderr, time.monotonic() - began)
    assert result.stdout.count("update 2:") == 1
    assert json.loads((run / "run.json").read_text())["train"]["updates"] == 2
    assert len(torch.load(run / "last.pt", weights_only=True)["rng"]) == 2


def test_a_group_of_one_costs_nothing() -> None:
    group = single_process()
    network = torch.nn.Linear(1, 1)
    assert group.wrap(network) is network and group.is_main
    assert group.sum([1, 2.5]) == [1, 2.5] and group.max([3]) == [3] and group.gather("a") == ["a"]
    with ProcessGroup.join("cpu") as joined:
        assert joined == group


def test_devices_and_precisions(monkeypatch: pytest.MonkeyPatch) -> None:
    cpu, gpu = torch.device("cpu"), torch.device("cuda:0")
    assert computed_in("fp32", cpu) == torch.float32 and computed_in("bf16", cpu) == torch.bfloat16
    for known, expected in (({"avx512_bf16": True}, torch.bfloat16), ({}, torch.float32)):
        monkeypatch.setattr(torch.cpu, "get_capabilities", lambda known=known: known)
        assert computed_in("auto", cpu) == expected
    with pytest.raises(UsageError, match="fp16 is for GPUs"):
        computed_in("fp16", cpu)
    for there, expected in ((True, torch.bfloat16), (False, torch.float16)):
        monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda there=there: there)
        assert computed_in("auto", gpu) == expected
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert distributed._device("auto", 0) == "cpu"
    with pytest.raises(UsageError, match="no CUDA here"):
        ProcessGroup.join("cuda")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert distributed._device("auto", 1) == "cuda:1" and distributed._device("cpu", 1) == "cpu"
    with pytest.raises(UsageError, match="process 2 of this machine has no GPU, there are 2"):
        distributed._device("cuda", 2)
