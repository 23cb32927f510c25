"""A trunk, its branches, its weights to keep; and what a run makes of options that have changed."""

import json
import math
import re
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from segue_export import report
from segue_export.__main__ import main
from segue_export.checkpoint import load_weights, read_last, save_best

from ..support.tiny import work, write_midi
from .test_train import SHORT, trainer, weights

SMALL = [
    "--layers", "12,8", "--embedding", "8", "--dense", "8", "--batch", "2", "--time", "32",
    "--valid-share", "0.3", "--workers", "1", "--validate-every", "4", "--precision", "fp32",
]  # fmt: skip


@pytest.fixture(autouse=True)
def no_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report, "plot", lambda *about: None)


BEGIN = ["train", "--data", "music", *SMALL]


@pytest.fixture(scope="module")
def trunk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with music and a trunk of eight updates."""
    folder = tmp_path_factory.mktemp("trunk")
    with pytest.MonkeyPatch.context() as patched:
        patched.chdir(folder)
        patched.setattr(report, "plot", lambda *about: None)
        for i in range(6):
            write_midi(Path("music", f"{i}.mid"), work(i, 30))
        options = ["--out", "trunk", "--updates", "8", "--decay", "0", "--warmup", "0"]
        assert main([*BEGIN, *options]) == 0
    return folder


@pytest.fixture
def command(trunk: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """In a copy of that folder."""
    shutil.copytree(trunk, tmp_path / "copy")
    monkeypatch.chdir(tmp_path / "copy")
    return BEGIN


def rates(run: str) -> list[float]:
    header, *rows = Path(run, "log.csv").read_text().splitlines()
    return [float(row.split(",")[header.split(",").index("rate")]) for row in rows]


@pytest.mark.slow
def test_a_trunk_never_falls_and_a_branch_only_falls(command: list[str]) -> None:
    assert rates("trunk") == [6e-3, 6e-3]
    trunk = read_last(Path("trunk"))
    before = Path("trunk", "last.pt").read_bytes()
    branch = [*command, "--out", "branch", "--branch", "trunk"]
    assert main([*branch, "--validate-every", "1"]) == 0
    assert rates("branch") == [3e-3, 0.0], "a quarter of the trunk's updates, from its rate"
    last = read_last(Path("branch"))
    assert last["counters"][0] == 2 and last["counters"][1] > trunk["counters"][1]
    moved = max(
        float((last["network"][name] - weight).abs().max())
        for name, weight in trunk["network"].items()
    )
    assert 0 < moved < 0.05, "it began with the trunk's weights"
    assert Path("trunk", "last.pt").read_bytes() == before
    assert main(branch) == 0 and read_last(Path("branch"))["counters"][0] == 2
    assert main([*branch, "--updates", "4"]) == 0
    assert read_last(Path("branch"))["counters"][0] == 4
    assert main(["onnx", "branch", "m.onnx"]) == 0


def test_a_branch_goes_on_as_its_trunk_would(tmp_path: Path) -> None:
    """Its first update is the trunk's next, from the same place in the music."""
    config = replace(SHORT, updates=6, decay=0.0, warmup=0)
    trainer(tmp_path / "trunk", config).run()
    branch = trainer(tmp_path / "branch", replace(config, updates=1), trunk=tmp_path / "trunk")
    assert branch.update == 0 and branch.tokens > 0 and math.isinf(branch.best)
    branch.run()
    longer = trainer(tmp_path / "trunk", replace(config, updates=7))
    longer.run()
    for name, weight in weights(longer).items():
        assert torch.equal(weights(branch)[name], weight), name


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--branch", "trunk", "--seed", "3"], "trunk was started with --seed 1 .*: give the same"),
        (["--branch", "trunk", "--layers", "9"], "trunk was started with --layers 12,8"),
        (["--branch", "trunk", "--decay", "0.2"], "--decay cannot be given with --branch"),
        (["--branch", "trunk", "--from"], "--from cannot be given with --branch"),
        (["--branch", "nowhere"], "nowhere: no run.json here"),
        (["--updates", "0"], "also give --decay 0"),
    ],
)
def test_branches_that_cannot_be(
    command: list[str], capsys: pytest.CaptureFixture[str], more: list[str], said: str
) -> None:
    if "--from" in more:
        command = [*command[:3], *command[9:]]
    capsys.readouterr()
    assert main([*command, "--out", "other", *more]) in (64, 65)
    (told,) = (line for line in capsys.readouterr().err.splitlines() if line.startswith("segue"))
    assert re.search(said, told)


def test_a_trunk_without_end_goes_on_until_it_is_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    endless = trainer(tmp_path, replace(SHORT, updates=0, decay=0.0, validate_every=4, patience=2))
    monkeypatch.setattr(endless, "_step", lambda: setattr(endless, "update", endless.update + 1))
    assert endless.run() == 0 and endless.update == 12, "nothing is learned: it is out of patience"


def test_weights_to_keep_are_what_another_begins_with(
    command: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["weights", "trunk", "kept.safetensors"]) == 0
    assert "after 8 updates" in capsys.readouterr().out
    kept = load_file("kept.safetensors")
    for name, weight in read_last(Path("trunk"))["network"].items():
        assert torch.equal(kept[name], weight.bfloat16())
    assert main([*command, "--out", "next", "--init", "kept.safetensors", "--updates", "1"]) == 0
    assert main(["weights", "nowhere", "x"]) == 65
    assert "nowhere: no last.pt here" in capsys.readouterr().err


def test_weights_in_bf16_are_cast(tmp_path: Path) -> None:
    first = trainer(tmp_path / "a")
    first.run()
    save_best(tmp_path, {k: v.bfloat16() for k, v in weights(first).items()}, {})
    second = trainer(tmp_path / "b")
    second.begin_with(load_weights(tmp_path / "best.safetensors"), tmp_path)
    for name, weight in weights(second).items():
        assert weight.dtype == torch.float32
        assert torch.equal(weight, weights(first)[name].bfloat16().float())


def test_what_is_changed_is_taken_or_refused(
    command: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    trunk = [*command, "--out", "trunk", "--decay", "0"]
    for more, said in (
        (
            ["--init", "x.safetensors"],
            "started with --init nothing and cannot continue with x.safe",
        ),
        (["--branch", "other"], "--decay cannot be given"),
        (["--seed", "2"], "started with --seed 1"),
    ):
        assert main([*trunk, "--updates", "9", *more]) == 64
        assert said in capsys.readouterr().err
    taken = ["--weight-decay", "0.2", "--valid-tokens", "60", "--learning-rate", "1e-3"]
    assert main([*trunk, "--updates", "9", *taken]) == 0
    assert "the best loss so far is discarded" in capsys.readouterr().out
    groups = [g for part in read_last(Path("trunk"))["optimizer"]["parts"]
              for g in part["param_groups"]]  # fmt: skip
    assert {group["weight_decay"] for group in groups} == {0.2}
    assert json.loads(Path("trunk", "run.json").read_text())["train"]["learning_rate"] == 1e-3
