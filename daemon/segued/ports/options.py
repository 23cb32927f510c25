"""Where the ports are: the first half of the settings' section `ports`."""

from dataclasses import dataclass

from ..fields.options import choice, integer, option, text


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
