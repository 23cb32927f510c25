"""Takes read from disk: recordings by segued, and folders of MIDI files that the player names."""

import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from segued.errors import DataError
from segued.midi.files import LONGEST, open_midi, read_events
from segued.midi.smf import META, TEXT
from segued.model.loading import MODELS
from segued.recording.journal_file import read as read_recording
from segued.recording.performance import FORMAT, JOURNAL, NAME, write_recording
from segued.recording.stars import starred

from ..augment import Notes
from ..corpus.pieces import Pieces, join_exact
from ..corpus.store import listing
from .takes import SECOND, Cleaned, clean, content, copied, notes_in, runs_of, to_exact

MODEL_TRACK = "Segue"
"""The track of a recording or a rendering that holds what Segue played."""
PHRASES = MODELS.with_name("phrases")
MONTHS = 366 * 86_400.0  # seconds of a recording
SILENT = Notes(*(np.zeros(0),) * 2, *(np.zeros(0, np.int64),) * 2)


@dataclass
class Take:
    """A MIDI file and what is learned of it.

    The pieces of a file that segued has not `recorded` belong together. `wrong` is why nothing of
    it can be read.
    """

    path: Path
    recorded: bool = False
    cleaned: Cleaned = field(default_factory=Cleaned)
    replies: Notes = field(default_factory=lambda: SILENT)
    wrong: str = ""


@dataclass(frozen=True)
class Piece:
    """A piece to learn from: the index of its take, its notes, and what it is known by."""

    take: int
    notes: Notes
    content: str


Wanted = Callable[[Path], bool]
"""Whether a file is read."""


def every(path: Path) -> bool:
    """All files are read."""
    return True


def with_a_star(recorded: Path | None) -> Wanted:
    """Of recordings only those with a star. Other files are read."""
    if recorded is None:
        return every
    names = starred(recorded)
    return lambda path: path.name in names or not path.is_relative_to(recorded)


def read_takes(
    folders: Sequence[Path],
    wanted: Wanted = every,
    watched: Callable[[Sequence[Path]], Iterable[Path]] = iter,
) -> list[Take]:
    """The `wanted` MIDI files of these folders, and recordings that go on, cleaned.

    `watched` may show how far it is. Raises DataError when a folder is not there or empty.
    """
    paths = [path for folder in folders for path in _paths(folder) if wanted(path)]
    own = list(dict.fromkeys(path.resolve() for path in paths))
    return [_read_journal(path) if path.suffix == JOURNAL else _read(path) for path in watched(own)]


def _paths(folder: Path) -> list[Path]:
    journals = sorted(folder.glob(f"*{JOURNAL}"))
    try:
        return [*(folder / name for name, *_ in listing(folder)), *journals]
    except DataError:
        if not journals:
            raise
        return journals


def _read_journal(path: Path) -> Take:
    """What a running segued has recorded so far. Its last piece may go on: next time it would be
    taken for another, so it is left out."""
    with tempfile.TemporaryDirectory(prefix="segue-") as folder:
        copy = Path(folder, "take.mid")
        try:
            write_recording(copy, read_recording(path))
        except DataError as error:
            return Take(path, wrong=str(error).removeprefix(f"{path}: "))
        take = replace(_read(copy), path=path)
    take.wrong = take.wrong and "nothing is played in it yet"
    if take.cleaned.pieces:
        take.cleaned.leave_out(take.cleaned.pieces[-1], "may go on")
    return take


def _read(path: Path) -> Take:
    take = Take(path)
    try:
        take.recorded = _is_recording(path)
        longest = MONTHS if take.recorded else LONGEST
        mine = read_events(path, wanted=lambda name: name != MODEL_TRACK, longest=longest)
        take.replies = _replies(path, longest)
        take.cleaned = clean(notes_in(mine), take.replies)
    except DataError as error:
        take.wrong = str(error).removeprefix(f"{path}: ")
    return take


def _replies(path: Path, longest: float) -> Notes:
    try:
        its = read_events(path, wanted=lambda name: name == MODEL_TRACK, longest=longest)
        return notes_in(its)
    except DataError:  # it has no such track, or nothing in it
        return SILENT


def _is_recording(path: Path) -> bool:
    """Whether segued recorded it; DataError if another version did, in a way of its own."""
    begin = f"{NAME}: ".encode()
    texts = [m[2:] for _, m in open_midi(path).tracks[0] if m[0] == META and m[1] == TEXT]
    found = next((text.removeprefix(begin) for text in texts if text.startswith(begin)), None)
    if found is not None and not (found.isdigit() and 1 <= int(found) <= FORMAT):
        version = found.decode(errors="replace")
        raise DataError(f"a recording of format {version}; this Segue knows {FORMAT}")
    return found is not None


def pieces_of(takes: Sequence[Take]) -> list[Piece]:
    """What is learned of takes: no piece twice, none that comes with Segue, and none that Segue
    played itself. What is left out is noted in the takes."""
    replies = runs_of(take.replies for take in takes)
    replies -= runs_of(  # what it quoted of you
        piece for take in takes if take.recorded for piece in take.cleaned.pieces
    )
    known = {content(piece): "comes with Segue" for piece in _shipped()}
    found = []
    for number, take in enumerate(takes):
        for notes in take.cleaned.pieces:
            piece = Piece(number, notes, content(notes))
            why = known.setdefault(piece.content, "")
            if not take.recorded and copied(notes, replies):
                why = "Segue played it"
            if why:
                take.cleaned.leave_out(notes, why)
            else:
                known[piece.content] = "a copy"
                found.append(piece)
    return found


def _shipped() -> Iterator[Notes]:
    for path in sorted(PHRASES.glob("*.mid")):
        yield from clean(notes_in(read_events(path)), SILENT).pieces


def shipped_phrases() -> Pieces:
    """The phrases that come with Segue, as training reads them."""
    found = [*_shipped()]
    return join_exact([content(piece) for piece in found], [to_exact(piece) for piece in found])


def encoded(pieces: Sequence[Piece], takes: Sequence[Take]) -> Pieces:
    """Pieces as training reads them."""
    names = [f"{takes[piece.take].path.name}#{piece.content}" for piece in pieces]
    return join_exact(names, [to_exact(piece.notes) for piece in pieces])


def table(takes: Sequence[Take], most: int = 40) -> str:
    """What was kept of each take, and why not the rest; the last `most` takes one by one."""
    shown = [_row(take) for take in takes[-most:]]
    width = max([4, *(len(row[0]) for row in shown)])
    lines = [f"{'take':{width}}  played   kept  left out"]
    if len(takes) > most:
        lines.append(f"({len(takes) - most} takes before these)")
    for name, played, kept, why in shown:
        lines.append(f"{name:{width}}  {played:>6}  {kept:>5}  {why}".rstrip())
    played = minutes(sum(take.cleaned.played for take in takes))
    kept = minutes(sum(take.cleaned.kept for take in takes))
    return "\n".join([*lines, f"{len(takes)} takes: {played} played, {kept} kept"])


def _row(take: Take) -> tuple[str, str, str, str]:
    if take.wrong:
        return take.path.name, "-", "-", take.wrong
    cleaned = take.cleaned
    why = [f"{reason} ({minutes(steps)})" for reason, steps in cleaned.left_out.items()]
    if cleaned.stuck:
        why.append(f"{cleaned.stuck} stuck notes ended")
    return take.path.name, minutes(cleaned.played), minutes(cleaned.kept), ", ".join(why)


def minutes(steps: float) -> str:
    """`12:31`, minutes and seconds."""
    return "{}:{:02}".format(*divmod(round(steps / SECOND), 60))
