"""The files of `memory.hear`: where they are looked for, and what is refused in one line."""

import os
from pathlib import Path

import pytest
from segued.errors import ConfigError, DataError
from segued.midi.files import write_messages
from segued.settings import repertoire
from segued.settings.config import describe
from segued.settings.repertoire import joined, pieces_of, read_music
from segued.settings.yaml_file import load_settings, load_text
from segued.tokens.tokenizer import decode
from segued.tokens.vocabulary import PERFORMANCE, TIME_SHIFT


def midi(path: Path, *pitches: int, seconds: float = 0.5) -> Path:
    """A MIDI file of single notes."""
    messages = [
        message
        for i, pitch in enumerate(pitches)
        for message in (
            (i * seconds, bytes((0x90, pitch, 80))),
            ((i + 0.8) * seconds, bytes((0x80, pitch, 64))),
        )
    ]
    write_messages(path, [("", messages)])
    return path


def pitches_of(ids: list[int]) -> list[int]:
    return [event.pitch for event in decode(ids) if hasattr(event, "velocity")]


def test_files_and_folders_are_read_in_order(tmp_path: Path) -> None:
    (tmp_path / "songs").mkdir()
    midi(tmp_path / "songs" / "b.MID", 62)
    midi(tmp_path / "songs" / "a.mid", 60, 61)
    (tmp_path / "songs" / "notes.txt").write_text("no music")
    other = midi(tmp_path / "other.mid", 70)
    pieces = pieces_of([other, tmp_path / "songs"])
    assert [pitches_of(piece.tolist()) for piece in pieces] == [[70], [60, 61], [62]]
    second = PERFORMANCE.id(TIME_SHIFT, PERFORMANCE.max_shift())
    assert all(piece[-2:].tolist() == [second, second] for piece in pieces)
    assert pitches_of(joined(pieces).tolist()) == [70, 60, 61, 62]


def test_paths_are_relative_to_the_settings_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "etc"
    folder.mkdir()
    midi(folder / "a.mid", 60)
    absolute = midi(tmp_path / "b.mid", 62)
    file = folder / "config.yaml"
    file.write_text(f"memory:\n  hear: [a.mid, {absolute}]\n")
    monkeypatch.chdir(tmp_path)
    config = load_settings(Path("etc/config.yaml"))
    assert config.memory.hear == (str(folder / "a.mid"), str(absolute))
    assert [pitches_of(piece.tolist()) for piece in read_music(config).pieces] == [[60], [62]]
    file.write_text("memory:\n  hear: a.mid\n")
    assert load_settings(file).memory.hear == (str(folder / "a.mid"),)
    given = load_settings(file, ["memory.hear=[b.mid]"])
    assert given.memory.hear == ("b.mid",), "on the command line: to where it is given"
    assert len(read_music(given).pieces) == 1
    file.write_text("memory:\n  hear: null\n")
    assert load_settings(file).memory.hear == ()


def test_a_preset_names_files_of_its_own(tmp_path: Path) -> None:
    midi(tmp_path / "a.mid", 60)
    midi(tmp_path / "b.mid", 62, 64)
    file = tmp_path / "config.yaml"
    file.write_text(
        "control:\n  presets:\n    - {name: calm, hear: [a.mid, b.mid]}\n"
        "    - {name: wild, density: 2}\n    - {name: lone, hear: b.mid, key: D}\n"
    )
    config = load_settings(file)
    music = read_music(config)
    assert not music.pieces and [*music.presets] == ["calm", "lone"]
    assert pitches_of(music.presets["calm"].tolist()) == [60, 62, 64]
    again = tmp_path / "elsewhere" / "config.yaml"
    again.parent.mkdir()
    again.write_text(describe(config), encoding="utf-8")
    assert load_settings(again) == config
    (tmp_path / "b.mid").unlink()
    with pytest.raises(ConfigError) as caught:
        read_music(config)
    assert str(caught.value) == (
        f"{file}:3: control.presets: hear: {tmp_path / 'b.mid'}: no such MIDI file: correct or "
        "remove this path"
    )
    file.write_text("control:\n  presets:\n    - {name: calm, hear: [3]}\n")
    with pytest.raises(ConfigError, match=r":3: control\.presets: hear must be a list"):
        load_settings(file)


