"""The weighted mean of models: their weights, their story, and what does not fit."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from segue_export.__main__ import main
from segue_export.onnx_export.exporter import TrainedRun
from segued.model.session import Model

from ..support.tiny import TINY, network, write_model


@pytest.mark.slow
def test_the_mean_of_two_models(tmp_path: Path) -> None:
    first = write_model(tmp_path / "a.onnx", seed=1)
    second = write_model(tmp_path / "b.onnx", seed=2)
    run, out = str(tmp_path / "run"), str(tmp_path / "mean.onnx")
    assert main(["average", run, f"{first},weight=3", str(second)]) == 0
    a, b = (network(seed).state_dict() for seed in (1, 2))
    found = TrainedRun.load(Path(run))
    for name, weight in found.weights.items():
        assert np.allclose(weight, 0.75 * a[name].numpy() + 0.25 * b[name].numpy()), name
    assert main(["onnx", run, out]) == 0
    told = Model.load(Path(out)).info["training"]["average"]
    assert [(part["model"], part["share"]) for part in told] == [("a.onnx", 0.75), ("b.onnx", 0.25)]


def test_what_has_no_mean(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first = write_model(tmp_path / "a.onnx")
    other = write_model(tmp_path / "b.onnx", sizes=replace(TINY, dense=9))
    assert main(["average", str(tmp_path / "run"), str(first), str(other)]) == 65
    assert "its network is another" in capsys.readouterr().err
    with pytest.raises(SystemExit) as error:
        main(["average", str(tmp_path / "run"), f"{first},weight=0"])
    assert error.value.code == 64 and not (tmp_path / "run").exists()
