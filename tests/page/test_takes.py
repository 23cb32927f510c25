"""Takes on the page: only files of the folder's own are listed, given and deleted."""

import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from segued.errors import DataError
from segued.page.takes import NoSuchTake, Starred, Takes
from segued.recording.performance import JOURNAL, Recording, write_recording
from segued.recording.stars import STARS, starred

from tests.page.test_server import Stage, stage_in

PERFORMED = [(0, b"\x90\x3c\x50"), (100_000, b"\x80\x3c\x40"), (150_000, b"\x91\x40\x50")]
PLAYED = [(200_000, b"\x90\x43\x50"), (300_000, b"\x90\x43\x00")]


def take_in(folder: Path, name: str = "segue-20260101-120000.mid") -> Path:
    folder.mkdir(exist_ok=True)
    recording = Recording.of({"seed": "1"}, [])
    recording.performed, recording.played = PERFORMED, PLAYED
    write_recording(folder / name, recording)
    return folder / name


def test_a_take_is_listed_with_both_parts(tmp_path: Path) -> None:
    path = take_in(tmp_path / "takes")
    (tmp_path / "takes" / f"segue-20260101-130000{JOURNAL}").write_bytes(b"{}\n")
    (tmp_path / "takes" / "notes.txt").write_text("mine")
    takes = Takes(tmp_path / "takes")
    listed = takes.listed()
    assert listed["recording"]
    assert [(t["name"], t["writing"]) for t in listed["takes"]] == [
        ("segue-20260101-130000.mid", True),
        (path.name, False),
    ]
    shown = takes.notes(path.name)
    assert shown["notes"] == [[1, 60, 80, 0.0, 1.0], [1, 64, 80, 1.5, 1.5], [2, 67, 80, 2.0, 3.0]]
    assert shown["seconds"] == 3.0


def test_a_take_with_a_star_is_kept(tmp_path: Path) -> None:
    path, other = take_in(tmp_path / "takes"), take_in(tmp_path / "takes", "other.mid")
    takes = Takes(path.parent)
    takes.star(path.name, True)
    takes.star(path.name, True)
    assert {take["name"]: take["star"] for take in takes.listed()["takes"]} == {
        path.name: True,
        other.name: False,
    }
    assert starred(path.parent) == {path.name}
    with pytest.raises(Starred, match="star"):
        takes.delete(path.name)
    assert path.exists()
    takes.delete(other.name)
    takes.star(path.name, False)
    takes.delete(path.name)
    assert takes.listed()["takes"] == []
    for name in ("../x.mid", "none.mid", STARS, "a\nb.mid"):
        with pytest.raises(NoSuchTake):
            takes.star(name, True)
    assert (path.parent / STARS).read_text() == ""


def test_one_that_is_being_written_is_neither_given_nor_deleted(tmp_path: Path) -> None:
    journal = tmp_path / f"segue-20260101-130000{JOURNAL}"
    journal.write_bytes(b"{}\n")
    takes = Takes(tmp_path)
    for name in (journal.name, journal.with_suffix(".mid").name):
        with pytest.raises(NoSuchTake):
            takes.path(name)
        with pytest.raises(NoSuchTake):
            takes.delete(name)
    assert journal.exists()


def test_without_a_folder_nothing_is_there(tmp_path: Path) -> None:
    assert Takes(None).listed() == {"recording": False, "takes": []}
    assert Takes(tmp_path / "none").listed() == {"recording": True, "takes": []}
    with pytest.raises(NoSuchTake):
        Takes(None).delete("x.mid")


def test_no_name_leads_out_of_the_folder(tmp_path: Path) -> None:
    secret = take_in(tmp_path, "secret.mid")
    folder = tmp_path / "takes"
    take_in(folder)
    (folder / "inner").mkdir()
    inner = take_in(folder / "inner", "inner.mid")
    (folder / "link.mid").symlink_to(secret)
    takes = Takes(folder)
    assert len(takes.listed()["takes"]) == 1
    for name in (
        *("../secret.mid", str(secret), "link.mid", "inner/inner.mid", "inner", "", ".", ".."),
        *("..%2fsecret.mid", "segue-20260101-120000.MID", "segue-20260101-120000.mid/", "*.mid"),
    ):
        with pytest.raises(NoSuchTake):
            takes.delete(name)
    assert secret.exists() and inner.exists()


@given(st.text(max_size=30))
def test_any_name_is_none_of_ours(name: str) -> None:
    folder = Path(__file__).parent  # has no MIDI files
    with pytest.raises(NoSuchTake):
        Takes(folder).path(name)


def test_a_broken_take_is_told_of_and_can_be_deleted(tmp_path: Path) -> None:
    (tmp_path / "broken.mid").write_bytes(b"MThd nonsense")
    takes = Takes(tmp_path)
    with pytest.raises(DataError):
        takes.notes("broken.mid")
    takes.delete("broken.mid")
    assert takes.listed()["takes"] == []


@pytest.mark.live
@pytest.mark.skipif(os.name != "posix", reason="sockets that are files")
def test_they_are_served_to_the_page_alone(tmp_path: Path) -> None:
    folder = tmp_path / "takes"
    path = take_in(folder)
    with stage_in(tmp_path) as stage:
        assert json.loads(stage.get("/takes")[2]) == {"recording": False, "takes": []}
        stage.state_file.tell(takes=str(folder))
        assert len(json.loads(stage.get("/takes")[2])["takes"]) == 1
        assert len(json.loads(stage.get(f"/takes/{path.name}/notes")[2])["notes"]) == 3
        status, fields, body = stage.get(f"/takes/{path.name}")
        assert status == 200 and body == path.read_bytes()
        assert "attachment" in fields["content-disposition"]
        assert stage.get("/takes", Host="evil.example")[0] == 421
        for name in ("..%2fx.board", "%2e%2e/x.board", "%2Fetc%2Fpasswd", "%00", "x.mid"):
            assert stage.get(f"/takes/{name}")[0] == 404
            assert delete(stage, name) == 404
        assert delete(stage, path.name, "http://evil.example") == 403
        (folder / "broken.mid").write_bytes(b"MThd")
        assert stage.get("/takes/broken.mid/notes")[0] == 422
        assert path.exists()
        assert star(stage, path.name, "PUT") == 200
        assert delete(stage, path.name) == 409
        assert star(stage, path.name, "DELETE", "http://evil.example") == 403
        assert star(stage, "none.mid", "PUT") == star(stage, "%2e%2e", "PUT") == 404
        assert star(stage, path.name, "DELETE") == 200
        assert delete(stage, path.name) == 200
        assert not path.exists() and delete(stage, path.name) == 404


def star(stage: Stage, name: str, method: str, origin: str = "") -> int:
    return delete(stage, f"{name}/star", origin, method)


def delete(stage: Stage, name: str, origin: str = "", method: str = "DELETE") -> int:
    """The status of the answer."""
    head = f"{method} /takes/{name} HTTP/1.1\r\nHost: {stage.host}\r\nConnection: close\r\n"
    head += f"Origin: {origin or 'http://' + stage.host}\r\n"
    return stage.ask(f"{head}\r\n".encode())[0]
