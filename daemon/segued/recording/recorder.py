"""Records performances while they are played, without delaying the hot loop.

The loop only appends to a queue in memory. A thread writes the queue to a journal twice a second.
At the end it writes the MIDI file. Journals of crashed runs are converted by another process (see
`journal_file`). If the disk is full or too slow, the recording ends and the music continues.
"""

import hashlib
import json
import tempfile
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO

from .. import __version__
from ..errors import ConfigError
from ..model.chord_model import ChordModel
from ..model.loading import model_path
from ..model.session import Model
from ..settings.config import Config, describe
from ..system import realtime
from ..system.paths import expanded
from .journal_file import Rescue, finish, lock
from .performance import JOURNAL, Encoder, Entry, Growing

EVERY = 0.5  # seconds between writes
SLICE = 50  # entries encoded at a time, 0.2 ms in which other threads may have to wait
MOST = 200_000  # entries in the queue at which the recording ends, because the disk hangs

Say = Callable[[str], None]


class Recordings:
    """All recordings of a run, one after another."""

    def __init__(self, say: Say) -> None:
        self._say = say
        self._recorders: list[Recorder] = []

    def open(self, config: Config, model: Model | ChordModel, seed: int) -> "Recorder | None":
        """Begin a recording if the settings want one. Raises ConfigError if that fails."""
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
        """Continue with this recording, or none, and end all others."""
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
    """The folder for recordings; None: there are none. Raises ConfigError."""
    folder = config.record.folder
    return None if folder is None else expanded(folder, "record.folder")


def check_folder(config: Config) -> None:
    """Raise ConfigError if a recording could not be written. Leaves nothing behind."""
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
    """The facts by which a replay finds the same model: checksum and device."""
    return {"model": checksum(model_path(config, model.device)), "device": model.device}


def checksum(model: Path) -> str:
    """The SHA-256 of a model file in hex, cached."""
    about = model.stat()
    return _checksum(model, about.st_mtime_ns, about.st_size)


@lru_cache(maxsize=4)
def _checksum(model: Path, changed: int, size: int) -> str:
    return hashlib.sha256(model.read_bytes()).hexdigest()


class Recorder:
    """One recording, until `close`. Raises ConfigError when it cannot begin.

    `about`: the texts for the file (see Recording). `say(line)` is called when something fails.
    """

    def __init__(self, folder: Path, about: dict[str, str], say: Say) -> None:
        self._say, self._about = say, about
        self._queue: deque[Entry] = deque()
        self._encoder, self._growing = Encoder(), Growing()
        self._ending = threading.Event()
        self.target, self._journal = _begin(folder, about)
        self._open = True
        self._rescue = Rescue()
        self._thread = threading.Thread(target=self._run, name="recorder", daemon=True)
        self._thread.start()

    @property
    def ended(self) -> bool:
        """Whether the recording has ended (by `end`, or because the disk is full)."""
        return not self._open

    def note(self, entry: Entry) -> None:
        """Add an entry. For the hot loop: 0.1 µs."""
        if self._open:
            self._queue.append(entry)

    def end(self) -> None:
        """End the recording without waiting until its file is written."""
        self._open = False
        self._ending.set()

    def close(self) -> Path | None:
        """End the recording; return the path of its file, None if there is none. Idempotent."""
        self.end()
        self._thread.join()
        self._rescue.stop()
        return self.target if self.target.exists() else None

    def _run(self) -> None:
        realtime.background()
        journal = Path(self._journal.name)
        self._convert_abandoned()
        try:
            while not self._ending.wait(EVERY):
                if len(self._queue) > MOST:
                    raise OSError(0, "the disk is too slow")
                self._write()
            self._write()
        except OSError as error:
            self._open = False
            self._queue.clear()
            self._say(
                f"recording to {self.target} ended: {error.strerror}; what was written before is "
                "kept"
            )
            self._journal.close()
            self._convert_abandoned()  # reading the journal here would delay the music
            return
        try:
            finish(journal, self.target, self._growing.recording(self._about))
        except OSError as error:
            self._say(f"{self.target}: cannot be written ({error.strerror}); {journal} is kept")
        self._journal.close()

    def _convert_abandoned(self) -> None:
        folder = self.target.parent
        try:
            self._rescue.start(folder)
        except OSError as error:
            self._say(f"{folder}: journals of crashed runs are not converted ({error.strerror})")

    def _write(self) -> None:
        queue, encoder = self._queue, self._encoder
        while queue:
            for _ in range(min(SLICE, len(queue))):
                tick, kind, data = queue.popleft()
                entry = Entry(tick, kind, bytes(data))
                encoder.add(entry)
                self._growing.add(entry)
            time.sleep(0)  # let threads that wait for the interpreter lock run
        self._journal.write(encoder.data)
        self._journal.flush()
        encoder.data.clear()


def _begin(folder: Path, about: dict[str, str]) -> tuple[Path, BinaryIO]:
    """The path of the recording, and its journal, open and locked."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for target in _names(folder):
            try:
                journal = target.with_suffix(JOURNAL).open("xb")
            except FileExistsError:
                continue
            lock(journal)
            journal.write(json.dumps(about).encode() + b"\n")
            journal.flush()
            return target, journal
    except OSError as error:
        raise _not_writable(folder, error) from None
    raise AssertionError("there is always one name more")


def _not_writable(folder: Path, error: OSError) -> ConfigError:
    return ConfigError(
        f"record.folder: cannot write to {folder} ({error.strerror}): set another folder, or null"
    )


def _names(folder: Path) -> Iterator[Path]:
    name = time.strftime("segue-%Y%m%d-%H%M%S")
    number = 1
    while True:
        target = folder / (f"{name}.mid" if number == 1 else f"{name}-{number}.mid")
        if not target.exists():
            yield target
        number += 1
