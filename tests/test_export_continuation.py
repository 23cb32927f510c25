"""The continuation test and the picture of a roll, on music made here."""

import json
from pathlib import Path

import numpy as np
import pytest

from daemon.errors import DataError
from daemon.music.midi import write_messages
from daemon.roll import Note
from daemon.shaping import Playing
from export.__main__ import main
from export.continuation import BINS, continuation_test, features, overlap, passages
from tests.fakes import FoldingModel


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three pieces of a minute and more, each in its own register and rhythm."""
    for number, (low, gap) in enumerate(((40, 0.2), (60, 0.35), (75, 0.5))):
        messages = []
        for i in range(int(70 / gap)):
            pitch = low + (i * 7) % 12
            messages.append((i * gap, bytes((0x90, pitch, 60 + i % 20))))
            messages.append((i * gap + 0.8 * gap, bytes((0x80, pitch, 64))))
        write_messages(tmp_path / f"{number}.mid", [("piece", messages)])
    return tmp_path


def notes(low: int, gap: float) -> list[Note]:
    return [Note(i * gap, i * gap + 0.1, low + i % 5, 70) for i in range(int(10 / gap))]


def test_histograms_are_normalised_and_overlap_is_a_share() -> None:
    same = features(notes(60, 0.2), 0.0, 10.0)
    for name, histogram in same.items():
        assert histogram.sum() == pytest.approx(1.0), name
    assert all(value == pytest.approx(1.0) for value in overlap(same, same).values())
    other = overlap(same, features(notes(20, 1.0), 0.0, 10.0))
    assert other["pitch"] == 0.0
    assert other["inter-onset"] == 0.0
    assert other["velocity"] == pytest.approx(1.0)


def test_passages_have_music_on_both_sides(folder: Path) -> None:
    found = passages(folder, 12, seed=1)
    assert len(found) == 12
    for place in found:
        assert any(n.start < place.cut - 15 for n in place.notes)
        assert any(n.start > place.cut + 15 for n in place.notes)


def test_real_music_lies_between_floor_and_ceiling(folder: Path) -> None:
    result = continuation_test(FoldingModel(), folder, 6, Playing())
    assert set(result) == set(BINS)
    for name in ("pitch", "inter-onset"):
        row = result[name]
        assert row["ceiling"] > 0.9 > row["floor"]
        assert row["low"] <= row["reply"] <= row["high"]
        assert row["reply"] < row["ceiling"], "noise cannot be like the real thing"
        assert np.isfinite(row["share"])


def test_short_pieces_are_refused(tmp_path: Path) -> None:
    write_messages(tmp_path / "a.mid", [("x", [(0.0, b"\x90\x3c\x40"), (1.0, b"\x80\x3c\x40")])])
    with pytest.raises(DataError, match="longer than 40 seconds"):
        passages(tmp_path, 5, seed=1)


def test_a_roll_is_drawn(folder: Path, tmp_path: Path) -> None:
    picture = tmp_path / "roll.png"
    assert main(["roll", str(folder / "0.mid"), str(picture)]) == 0
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_bad_files_are_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["roll", str(tmp_path / "none.mid"), str(tmp_path / "x.png")]) == 65
    assert "no such MIDI file" in capsys.readouterr().err
    assert main(["continuation", str(tmp_path / "none.onnx"), str(tmp_path)]) == 65
    assert capsys.readouterr().err.count("\n") == 1


def test_the_command_prints_json(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shipped = Path(__file__).parents[1] / "daemon" / "models" / "segue-int8.onnx"
    assert main(["continuation", str(shipped), str(folder), "--passages", "3", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["pitch"]["passages"] == 3
