"""The terminal's piano roll."""

from segued.control.knobs import note_name
from segued.midi.notes import Note, notes_of
from segued.tools.terminal_roll import draw

from tests.support.fakes import note_off, note_on


def test_notes_are_paired_and_an_open_one_ends_with_the_performance() -> None:
    messages = [
        (0.0, note_on(60, 90)), (0.5, note_on(64, 70)), (1.0, note_off(60)), (2.0, note_on(67, 1)),
    ]  # fmt: skip
    assert notes_of(messages) == [
        Note(0.0, 1.0, 60, 90), Note(0.5, 2.0, 64, 70), Note(2.0, 2.0, 67, 1),
    ]  # fmt: skip


def test_a_struck_again_key_ends_the_note_before() -> None:
    assert notes_of([(0.0, note_on(60, 9)), (1.0, note_on(60, 8)), (2.0, note_off(60))]) == [
        Note(0.0, 1.0, 60, 9),
        Note(1.0, 2.0, 60, 8),
    ]


def test_rows_are_pitches_and_columns_are_time() -> None:
    picture = draw([[Note(0.0, 1.0, 62, 64)], [Note(1.0, 2.0, 60, 64)]], width=10).splitlines()
    assert picture[0] == "  D4 ┤▓▒▒▒▒"
    assert picture[1] == "     │"
    assert picture[2] == "  C4 ┤     ▉████"
    assert picture[3].startswith("     └|0 s")


def test_colours_and_silence() -> None:
    assert "\x1b[36m" in draw([[Note(0.0, 1.0, 62, 64)]], colour=True)
    assert draw([[], []]) == "(silence)"


def test_names() -> None:
    assert [note_name(p) for p in (0, 60, 61, 69, 127)] == ["C-1", "C4", "C#4", "A4", "G9"]
