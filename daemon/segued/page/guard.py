"""Decides which requests may see the page and send commands. Pure.

On loopback any program of this machine may. Another site in the same browser must not: it can send
requests to 127.0.0.1 under its own name, which resolves to that address (DNS rebinding), or from
its own origin. So Host must be one of ours, and so must Origin, if there is one. Off loopback the
token is required, too.
"""

import hmac
import ipaddress

from ..ports.options import LOOPBACK

COOKIE = "segue"


class Guard:
    """The names of this machine, and the token; "": none is required."""

    def __init__(self, host: str, machine: str, token: str) -> None:
        self._token = token
        self._any_address = bool(token)
        self._names = {*LOOPBACK}
        if token:
            self._names |= {host.lower(), machine.lower(), f"{machine.lower()}.local"}

    def knows_host(self, host: str) -> bool:
        """Whether a Host field names this machine. IP addresses always do, because a site that
        resolves to this machine has a name."""
        name = name_of(host)
        return name in self._names or (self._any_address and _is_address(name))

    def knows_origin(self, origin: str | None, host: str) -> bool:
        """Whether a request comes from our own page, or from a program that is not a browser."""
        return origin is None or origin.lower() in (
            f"http://{host.lower()}",
            f"https://{host.lower()}",
        )

    def knows_token(self, token: str | None) -> bool:
        """Whether the token is right, compared in constant time."""
        if not self._token:
            return True
        return hmac.compare_digest(self._token.encode(), (token or "").encode())


def name_of(host: str) -> str:
    """A Host field without its port."""
    if host.startswith("["):
        return host[1:].partition("]")[0].lower()
    return host.rpartition(":")[0].lower() if ":" in host else host.lower()


def cookie_of(cookies: str) -> str | None:
    """The token in a Cookie field."""
    for cookie in cookies.split(";"):
        name, _, value = cookie.strip().partition("=")
        if name == COOKIE:
            return value
    return None


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


class Rate:
    """A rate limit per second, which also limits bursts to the same number."""

    def __init__(self, a_second: float) -> None:
        self._a_second = self._left = a_second
        self._last = 0.0

    def allows(self, now: float) -> bool:
        """Whether one more request is allowed now."""
        passed, self._last = max(0.0, now - self._last), now
        self._left = min(self._a_second, self._left + passed * self._a_second)
        if self._left < 1.0:
            return False
        self._left -= 1.0
        return True
