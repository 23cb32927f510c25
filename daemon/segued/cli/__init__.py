"""`segued`: the command line."""

import io
import os
import sys

from ..errors import PortError, SegueError, UsageError
from ..service.log import ERROR, shown
from .parser import Command, parser_of_segued

LIBRARIES = {"mido", "numpy", "onnxruntime", "segno", "yaml"}
REINSTALL = "Install Segue again; docs/install.md says what to do if a library has no wheel"


def main(arguments: list[str] | None = None) -> int:
    """Run one command; return its exit status. Expected failures are one line on stderr."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # port names may have characters it cannot print
            stream.reconfigure(errors="backslashreplace")
    options = parser_of_segued().parse_args(arguments)
    options.config = getattr(options, "config", None)
    options.set = getattr(options, "set", None)
    try:
        if not options.takes_settings and (options.config or options.set):
            raise UsageError("this command does not accept --config or --set")
        command: Command = options.run
        return command(options)
    except SegueError as error:
        print(shown(str(error), ERROR), file=sys.stderr)
        return error.status
    except ImportError as error:
        if error.name is None or error.name.partition(".")[0] not in LIBRARIES:
            raise
        print(shown(f"cannot load {error.name}: {error}. {REINSTALL}", ERROR),
              file=sys.stderr)  # fmt: skip
        return PortError.status
    except KeyboardInterrupt:
        return 130
    finally:
        _drop_unwritten_log()


def _drop_unwritten_log() -> None:
    """Drop what stderr could not write (its disk is full), or Python would exit with status 120."""
    if sys.stderr is None:  # started with it closed
        return
    try:
        sys.stderr.flush()
    except OSError:
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, sys.stderr.fileno())
        os.close(null)