def test_a_home_folder_may_be_meant(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    midi(tmp_path / "a.mid", 60)
    file = tmp_path / "config.yaml"
    file.write_text("memory:\n  hear: [~/a.mid]\n")
    config = load_settings(file)
    assert config.memory.hear == ("~/a.mid",)
    assert len(read_music(config).pieces) == 1


@pytest.mark.parametrize("value", ["3", "[3]", "['']", "[a: b]", "[[a.mid]]", r'["\0"]'])
def test_anything_else_is_no_path(tmp_path: Path, value: str) -> None:
    file = tmp_path / "config.yaml"
    file.write_text(f"memory:\n  hear: {value}\n")
    with pytest.raises(ConfigError, match=r"config.yaml:2: memory.hear") as caught:
        load_settings(file)
    assert len(str(caught.value).splitlines()) == 1


def refusal(*paths: Path) -> str:
    with pytest.raises(DataError) as caught:
        pieces_of(paths)
    line = str(caught.value)
    assert len(line.splitlines()) == 1
    return line


def test_what_cannot_be_heard_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    none = tmp_path / "none.mid"
    assert refusal(none) == f"{none}: no such MIDI file"
    bad = tmp_path / "bad.mid"
    bad.write_text("no music")
    assert f"{bad}: cannot be read as a MIDI file" in refusal(bad)
    assert f"{tmp_path / 'none.mid'}" in refusal(midi(tmp_path / "a.mid", 60), none)
    if os.name == "posix":
        os.mkfifo(tmp_path / "pipe.mid")
        assert refusal(tmp_path / "pipe.mid") == f"{tmp_path / 'pipe.mid'}: not a file"
        shut = Path("/proc/1/root/x.mid" if os.geteuid() else "/x" * 3000)
        assert f"{shut}: cannot be read as a MIDI file" in refusal(shut)
    empty = tmp_path / "empty"
    empty.mkdir()
    assert refusal(empty) == f"{empty}: no MIDI file in this folder"
    if os.name == "posix" and os.geteuid():
        empty.chmod(0)
        assert refusal(empty) == f"{empty}: cannot be read: Permission denied"
        empty.chmod(0o700)
    with pytest.raises(ConfigError) as caught:
        read_music(load_text(f"memory: {{hear: ['{none}']}}", "x"))
    assert str(caught.value) == (
        f"memory.hear: {none}: no such MIDI file: correct or remove this path"
    )
    monkeypatch.setattr(repertoire, "LARGEST", 1 << 3)
    assert "larger than 0 MiB" in refusal(tmp_path / "a.mid")


def test_there_is_a_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = midi(tmp_path / "a.mid", 60), midi(tmp_path / "b.mid", 60, 62)
    monkeypatch.setattr(repertoire, "MOST_FILES", 1)
    assert refusal(first, second) == f"{second}: at most 1 files can be heard"
    monkeypatch.setattr(repertoire, "MOST_FILES", 2)
    length = sum(map(len, pieces_of([first, second])))
    monkeypatch.setattr(repertoire, "LONGEST_REPERTOIRE", length)
    assert len(pieces_of([first, second])) == 2
    monkeypatch.setattr(repertoire, "LONGEST_REPERTOIRE", length - 1)
    assert f"{second}: too long: up to here it is {length} tokens, and {length - 1}" in refusal(
        first, second
    )
    monkeypatch.undo()
    assert "too long" in refusal(midi(tmp_path / "day.mid", 60, 61, seconds=40_000.0))
