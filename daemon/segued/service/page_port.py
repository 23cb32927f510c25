"""The listening port of the page, its address and its token.

The daemon opens the port itself, so that its log can name it, and passes it to the process that
serves the page (`segued.page`). If that process is restarted, the address stays the same.
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
    """An open port. `token`: the secret that a browser must send; "" (on loopback): none."""

    listener: socket.socket
    url: str
    token: str

    @property
    def address(self) -> str:
        """The address to open in a browser, with the token."""
        return f"{self.url}?token={self.token}" if self.token else self.url

    def close(self) -> None:
        """Stop listening, also in processes that share the socket. Idempotent."""
        with contextlib.suppress(OSError):  # it is already closed
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()


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
