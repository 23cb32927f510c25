"""The process that serves the page, the metrics and OSC, and the ports that it listens on.

The daemon opens the TCP ports itself, so that its log can name them, and passes them to the process
(`segued.page`). A restarted process keeps the same addresses.
"""

import contextlib
import secrets
import socket
from dataclasses import dataclass
from pathlib import Path

from ..ports.options import LOOPBACK, OscOptions, PageOptions
from .log import warn
from .side_process import SideProcess

MODULE = "segued.page"

TRIES = 20  # ports that are tried for the page, from the one in the settings upwards
BACKLOG = 64
TRY_AGAIN = 10.0  # seconds between two attempts to open the metrics port


@dataclass(frozen=True, slots=True)
class PagePort:
    """An open port. `token`: the secret that a browser must send; "" (on loopback): none."""

    listener: socket.socket
    url: str
    token: str

    @property
    def address(self) -> str:
        """The address to open in a browser, with the token."""
        return f"{self.url}?token={self.token}" if self.token else self.url

    def close(self) -> None:
        """Stop listening. Idempotent."""
        _close(self.listener)


class PageProcess:
    """Runs the process as the settings say. `page`: the page's port; None when there is no page."""

    def __init__(self, state_file: Path) -> None:
        self._state_file, self._process = str(state_file), SideProcess("page and metrics")
        self.page: PagePort | None = None
        self._options = PageOptions(port=None)
        self._metrics: socket.socket | None = None
        self._metrics_port = 0
        self._osc = OscOptions()
        self._next_try = 0.0

    def change(self, page: PageOptions, osc: OscOptions, metrics_port: int) -> bool:
        """Serve as the settings say; return whether the page has another port."""
        self._osc = osc
        moved = page != self._options or (self.page is None and page.port is not None)
        if moved or metrics_port != self._metrics_port:
            self._process.change(())  # a new port may have the descriptor of the old one
        if moved:
            if self.page is not None:
                self.page.close()
            self._options, self.page = page, open_page_port(page)
        if metrics_port != self._metrics_port:
            _close(self._metrics)
            self._metrics, self._metrics_port, self._next_try = None, metrics_port, 0.0
            self._open_metrics(loudly=True)
        self._run()
        return moved

    def check(self, now: float) -> None:
        """Start the process unless it runs. For the hot loop: 2 µs, and 2 ms for a start."""
        if self._metrics_port and self._metrics is None and now >= self._next_try:
            self._next_try = now + TRY_AGAIN
            if self._open_metrics():
                self._run()
        self._process.check(now)

    def stop(self) -> None:
        """End the process and stop listening. Idempotent."""
        self._process.stop()
        if self.page is not None:
            self.page.close()
        _close(self._metrics)

    def _open_metrics(self, loudly: bool = False) -> bool:
        """Listen on the metrics port; return whether that succeeded."""
        if not self._metrics_port:
            return False
        try:
            self._metrics = socket.create_server(("127.0.0.1", self._metrics_port), backlog=BACKLOG)
        except OSError as error:
            if loudly:
                warn(
                    f"no metrics on 127.0.0.1:{self._metrics_port} yet: {error.strerror} (trying "
                    f"again every {TRY_AGAIN:g} s; or set service.metrics_port to another)"
                )
            return False
        self._metrics.setblocking(False)
        return True

    def _run(self) -> None:
        """Run the process with the ports that are open."""
        command: list[str] = []
        files: list[int] = []
        if self.page is not None:
            files.append(self.page.listener.fileno())
            command += ["--page", str(files[-1]), self._options.host]
        if self._metrics is not None:
            files.append(self._metrics.fileno())
            command += ["--metrics", str(files[-1])]
        if self._osc.port is not None:
            command += ["--osc", self._osc.host, str(self._osc.port), "--tell", *self._osc.send]
        self._process.change((MODULE, self._state_file, *command) if command else (), files)


def open_page_port(options: PageOptions) -> PagePort | None:
    """Open the port of the settings, or one of the next `TRIES`.

    None when the settings want no page, or when no port can be opened (a warning says why).
    """
    if options.port is None:
        return None
    family = socket.AF_INET6 if ":" in options.host else socket.AF_INET
    # port 0 means any free port, so there is no other one to try
    for port in range(options.port, min(options.port + TRIES, 65536) if options.port else 1):
        try:
            listener = socket.create_server((options.host, port), family=family, backlog=BACKLOG)
        except OSError as error:
            why = error
            continue
        listener.setblocking(False)
        safe = options.host in LOOPBACK
        token = "" if safe else options.token or secrets.token_urlsafe(16)
        return PagePort(listener, _url(options.host, listener.getsockname()[1]), token)
    warn(f"no page on {options.host}:{options.port}: {why.strerror or why} (set another page.port "
         "or page.host; page.port: null turns the page off)")  # fmt: skip
    return None


def _url(host: str, port: int) -> str:
    """The address; when all interfaces are served, with this machine's name."""
    if host in ("0.0.0.0", "::"):
        host = socket.gethostname()
    return f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"


def _close(listener: socket.socket | None) -> None:
    """Stop listening, in every process that has the socket. Idempotent."""
    if listener is not None:
        with contextlib.suppress(OSError):  # it is already closed
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
