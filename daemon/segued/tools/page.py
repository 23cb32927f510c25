"""`segued page`: prints the address of the running daemon's page; for a phone also as a QR code.

The library that makes the code takes 11 MB, so it is not loaded in the process of the music.
"""

import io
import socket
import sys
from urllib.parse import urlsplit

from ..errors import PortError
from ..service.status import page_of
from ..settings.config import Config

DARK_AND_LIGHT, PLAIN = "\x1b[97;40m", "\x1b[0m"
"""White on black in any terminal: scanners want the light modules light."""
BORDER = 2  # light modules around the code
ELSEWHERE = "192.0.2.1", 9
"""An address outside of any network (RFC 5737). Nothing is sent to it."""


def page(config: Config) -> int:
    """Print the address, and its code if other machines can reach it and stdout is a terminal.

    Raises PortError when no daemon runs or when it has no page.
    """
    url, token = page_of(config)
    if not url:
        raise PortError("no page: page.port is null, or the log says why it could not be opened")
    print(_with(url, token))
    if not token:
        print("Only this machine can open it: page.host: 0.0.0.0 in the settings lets a phone")
        return 0
    by_number = _with(reachable(url), token)
    if by_number != _with(url, token):
        print(by_number)
    if sys.stdout.isatty() and (sys.stdout.encoding or "").lower().startswith("utf"):
        print("\n".join(code(by_number)))
    return 0


def reachable(url: str) -> str:
    """The address with this machine's IP address instead of its name, which phones may not know.

    The same address if it has another host, or if this machine is in no network.
    """
    parts = urlsplit(url)
    if parts.hostname != socket.gethostname().lower():
        return url
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(ELSEWHERE)
        except OSError:
            return url
        return parts._replace(netloc=f"{probe.getsockname()[0]}:{parts.port}").geturl()


def code(text: str) -> list[str]:
    """A QR code as lines for a terminal, two modules in a character."""
    import segno

    out = io.StringIO()
    segno.make_qr(text, error="l").terminal(out, border=BORDER, compact=True)
    return [f"{DARK_AND_LIGHT}{line}{PLAIN}" for line in out.getvalue().splitlines()]


def _with(url: str, token: str) -> str:
    return f"{url}?token={token}" if token else url
