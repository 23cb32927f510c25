"""The log on stderr, with priorities for journald. Never called in the hot path.

journald adds the time to each line and reads the priority from a prefix such as <4>
(sd-daemon(3)). A terminal gets `segued: ` instead of the prefix.
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
    """Call `watcher(priority, line)` for each further line."""
    _watchers.append(watcher)


def unwatch(watcher: Callable[[int, str], None]) -> None:
    """Undo `watch`."""
    _watchers.remove(watcher)


def say(line: str, priority: int = INFO) -> None:
    """Log a line, and pass it to the watchers."""
    put(line, priority)
    for watcher in _watchers:
        watcher(priority, line)


def broken(error: Exception, left: str) -> None:
    """Log a bug: one line that says where it happened and how things were `left`; a traceback."""
    place = traceback.extract_tb(error.__traceback__)[-1]
    where = f"{os.path.basename(place.filename)}:{place.lineno} in {place.name}"
    say(f"broken: {type(error).__name__}: {error} ({where}); {left}", ERROR)
    put("".join(traceback.format_exception(error)), ERROR)


def put(text: str, priority: int) -> None:
    """Log text without passing it to the watchers."""
    with contextlib.suppress(OSError):  # disk full or the reader gone: the music must go on
        print(shown(text, priority), file=sys.stderr, flush=True)


def warn(line: str) -> None:
    """Log a warning."""
    say(line, WARNING)


def shown(text: str, priority: int) -> str:
    """The text as it is logged: each line with a prefix for its priority, or the program's name."""
    prefix = f"<{priority}>" if _journal else "segued: "
    return "\n".join(prefix + line for line in text.splitlines())
