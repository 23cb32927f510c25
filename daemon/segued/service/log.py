"""Lines for the log, with priorities where journald reads them. Never called in the hot path.

journald stamps each line with its time and takes a priority from a prefix such as <4>
(sd-daemon(3)); a terminal gets the bare line.
"""

import contextlib
import os
import sys
import traceback
from collections.abc import Callable

ERROR, WARNING, INFO = 3, 4, 6  # syslog's priorities


def to_journal() -> bool:
    """Whether stderr is the journal: JOURNAL_STREAM names the device and inode of its socket."""
    wanted = os.environ.get("JOURNAL_STREAM", "")
    if not wanted:
        return False
    try:
        about = os.fstat(2)
    except OSError:  # a daemon may have no stderr
        return False
    return wanted == f"{about.st_dev}:{about.st_ino}"


_journal = to_journal()
_watchers: list[Callable[[int, str], None]] = []


def watch(watcher: Callable[[int, str], None]) -> None:
    """Have `watcher(priority, line)` told of each line too."""
    _watchers.append(watcher)


def unwatch(watcher: Callable[[int, str], None]) -> None:
    """No more of that."""
    _watchers.remove(watcher)


def say(line: str, priority: int = INFO) -> None:
    """One line for the log. journald and the terminal add what they need."""
    put(line, priority)
    for watcher in _watchers:
        watcher(priority, line)


def broken(error: Exception, left: str) -> None:
    """An error of our own: one line, and where it happened; how things were `left`."""
    place = traceback.extract_tb(error.__traceback__)[-1]
    where = f"{os.path.basename(place.filename)}:{place.lineno} in {place.name}"
    say(f"broken: {type(error).__name__}: {error} ({where}); {left}", ERROR)
    put("".join(traceback.format_exception(error)), ERROR)


def put(text: str, priority: int) -> None:
    """Lines for the log that no watcher is told of."""
    with contextlib.suppress(OSError):  # its disk is full, its reader gone: the music goes on
        print(shown(text, priority), file=sys.stderr, flush=True)


def warn(line: str) -> None:
    """A line about what is not as it should be, though it goes on."""
    say(line, WARNING)


def shown(text: str, priority: int) -> str:
    """A text as the log takes it: each line of it with its priority, or with the program's name."""
    prefix = f"<{priority}>" if _journal else "segued: "
    return "\n".join(prefix + line for line in text.splitlines())
