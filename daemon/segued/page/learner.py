"""Starts, follows and stops `segued learn` for the page.

It runs as a process of its own, which outlives this one: what is shown comes from the folder of
`segued learn`, whoever started it.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from ..errors import BusyError
from ..service.learning import (
    AGAIN,
    FAILED,
    OVER,
    STOPPED,
    Progress,
    learn_folder,
    learner,
    open_folder,
    progress_of,
)

COMMAND = (sys.executable, "-m", "segued", "learn")
LOG = "page.log"
CONTINUES = "stopped: start it again, and it goes on from there"
CUT_SHORT = "it ended before it was done: start it again, and it goes on from there"
PREFIXES = ("segued: ", "segue-export: ")


class Learner:
    """The learning of this user, and the process of it that was started here.

    `command`: what is started, which gets the arguments.
    """

    def __init__(self, command: Sequence[str] = COMMAND) -> None:
        self._command = command
        self._child: subprocess.Popen[bytes] | None = None

    def told(self) -> dict[str, Any]:
        """Stage, share of it, seconds left, how it ended; and whether it is `running`."""
        folder = learn_folder()
        if folder is None:
            return {"running": False, "stage": ""}
        self._settle(folder)
        told, process = progress_of(folder), learner(folder)
        if self._child is not None and process is None and told.get("process") != self._child.pid:
            return {"running": True, "stage": "starting"}
        running = self._child is not None or process is not None
        if told and not running and told.get("stage") not in OVER:
            told |= {"stage": FAILED, "line": CUT_SHORT}
        if told.get("stage") == STOPPED:
            told["line"] = CONTINUES
        shown = ("share", "left_s", "line", "verdict")
        return {"running": running, "stage": told.get("stage", "")} | {
            key: told[key] for key in shown if told.get(key)
        }

    def refuse_a_second(self) -> None:
        """Raises BusyError while one learns. Raises DataError without a home folder."""
        folder = open_folder()
        process = self._at_work(folder)
        if process is not None:
            raise BusyError(f"another segued learn is at work (process {process}): wait, or cancel")

    def start(self, arguments: Sequence[str]) -> None:
        """Start `segued learn ARGUMENTS`. Raises BusyError, DataError, OSError."""
        self.refuse_a_second()
        log = os.open(open_folder() / LOG, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            self._child = subprocess.Popen(
                [*self._command, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        finally:
            os.close(log)

    def stop(self) -> bool:
        """Stop learning, as Ctrl-C does; whether there was something to stop."""
        folder = learn_folder()
        if folder is None:
            return False
        process = self._at_work(folder)
        if process is None:
            return False
        with suppress(ProcessLookupError):  # it has just ended
            os.kill(process, signal.SIGTERM)
        return True

    def _at_work(self, folder: Path) -> int | None:
        """The id of the process that learns, whoever started it; None: there is none."""
        self._settle(folder)
        return self._child.pid if self._child is not None else learner(folder)

    def _settle(self, folder: Path) -> None:
        """Note the end of the child in the progress, if it did not do so itself."""
        if self._child is None or self._child.poll() is None:
            return
        child, self._child = self._child, None
        told = progress_of(folder)
        itself = told.get("process") == child.pid and told.get("stage") in OVER
        if not itself and learner(folder) is None:
            if child.returncode in (-signal.SIGTERM, 128 + signal.SIGTERM):
                Progress(folder).tell(STOPPED, line=AGAIN)
            else:
                Progress(folder).tell(FAILED, line=_last_line(folder / LOG) or CUT_SHORT)


def _last_line(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    line = lines[-1] if lines else ""
    for prefix in PREFIXES:
        line = line.removeprefix(prefix)
    return line
