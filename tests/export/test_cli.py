"""`segue-export` from outside: statuses, one line for each failure, and nothing loaded in vain."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from segue_export.__main__ import main
from segued.tokens.tokenizer import encode

from ..support.tiny import work, write_midi, write_model, write_run, write_works

ROOT = Path(__file__).parents[2]
TINY_NETWORK = ["--layers", "12,8", "--embedding", "8", "--dense", "8", "--batch", "2"]


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("corpus")
    write_works(folder)
    (folder / "broken.mid").write_bytes(b"MThd")
    return folder


@pytest.mark.slow
def test_from_a_corpus_to_a_model_file(
    corpus: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    train = ["train", "--data", str(corpus), "--out", "run", *TINY_NETWORK, "--valid-share", "0.2"]
    assert main([*train, "--updates", "6", "--validate-every", "3"]) == 0
    shown = capsys.readouterr()
    assert "8 pieces" in shown.out and "2 pieces kept out for validation" in shown.out
    assert shown.err.count("left out: ") == 1 and "broken.mid" in shown.err
    assert Path("run/curves.png").exists()
    assert main([*train, "--updates", "8", "--validate-every", "3"]) == 0
    shown = capsys.readouterr()
    assert "update 8: " in shown.out and "update 6" not in shown.out
    assert main([*train, "--layers", "9"]) == 64
    assert "was started with --layers 12,8" in capsys.readouterr().err

    assert main(["onnx", "run", "m.onnx", "--precision", "int8"]) == 0
    assert "largest logit difference" in capsys.readouterr().out
    assert main(["evaluate", "m.onnx", str(corpus), "--json", "--workers", "2"]) == 0
    shown = capsys.readouterr()
    values = json.loads(shown.out)
    assert "broken.mid" in shown.err and values["files"] == 8 and values["broken"] == 1
    assert 4 < values["nats_per_token"] < 6.5


@pytest.mark.slow
def test_what_is_prepared_is_trained_from(
    corpus: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("segue_export.report.plot", lambda *about: None)
    (tmp_path / "data" / "train").mkdir(parents=True)
    (tmp_path / "data" / "valid").mkdir()
    write_midi(tmp_path / "data" / "train" / "a.mid", work(1, 30))
    write_midi(tmp_path / "data" / "valid" / "b.mid", work(2, 30))
    assert main(["prepare", str(corpus), "data", "--cache", "kept", "--workers", "1"]) == 0
    shown = capsys.readouterr()
    assert "8 pieces" in shown.out and "broken.mid" in shown.err
    assert "data/train: 1 pieces" in shown.out and "data/valid: 1 pieces" in shown.out
    (store,) = (path for path in Path("kept").iterdir() if "corpus" in path.name)
    assert "broken.mid" in (store / "broken.txt").read_text()
    for file in corpus.iterdir():  # what is prepared can be carried away without it
        file.rename(tmp_path / file.name)
    try:
        train = ["train", "--data", str(store), "--out", "run", *TINY_NETWORK]
        assert main([*train, "--updates", "2", "--valid-share", "0.2"]) == 0
    finally:
        for file in tmp_path.glob("*.mid"):
            file.rename(corpus / file.name)
    assert main(["onnx", "run", "m.onnx"]) == 0


def test_a_folder_with_its_own_validation(
    corpus: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for i in range(3):
        write_midi(tmp_path / "data" / ("valid" if i == 2 else "train") / f"{i}.mid", work(i, 30))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("segue_export.report.plot", lambda *about: None)
    arguments = ["--out", "run", *TINY_NETWORK, "--updates", "1", "--tempo", "1-1"]
    assert main(["train", "--data", "data", *arguments]) == 0
    shown = capsys.readouterr().out
    assert "data/train: 2 pieces" in shown and "data/valid: 1 pieces" in shown
    described = json.loads(Path("run/run.json").read_text())
    assert described["about"]["valid"] == [str(tmp_path / "data" / "valid" / "2.mid")]
    assert described["about"]["data"] == ["data"]
    assert described["augmentation"]["tempo"] == [1.0, 1.0]
    arguments[1] = "given"
    assert main(["train", "--data", str(corpus), "--valid", "data/valid", *arguments]) == 0
    described = json.loads(Path("given/run.json").read_text())
    assert described["about"]["pieces"] == 8 and len(described["about"]["valid"]) == 1
    assert main(["train", "--data", "data/valid", "--out", "other", *TINY_NETWORK]) == 65
    assert "nothing to validate on" in capsys.readouterr().err


def test_encode(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write_midi(tmp_path / "a.mid", work(1))
    assert main(["encode", str(path)]) == 0
    assert json.loads(capsys.readouterr().out) == encode(work(1))
    path.write_bytes(b"MThd")
    assert main(["encode", str(path)]) == 65
    told = capsys.readouterr()
    assert told.out == "" and told.err.startswith("segue-export: ") and told.err.count("\n") == 1


def test_evaluate_for_people(
    corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write_model(tmp_path / "m.onnx")
    assert main(["evaluate", str(path), str(corpus)]) == 0
    shown = capsys.readouterr().out
    assert "nats per token" in shown and "8 files" in shown and "1 files left out" in shown


@pytest.mark.parametrize(
    ("arguments", "status", "told"),
    [
        ([], 64, "COMMAND"),
        (["bogus"], 64, "invalid choice"),
        (["train", "--out", "x"], 64, "--data"),
        (["train", "--data", ".", "--out", "x", "--layers", "1,zwei"], 64, "an integer"),
        (["train", "--data", ".", "--out", "x", "--layers", "0"], 64, "1 or more"),
        (["train", "--data", ".", "--out", "x", "--updates", "-1"], 64, "0 or more"),
        (["train", "--data", ".", "--out", "x", "--tempo", "fast"], 64, "a number"),
        (["train", "--data", ".", "--out", "x", "--tempo", "1.2-0.8"], 64, "LOW-HIGH"),
        (["train", "--data", ".", "--out", "x", "--dropout", "1"], 64, "below 1"),
        (["train", "--data", ".,bogus", "--out", "x"], 64, "bogus"),
        (["train", "--data", "nowhere", "--out", "x"], 65, "nowhere: no such folder"),
        (["train", "--data", ".", "--out", "x"], 65, "no MIDI files"),
        (["onnx", "nowhere", "m.onnx"], 65, "no run.json"),
        (["onnx", "nowhere", "m.onnx", "--precision", "int4"], 64, "int4"),
        (["evaluate", "none.onnx", "."], 65, "no such model file"),
        (["encode", "none.mid"], 65, "no such MIDI file"),
    ],
)
def test_failures_are_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
    arguments: list[str], status: int, told: str,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    try:
        assert main(arguments) == status
    except SystemExit as exit:  # argparse's way
        assert exit.code == status
    line = capsys.readouterr().err
    assert told in line and line.count("\n") == 1 and line.startswith("segue-export")


def test_a_model_file_that_cannot_be_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = write_run(tmp_path / "run")
    assert main(["onnx", str(run), str(run / "run.json" / "m.onnx")]) == 74
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.parametrize(
    "command", [[], ["prepare"], ["train"], ["onnx"], ["evaluate"], ["encode"]]
)
def test_help_explains_every_option(command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit:
        main([*command, "--help"])
    assert exit.value.code == 0
    assert "usage: segue-export" in capsys.readouterr().out


@pytest.mark.slow
def test_encode_and_evaluate_do_without_torch(corpus: Path, tmp_path: Path) -> None:
    model = write_model(tmp_path / "m.onnx")
    code = (
        "import sys; from segue_export.__main__ import main; "
        f"assert main(['encode', {str(corpus / '0.mid')!r}]) == 0; "
        f"assert main(['evaluate', {str(model)!r}, {str(corpus)!r}]) == 0; "
        "sys.exit(any(m.split('.')[0] in ('torch', 'matplotlib', 'onnx') for m in sys.modules))"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, cwd=ROOT)
