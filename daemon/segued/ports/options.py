"""Where the ports are (the first half of the settings' section `ports`), the page and OSC."""

from dataclasses import dataclass
from typing import Any

from ..fields.options import VALUES, choice, integer, option, optional, text

LOOPBACK = ("127.0.0.1", "::1", "localhost")
"""Hosts that are this machine and nobody else."""


@dataclass(frozen=True)
class ConnectionOptions:
    """Where MIDI comes in and goes out."""

    backend: str = option(
        "auto",
        choice("auto", "alsa", "jack", "coremidi", "tcp"),
        "auto takes the first that works: ALSA or CoreMIDI, then JACK, then tcp",
    )
    input: str = option("virtual", text, "virtual, or a part of the name of the port to listen to")
    output: str = option("virtual", text, "virtual, or a part of the name of the port to play to")
    name: str = option("Segue", text, "of the virtual ports: NAME In and NAME Out")
    tcp_host: str = option("127.0.0.1", text, "where tcp listens (mido's socket protocol)")
    tcp_port: int = option(9080, integer(0, 65535), "its port; 0 takes any free one")


@dataclass(frozen=True)
class PageOptions:
    """The page in a browser: shows what it hears and plans, turns its knobs (docs/page.md)."""

    port: int | None = option(
        8765,
        optional(integer(0, 65535)),
        "where it is served, or the next free port; 0 takes any free one; null: no page",
    )
    host: str = option(
        "127.0.0.1",
        text,
        "127.0.0.1: for this machine alone; 0.0.0.0: also for your phone, which needs the token",
    )
    token: str | None = option(
        None,
        optional(text),
        "what a visitor from elsewhere has to know; null: a new one at each start, in the log",
    )


def host_and_port(text: str) -> tuple[str, int]:
    """The parts of HOST:PORT; ValueError where they are not."""
    host, _, port = text.strip().rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not host or host.split() != [host] or not port.isdecimal() or not 0 < int(port) < 65536:
        raise ValueError("HOST:PORT, such as 127.0.0.1:9000, or a list of these")
    return host, int(port)


def _targets(value: Any) -> tuple[str, ...]:
    several = value if isinstance(value, list | tuple) else [value]
    if len(several) > MOST_TARGETS:
        raise ValueError(f"{MOST_TARGETS} of HOST:PORT at most")
    for one in several:
        host_and_port(one if isinstance(one, str) else "")
    return tuple(several)


MOST_TARGETS = 8


@dataclass(frozen=True)
class OscOptions:
    """Open Sound Control by UDP, for tablets and other programs (docs/osc.md)."""

    port: int | None = option(
        None, optional(integer(1, 65535)), "where it listens, such as 7700; null: no OSC"
    )
    host: str = option(
        "127.0.0.1",
        text,
        "127.0.0.1: for this machine alone; 0.0.0.0: also for those who are in osc.send",
    )
    send: tuple[str, ...] = option(
        (), _targets, "who is told what happens, such as ['127.0.0.1:9000']", VALUES
    )
