"""The options of MIDI ports (a part of the section `ports`), and the sections `page` and `osc`."""

from dataclasses import dataclass
from typing import Any

from ..fields.options import VALUES, choice, integer, option, optional, text

LOOPBACK = ("127.0.0.1", "::1", "localhost")
"""Hosts that mean this machine only."""


@dataclass(frozen=True)
class ConnectionOptions:
    """The MIDI ports."""

    backend: str = option(
        "auto",
        choice("auto", "alsa", "jack", "coremidi", "tcp"),
        "the MIDI system; auto: the first that works of ALSA or CoreMIDI, JACK, tcp",
    )
    input: str = option("virtual", text, "virtual, or a part of the name of the port to listen to")
    output: str = option("virtual", text, "virtual, or a part of the name of the port to play to")
    name: str = option("Segue", text, "the name of the virtual ports, NAME In and NAME Out")
    tcp_host: str = option(
        "127.0.0.1", text, "the address on which tcp listens (mido's socket protocol)"
    )
    tcp_port: int = option(
        9080, integer(0, 65535), "the port on which tcp listens; 0: any free one"
    )


@dataclass(frozen=True)
class PageOptions:
    """The page in a browser, which shows what Segue plays and changes its knobs (docs/page.md)."""

    port: int | None = option(
        8765,
        optional(integer(0, 65535)),
        "the port that serves the page, or else the next free one; 0: any free one; null: no page",
    )
    host: str = option(
        "127.0.0.1",
        text,
        "127.0.0.1: only for this machine; 0.0.0.0: also for your phone, which needs the token",
    )
    token: str | None = option(
        None,
        optional(text),
        "the secret that other machines need; null: a new one at each start, see the log",
    )


def host_and_port(text: str) -> tuple[str, int]:
    """The parts of HOST:PORT. Raises ValueError."""
    host, _, port = text.strip().rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not host or host.split() != [host] or not port.isdecimal() or not 0 < int(port) < 65536:
        raise ValueError("HOST:PORT, such as 127.0.0.1:9000, or a list of these")
    return host, int(port)


def _targets(value: Any) -> tuple[str, ...]:
    several = value if isinstance(value, list | tuple) else [value]
    if len(several) > MOST_TARGETS:
        raise ValueError(f"at most {MOST_TARGETS} of HOST:PORT")
    for one in several:
        host_and_port(one if isinstance(one, str) else "")
    return tuple(several)


MOST_TARGETS = 8


@dataclass(frozen=True)
class OscOptions:
    """Open Sound Control over UDP, for tablets and other programs (docs/osc.md)."""

    port: int | None = option(
        None, optional(integer(1, 65535)), "the UDP port to listen on, such as 7700; null: no OSC"
    )
    host: str = option(
        "127.0.0.1",
        text,
        "127.0.0.1: only for this machine; 0.0.0.0: also for the hosts in osc.send",
    )
    send: tuple[str, ...] = option(
        (), _targets, "where to send what happens, such as ['127.0.0.1:9000']", VALUES
    )
