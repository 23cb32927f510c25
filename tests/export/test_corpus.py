"""Folders of MIDI files to pieces: as the daemon hears them, broken files told and left out."""

from pathlib import Path

import numpy as np
import pytest
from segue_export.corpus.encoding import encode_file
from segue_export.corpus.pieces import Pieces, join_all
from segue_export.corpus.store import read_folder, report_broken
from segue_export.sources import Source, shown
from segued.errors import DataError, UsageError
from segued.tokens.tokenizer import encode

from ..support.tiny import pieces_of, work, write_midi


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "music"
    write_midi(folder / "b.mid", work(1))
    write_midi(folder / "deeper" / "A.MIDI", work(2))
    (folder / "notes.txt").write_text("not music")
    return folder


def same(a: Pieces, b: Pieces) -> bool:
    return a.names == b.names and a.broken == b.broken and np.array_equal(a.tokens, b.tokens)


def test_a_folder_is_read_as_the_daemon_would_hear_it(folder: Path) -> None:
    pieces = read_folder(folder)
    assert pieces.names == ["b.mid", "deeper/A.MIDI"] and pieces.broken == []
    assert pieces[0].tolist() == encode(work(1)) and pieces[1].tolist() == encode(work(2))
    assert [p.tolist() for p in pieces] == [pieces[0].tolist(), pieces[1].tolist()]
    assert pieces.tokens.dtype == np.uint16


def test_broken_files_are_told_and_left_out(folder: Path) -> None:
    (folder / "c.mid").write_bytes(b"MThd")
    (folder / "d.mid").write_bytes(b"no midi at all")
    write_midi(folder / "empty.mid", [])
    pieces = read_folder(folder)
    assert pieces.names == ["b.mid", "deeper/A.MIDI"]
    assert len(pieces.broken) == 3
    assert all(str(folder) in line and "\n" not in line for line in pieces.broken)


def test_folders_without_music(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such folder"):
        read_folder(tmp_path / "none")
    with pytest.raises(DataError, match="no MIDI files"):
        read_folder(tmp_path)
    (tmp_path / "a.mid").write_bytes(b"MThd")
    with pytest.raises(DataError, match="none of its 1 MIDI files"):
        read_folder(tmp_path)


def test_what_is_kept_is_what_was_read(folder: Path, tmp_path: Path) -> None:
    (folder / "c.mid").write_bytes(b"MThd")
    assert same(read_folder(folder, tmp_path / "cache"), read_folder(folder))


def test_folders_with_like_names_have_stores_of_their_own(folder: Path, tmp_path: Path) -> None:
    write_midi(tmp_path / "other" / "music" / "z.mid", work(7))
    cache = tmp_path / "cache"
    first = read_folder(folder, cache)
    assert read_folder(tmp_path / "other" / "music", cache).names == ["z.mid"]
    assert same(read_folder(folder, cache), first)
    assert len(list(cache.iterdir())) == 2


def test_many_broken_files_are_counted(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for i in range(30):
        (folder / f"broken-{i}.mid").write_bytes(b"MThd")
    report_broken(read_folder(folder))
    told = [line for line in capsys.readouterr().err.splitlines() if line.startswith("left out")]
    assert len(told) == 21 and told[-1] == "left out: 10 files more"


def test_one_file(folder: Path) -> None:
    ids = encode_file(folder / "b.mid")
    assert not isinstance(ids, str) and ids.tolist() == encode(work(1))
    assert "no such MIDI file" in str(encode_file(folder / "none.mid"))


def test_a_data_argument() -> None:
    assert Source.parse("a/b") == Source(Path("a/b"))
    assert Source.parse("a,weight=0.5,jitter=8,normalise") == Source(Path("a"), 0.5, 8.0, True)
    for wrong in ("a,wait=1", "a,weight=x", "a,weight=0", "a,jitter=-1", "a,"):
        with pytest.raises(UsageError, match="--data a,"):
            Source.parse(wrong)


def test_a_data_argument_may_be_a_folder_with_commas(tmp_path: Path) -> None:
    (tmp_path / "a,b").mkdir()
    (tmp_path / "a,weight=2").mkdir()
    assert Source.parse(f"{tmp_path}/a,b,jitter=8") == Source(tmp_path / "a,b", None, 8.0)
    assert Source.parse(f"{tmp_path}/a,weight=2").folder == tmp_path / "a,weight=2"
    assert shown(f"{tmp_path}/a,b,jitter=8").endswith("/a,b,jitter=8")


def test_folders_that_are_links_are_read_once(folder: Path, tmp_path: Path) -> None:
    write_midi(tmp_path / "elsewhere" / "c.mid", work(3))
    (folder / "link").symlink_to(tmp_path / "elsewhere")
    (folder / "again").symlink_to(tmp_path / "elsewhere")
    (folder / "deeper" / "back").symlink_to(folder)
    assert read_folder(folder).names == ["again/c.mid", "b.mid", "deeper/A.MIDI"]


def test_pieces_are_selected_and_joined() -> None:
    pieces = pieces_of([work(1), work(2), work(3)])
    some = pieces.select([2, 0])
    assert some.names == ["2.mid", "0.mid"] and some[1].tolist() == pieces[0].tolist()
    both = join_all([some, pieces.select([1]), pieces.select([])])
    assert both.names == ["2.mid", "0.mid", "1.mid"]
    assert both[2].tolist() == pieces[1].tolist()
