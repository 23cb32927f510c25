"""Writes performances down while they are played, without ever holding the hot loop up.

The loop only appends to a queue in memory. A thread of its own empties it into a journal, a second
at a time; at the end, or when a journal of a crashed run is found, a MIDI file is made of it. When
the disk is full or slow the recording ends, not the music.
"""

import hashlib
import json
import os
import sys
import tempfile
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO

from .. import __version__
from ..errors import ConfigError, DataError
from ..model.chord_model import ChordModel
from ..model.loading import model_path
from ..model.session import Model
from ..settings.config import Config, describe
from ..system import realtime
from ..system.paths import expanded
from .performance import (
    JOURNAL,
    Encoder,
    Entry,
    Growing,
    Recording,
    decode,
    read_recording,
    write_recording,
)

if sys.platform != "win32":
    import fcntl

EVERY = 0.5  # seconds between two looks at the queue
SLICE = 50  # entries encoded at a time (0.2 ms): so long another thread may have to wait
MOST = 200_000  # entries that wait when the disk hangs; then the recording ends

Say = Callable[[str], None]


class Recordings:
    """All recordings of a run, one after the other."""

    def __init__(self, say: Say) -> None:
        self._say = say
        self._recorders: list[Recorder] = []

    def open(self, config: Config, model: Model | ChordModel, seed: int) -> "Recorder | None":
        """A recording of a new player, if the settings want one; ConfigError if it cannot be."""
        folder = folder_of(config)
        if folder is None:
            return None
        about = {
            "version": __version__,
            "seed": str(seed),
            **model_facts(config, model),
            "settings": describe(config),
        }
        recorder = Recorder(folder, about, self._say)
        self._recorders.append(recorder)
        return recorder

    def use(self, recorder: "Recorder | None") -> None:
        """From now on this one; those before it are over."""
        for other in self._recorders:
            if other is not recorder:
                other.end()

    def close(self) -> None:
        """Finish all files. Idempotent."""
        for recorder in self._recorders:
            target = recorder.close()
            if target is not None:
                self._say(f"recorded {target}")
        self._recorders.clear()


def folder_of(config: Config) -> Path | None:
    """Where the settings want recordings; None: nowhere. ConfigError without that home folder."""
    folder = config.record.folder
    return None if folder is None else expanded(folder, "record.folder")


def check_folder(config: Config) -> None:
    """ConfigError if there could be no recording; nothing is left there."""
    folder = folder_of(config)
    if folder is None:
        return
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
        for path in missing:
            path.rmdir()
    except OSError as error:
        raise _not_writable(folder, error) from None


def model_facts(config: Config, model: Model | ChordModel) -> dict[str, str]:
    """By which a replay finds the model again that the settings name."""
    return {"model": checksum(model_path(config, model.device)), "device": model.device}


def checksum(model: Path) -> str:
    """What a model file is known by: the SHA-256 of its bytes, in hex. Quick when asked again."""
    about = model.stat()
    return _checksum(model, about.st_mtime_ns, about.st_size)


@lru_cache(maxsize=4)
def _checksum(model: Path, changed: int, size: int) -> str:
    return hashlib.sha256(model.read_bytes()).hexdigest()


