"""Where the page is served: the port that listens, the address and the token.

The daemon opens the port itself, so that its log can name it, and hands it to the process beside it
that serves the page (`segued.page`). A new one of those goes on at the same address.
"""

import contextlib
import secrets
import socket
from dataclasses import dataclass

from ..ports.options import LOOPBACK, PageOptions
from .log import warn

TRIES = 20  # ports that are tried, from the one in the settings upwards
BACKLOG = 64


@dataclass(frozen=True, slots=True)
class PagePort:
    """An open port. `token`: what a visitor has to know; "" on loopback: nothing."""

    listener: socket.socket
    url: str
    token: str

    @property
    def address(self) -> str:
        """What to open in a browser."""
        return f"{self.url}?token={self.token}" if self.token else self.url

    def close(self) -> None:
        """Nobody listens there any more, whoever else has the socket. Idempotent."""
        with contextlib.suppress(OSError):  # it is closed
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()


def open_page_port(options: PageOptions) -> PagePort | None:
    """The port that the settings want; None where they want none, or none can be had (a warning
    says why)."""
    if options.port is None:
        return None
    family = socket.AF_INET6 if ":" in options.host else socket.AF_INET
    # at port 0, which takes any, there is no other to try
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
    warn(f"no page on {options.host}:{options.port}: {why.strerror or why} (set page.port or "
         "page.host to another; page.port: null for none)")  # fmt: skip
    return None


def _url(host: str, port: int) -> str:
    """The address; for all interfaces, by this machine's name."""
    if host in ("0.0.0.0", "::"):
        host = socket.gethostname()
    return f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"
