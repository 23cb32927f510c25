"""The bench measures what it says: on made-up figures, and for real with small numbers."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from segued.cli import main
from segued.service.statistics import Percentiles
from segued.settings.config import Config
from segued.tools.bench import bench, core, full, live, pages, pressure, rest, steps
from segued.tools.bench.report import Figure, histogram, table

from .model.test_loading import Gpu, use
from .support.tiny import write_model


def test_statistics_and_verdicts() -> None:
    values = [float(i) for i in range(1, 101)]
    assert Figure("x", "ms", values, target=50).as_dict()["median"] == 51
    assert Figure("x", "ms", values, target=99, judged="p99").verdict == 100
    added = Figure("x", "ms", values, [value - 2 for value in values], 3, "p99", over_floor=True)
    assert added.verdict == 2 and added.as_dict()["met"]
    ratio = Figure("x", "ms", values, [51.0 / 2], 1.3, ratio=True)
    assert ratio.verdict == 2 and not ratio.as_dict()["met"]
    assert "NOT MET" in table([ratio]) and "met" in table([added])


def test_a_histogram_has_its_bars_where_the_values_are() -> None:
    bars = histogram([0.001, 0.1, 0.1, 50.0])
    assert bars[0] != " " and bars[-1] != " "
    assert sum(bar != " " for bar in bars) == 3
    assert "█" in bars


def test_percentiles_forget_the_oldest() -> None:
    kept = Percentiles(size=10)
    assert str(kept.at(0.5)[0]) == "nan"
    for value in range(25):
        kept.add(float(value))
    assert kept.at(0.0, 1.0) == [15.0, 24.0] and kept.count == 25


def test_distance_from_the_grid() -> None:
    arrived = [(5.0 + 0.01 * i + (0.002 if i == 7 else 0.0), b"\x90") for i in range(40)]
    distances = live.off_grid(arrived)
    assert max(distances) == pytest.approx(2.0)
    assert sorted(distances)[-2] == pytest.approx(0.0, abs=1e-6)


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Few of everything: whether it works, not how fast it is."""
    monkeypatch.setattr(core, "STEPS", 20)
    monkeypatch.setattr(core, "NOTES", 10)
    monkeypatch.setattr(core, "STRETCHES", 2)
    monkeypatch.setattr(live, "THRU_NOTES", 10)
    monkeypatch.setattr(live, "TURNS", 3)
    monkeypatch.setattr(live, "JITTER_SECONDS", 10.0)
    monkeypatch.setattr(live, "STARTS", 1)
    monkeypatch.setattr(full, "SECONDS", 5.0)
    monkeypatch.setattr(pressure, "SECONDS", 2.0)
    monkeypatch.setattr(pressure, "SWAP_EVERY", 4.0)
    monkeypatch.setattr(pressure, "SWAPS", 1)
    monkeypatch.setattr(pages, "PAGES", 2)
    for name, value in (("SAMPLES", 1), ("SETTLED", 0.3), ("RESTING", 0.3)):
        monkeypatch.setattr(rest, name, value)
    yield


@pytest.mark.slow
def test_steps_of_each_precision_side_by_side(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(steps, "ROUNDS", 2)
    monkeypatch.setattr(steps, "STEPS", 4)
    half = write_model(tmp_path / "half.onnx", "fp16")
    assert main(["bench", "--json", "--steps", str(half)]) == 0
    result = json.loads(capsys.readouterr().out)
    found = {(row["file"], row["precision"], row["device"], row["rows"]) for row in result["steps"]}
    files = {("segue-int8", "int8"), ("segue-fp32", "fp32"), ("half", "fp16")}
    assert found == {(*file, "cpu", rows) for file in files for rows in (1, 2, 4, 8, 16)}
    assert result["missing"] == []
    for row in result["steps"]:
        assert 0 < row["least"] <= row["median"] <= row["p99"]
        assert row["ratio"] == pytest.approx(row["median"] / row["floor"])
        assert row["a_row"] == pytest.approx(row["median"] / row["rows"])
    assert main(["bench", "--steps", str(half), "--set", f"model.path={half}"]) == 0
    table = capsys.readouterr().out
    assert table.count("half") == 10 and "segue" not in table


def test_steps_on_a_gpu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beside the copies that they need; what it cannot compute is told."""
    use(monkeypatch, Gpu())
    paths = [
        write_model(tmp_path / f"{precision}.onnx", precision) for precision in ("fp32", "int8")
    ]
    cases, missing = steps.cases(paths)
    devices = {(case.precision, case.device) for case in cases}
    assert devices == {("fp32", "cpu"), ("fp32", "cuda"), ("int8", "cpu")}
    assert len(missing) == 1 and "int8" in missing[0]
    monkeypatch.setattr(steps, "ROUNDS", 1)
    steps.measure(cases)
    for case in cases:
        assert len(case.seconds) == len(case.floor_seconds) == steps.STEPS


@pytest.mark.live
def test_the_whole_bench(small: None, capsys: pytest.CaptureFixture[str]) -> None:
    settings = ["ports.backend=tcp", "ports.tcp_port=0", "sampling.seed=1"]
    assert bench(Config(), settings, as_json=True) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["where"].startswith("tcp 127.0.0.1:")
    figures = [value for value in result.values() if isinstance(value, dict)]
    resting = {"wake-ups at rest", "processor at rest"} if sys.platform == "linux" else set()
    assert resting <= set(result) and len(figures) == 20 + len(resting)
    assert {"thru, everything on", "thru of ten keys at once, everything on"} <= set(result)
    for figure in figures:
        assert figure["floor"] is not None and figure["target"] > 0
        assert figure["median"] > 0 or figure is result["masks and shaping"]