class Recorder:
    """One recording, from now on until `close`. Raises ConfigError when it cannot begin.

    `about` goes into the file (see Recording). `say` gets one line when something goes wrong.
    """

    def __init__(self, folder: Path, about: dict[str, str], say: Say) -> None:
        self._say, self._about = say, about
        self._queue: deque[Entry] = deque()
        self._encoder, self._growing = Encoder(), Growing()
        self._ending = threading.Event()
        self.target, self._journal = _begin(folder, about)
        self._open = True
        self._thread = threading.Thread(target=self._run, name="recorder", daemon=True)
        self._thread.start()

    @property
    def ended(self) -> bool:
        """Whether it keeps nothing any more (it was told to end, or the disk is full)."""
        return not self._open

    def note(self, entry: Entry) -> None:
        """Keep an entry. For the hot loop: 0.1 µs."""
        if self._open:
            self._queue.append(entry)

    def end(self) -> None:
        """Finish the file, without waiting for it."""
        self._open = False
        self._ending.set()

    def close(self) -> Path | None:
        """Finish the file; where it is, or None if there is none. Idempotent."""
        self.end()
        self._thread.join()
        return self.target if self.target.exists() else None

    def _run(self) -> None:
        realtime.background()
        try:
            while not self._ending.wait(EVERY):
                if len(self._queue) > MOST:
                    raise OSError(0, "the disk is too slow")
                self._write()
            self._write()
            recording: Recording | None = self._growing.recording(self._about)
        except OSError as error:
            recording = None  # its journal tells what of it is on the disk
            self._open = False
            self._queue.clear()
            self._say(
                f"recording to {self.target} ended: {error.strerror}; what was written until then "
                "is kept"
            )
        journal = Path(self._journal.name)
        try:
            finish(journal, self.target, recording)
        except OSError as error:
            self._say(f"{self.target}: cannot be written ({error.strerror}); {journal} is kept")
        self._journal.close()
        rescue(self.target.parent, self._say)

    def _write(self) -> None:
        queue, encoder = self._queue, self._encoder
        while queue:
            for _ in range(min(SLICE, len(queue))):
                tick, kind, data = queue.popleft()
                entry = Entry(tick, kind, bytes(data))
                encoder.add(entry)
                self._growing.add(entry)
            time.sleep(0)  # whoever waits for the interpreter goes first
        self._journal.write(encoder.data)
        self._journal.flush()
        encoder.data.clear()


def rescue(folder: Path, say: Say) -> None:
    """Make MIDI files of journals that were left behind by runs that did not end in good order."""
    for journal in sorted(folder.glob(f"*{JOURNAL}")):
        try:
            with journal.open("rb") as file:
                if _lock(file):
                    finish(journal, journal.with_suffix(".mid"))
        except (OSError, ValueError) as error:
            say(f"{journal}: no recording could be made of this journal ({error})")


def finish(journal: Path, target: Path, recording: Recording | None = None) -> None:
    """Make the MIDI file of a journal, whole or not at all, and take the journal away.

    To read a `recording` from the journal takes two seconds for each million of its entries. No
    file is made of a performance in which nothing was played.
    """
    recording = recording or _read(journal)
    if recording.performed or recording.played:
        unfinished = target.with_suffix(".part")
        write_recording(unfinished, recording)
        with unfinished.open("rb") as file:
            os.fsync(file.fileno())
        unfinished.replace(target)
    journal.unlink()


def read(path: Path) -> Recording:
    """A recording, or the journal of one. Raises DataError."""
    if path.suffix != JOURNAL:
        return read_recording(path)
    try:
        return _read(path)
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: cannot be read as the journal of a recording: {error}") from None


def _read(journal: Path) -> Recording:
    with journal.open("rb") as file:
        about = json.loads(file.readline())
        return Recording.of(about, decode(file.read()))


def _begin(folder: Path, about: dict[str, str]) -> tuple[Path, BinaryIO]:
    """The file that is to be made, and its journal, locked."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for target in _names(folder):
            try:
                journal = target.with_suffix(JOURNAL).open("xb")
            except FileExistsError:
                continue
            _lock(journal)
            journal.write(json.dumps(about).encode() + b"\n")
            journal.flush()
            return target, journal
    except OSError as error:
        raise _not_writable(folder, error) from None
    raise AssertionError("there is always one name more")


def _not_writable(folder: Path, error: OSError) -> ConfigError:
    return ConfigError(
        f"record.folder: cannot write to {folder} ({error.strerror}): name another, or null"
    )


def _lock(file: BinaryIO) -> bool:
    """Mark a journal as being written until it is closed; whether nobody else does."""
    if sys.platform == "win32":  # a file that is open cannot be taken away there
        return True
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _names(folder: Path) -> Iterator[Path]:
    name = time.strftime("segue-%Y%m%d-%H%M%S")
    number = 1
    while True:
        target = folder / (f"{name}.mid" if number == 1 else f"{name}-{number}.mid")
        if not target.exists():
            yield target
        number += 1
