"""Where the ports are (the first half of the settings' section `ports`), and where the page is."""

from dataclasses import dataclass

from ..fields.options import choice, integer, option, optional, text

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
