"""PipeWire as a JACK server, without a session, a sound card or a bus, for processes of ours.

Debian's package pipewire-jack has a libjack of PipeWire's own. A process finds it by
LD_LIBRARY_PATH, which must be there when it starts: so this is for children, not for the process
that uses it.
"""

import contextlib
import glob
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator

from tests.support.jack import NULL, Server

LIBRARIES = "/usr/lib/*/pipewire-0.3/jack"


class PipeWire(Server):
    """pipewire alone, without a session manager. Its own dummy driver keeps the time."""

    def launch(self) -> None:
        self.process = subprocess.Popen(["pipewire"], stdin=NULL, stdout=NULL, stderr=NULL)

    def sweep(self) -> None:
        """Nothing of it is left."""


@contextlib.contextmanager
def pipewire_server(period: int = 128) -> Iterator[PipeWire]:
    """A server for this process's children; always gone afterwards."""
    libraries = glob.glob(LIBRARIES)
    if not libraries or shutil.which("pipewire") is None:
        raise RuntimeError("needs PipeWire: apt install pipewire pipewire-jack")
    server = PipeWire(period)
    with tempfile.TemporaryDirectory(prefix="segue-pipewire-") as folder:
        settings = {
            "XDG_RUNTIME_DIR": folder, "PIPEWIRE_RUNTIME_DIR": folder,
            "LD_LIBRARY_PATH": libraries[0], "PIPEWIRE_QUANTUM": f"{period}/{server.rate}",
        }  # fmt: skip
        before = {key: os.environ.get(key) for key in settings}
        os.environ.update(settings)
        try:
            server.start()
            yield server
        finally:
            server.stop()
            for key, value in before.items():
                os.environ.pop(key) if value is None else os.environ.update({key: value})
