"""Takes on disk: recordings and folders of MIDI files, and the table of what was kept."""

from pathlib import Path

import pytest
from segue_export.learn.reading import PHRASES, encoded, pieces_of, read_takes, table, with_a_star
from segue_export.learn.sides import divided
from segued.errors import DataError
from segued.midi.files import write_messages
from segued.recording.performance import FORMAT, NAME, RECEIVE, TICKS, Encoder, Entry
from segued.recording.stars import set_star

from .made import Note, messages, recording, tune


def midi(path: Path, *tracks: tuple[str, list[Note]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    named = [(name, [(t / TICKS, m) for t, m in messages(notes)]) for name, notes in tracks]
    write_messages(path, named)
    return path


def test_what_segue_played_is_not_learned_as_yours(tmp_path: Path) -> None:
    recording(tmp_path / "a.mid", tune(1), tune(2, begin=15.0))
    midi(tmp_path / "rendered.mid", ("Performer", tune(3)), ("Segue", tune(4, begin=15.0)))
    takes = read_takes([tmp_path])
    found = pieces_of(takes)
    assert [take.recorded for take in takes] == [True, False]
    expected = [[p for *_, p in tune(1)], [p for *_, p in tune(3)]]
    assert [piece.notes.pitch.tolist() for piece in found] == expected


def test_a_file_of_what_segue_played_is_left_out(tmp_path: Path) -> None:
    recording(tmp_path / "takes" / "a.mid", tune(1), tune(2, begin=15.0))
    midi(tmp_path / "daw" / "bounced.mid", ("piano", tune(2, begin=3.0)))
    midi(tmp_path / "daw" / "mine.mid", ("piano", tune(5)))
    takes = read_takes([tmp_path / "takes", tmp_path / "daw"])
    assert len(pieces_of(takes)) == 2
    assert [*takes[1].cleaned.left_out] == ["Segue played it"]


def test_of_recordings_only_those_with_a_star_are_read_if_wanted(tmp_path: Path) -> None:
    recorded = tmp_path / "takes"
    for seed in range(3):
        recording(recorded / f"{seed}.mid", tune(seed))
    midi(tmp_path / "daw" / "mine.mid", ("piano", tune(5)))
    set_star(recorded, "1.mid", True)
    takes = read_takes([recorded, tmp_path / "daw"], with_a_star(recorded))
    assert [take.path.name for take in takes] == ["1.mid", "mine.mid"]
    assert len(read_takes([tmp_path / "daw"], with_a_star(None))) == 1
    set_star(recorded, "1.mid", False)
    assert read_takes([recorded], with_a_star(recorded)) == []


def test_what_it_quoted_of_you_stays_yours(tmp_path: Path) -> None:
    recording(tmp_path / "takes" / "a.mid", tune(1), tune(1, begin=15.0))
    midi(tmp_path / "daw" / "mine.mid", ("piano", tune(1)[:40]))
    assert len(pieces_of(read_takes([tmp_path / "takes", tmp_path / "daw"]))) == 2


def test_copies_count_once_and_the_shipped_phrases_never(tmp_path: Path) -> None:
    recording(tmp_path / "takes" / "a.mid", tune(1))
    midi(tmp_path / "daw" / "again.mid", ("piano", tune(1, begin=7.0)))
    (tmp_path / "daw" / "petzold.mid").write_bytes((PHRASES / "petzold-minuet.mid").read_bytes())
    takes = read_takes([tmp_path / "takes", tmp_path / "daw"])
    assert len(pieces_of(takes)) == 1
    reasons = {reason for take in takes for reason in take.cleaned.left_out}
    assert reasons == {"a copy", "comes with Segue"}


PIECE = sorted(tune(1) + [(on, off, pitch - 12) for on, off, pitch in tune(1)[::2]])
COPIES = {
    "another tempo": [("piano", [(1.2 * on, 1.2 * off, pitch) for on, off, pitch in PIECE])],
    "other dynamics and lengths": [("piano", [(on, on + 0.1, pitch) for on, _, pitch in PIECE])],
    "chords in another order": [("piano", sorted(PIECE, key=lambda note: (note[0], -note[2])))],
    "a hand on each track": [("left", PIECE[::2]), ("right", PIECE[1::2])],
}
RELATED = {
    "transposed": [("piano", [(on, off, pitch + 3) for on, off, pitch in PIECE])],
    "with wrong notes": [
        ("piano", [(a, b, p + (i % 20 == 3)) for i, (a, b, p) in enumerate(PIECE)])
    ],
    "an excerpt": [("piano", PIECE[15:75])],
}


@pytest.mark.parametrize("how", [*COPIES, *RELATED])
def test_what_is_a_copy_and_what_is_the_same_composition(tmp_path: Path, how: str) -> None:
    """A copy counts once; what is more than a copy stands on the side of the first."""
    midi(tmp_path / "a.mid", ("piano", PIECE))
    midi(tmp_path / "b.mid", *(COPIES | RELATED)[how])
    for seed in range(2, 8):
        midi(tmp_path / f"{seed}.mid", ("piano", tune(seed)))
    takes = read_takes([tmp_path])
    pieces, _, sides = divided(takes, {})
    side = {takes[piece.take].path.stem: one for piece, one in zip(pieces, sides, strict=True)}
    assert len(side) == (7 if how in COPIES else 8)
    assert side.get("b", side["a"]) == side["a"]
    assert [*takes[-1].cleaned.left_out] == ["a copy"] * (how in COPIES)


def test_a_recording_that_goes_on_counts_but_for_its_last_piece(tmp_path: Path) -> None:
    journal = tmp_path / "segue-1.journal"
    encoder = Encoder()
    for tick, message in messages([*tune(1), *tune(2, begin=60.0)]):
        encoder.add(Entry(tick, RECEIVE, message))
    whole = b"{}\n" + bytes(encoder.data)
    for cut in (0, 1, 3):  # it is in the midst of a write
        journal.write_bytes(whole[: len(whole) - cut])
        takes = read_takes([tmp_path])
        (piece,) = pieces_of(takes)
        assert piece.notes.pitch.tolist() == [p for *_, p in tune(1)]
        assert "may go on" in table(takes) and "segue-1.journal" in table(takes)
    journal.write_bytes(b"{}\n")
    assert "nothing is played in it yet" in table(read_takes([tmp_path]))
    journal.write_bytes(b"{")
    assert "cannot be read as the journal" in table(read_takes([tmp_path]))


def test_a_folder_named_twice_is_read_once(tmp_path: Path) -> None:
    recording(tmp_path / "a.mid", tune(1))
    assert len(read_takes([tmp_path, tmp_path / "."])) == 1


def test_a_recording_of_weeks(tmp_path: Path) -> None:
    recording(tmp_path / "a.mid", [*tune(1), *tune(2, begin=20 * 86_400.0)])
    takes = read_takes([tmp_path])
    assert len(pieces_of(takes)) == 2, table(takes)


def test_what_cannot_be_read_says_so_in_its_row(tmp_path: Path) -> None:
    newer = recording(tmp_path / "newer.mid", tune(1))
    head = f"{NAME}: {FORMAT}".encode()
    newer.write_bytes(newer.read_bytes().replace(head, f"{NAME}: 9".encode()))  # of the same length
    (tmp_path / "cut.mid").write_bytes(b"MThd")
    recording(tmp_path / "silent.mid", [], tune(2))
    recording(tmp_path / "good.mid", tune(3))
    takes = read_takes([tmp_path])
    assert len(pieces_of(takes)) == 1
    rows = {line.split()[0]: line for line in table(takes).splitlines()}
    assert f"format 9; this Segue knows {FORMAT}" in rows["newer.mid"]
    assert "cut short" in rows["cut.mid"]
    assert "no notes" in rows["silent.mid"]
    assert rows["good.mid"].split()[1:3] == ["0:15", "0:15"]
    assert table(takes).splitlines()[-1] == "4 takes: 0:15 played, 0:15 kept"


def test_the_table_tells_the_reasons(tmp_path: Path) -> None:
    recording(tmp_path / "a.mid", [*tune(1), *tune(2, begin=60.0, notes=12), (90.0, 190.0, 40)])
    takes = read_takes([tmp_path])
    pieces_of(takes)
    row = table(takes).splitlines()[1]
    assert " ".join(row.split()) == "a.mid 0:20 0:15 too short (0:05), 1 stuck notes ended"


def test_many_takes_fit_a_screen(tmp_path: Path) -> None:
    for i in range(50):
        recording(tmp_path / f"{i:02}.mid", tune(i))
    lines = table(read_takes([tmp_path]), most=5).splitlines()
    assert len(lines) == 8 and lines[1] == "(45 takes before these)"


def test_no_takes(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no MIDI files"):
        read_takes([tmp_path])
    with pytest.raises(DataError, match="no such folder"):
        read_takes([tmp_path / "none"])


def test_names_tell_nothing_of_the_disk(tmp_path: Path) -> None:
    recording(tmp_path / "a.mid", tune(1))
    takes = read_takes([tmp_path])
    (name,) = encoded(pieces_of(takes), takes).names
    assert str(tmp_path) not in name and name.startswith("a.mid#")
