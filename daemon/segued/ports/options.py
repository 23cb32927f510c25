"""Where MIDI comes in and goes out, and which of it is heard: config.yaml's section `ports`."""

from dataclasses import dataclass

from ..fields.options import (
    ENTRIES,
    VALUES,
    channel_set,
    channels,
    choice,
    flag,
    integer,
    option,
    text,
)
from ..player.zones import ZONES, Zone


@dataclass(frozen=True)
class Ports:
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
    thru: bool = option(True, flag, "pass on what the performer plays")
    listen_channel: int | str | tuple[int, ...] = option(
        "all",
        channels("all"),
        "the channel that the model hears, or several: [1, 2] (thru passes every one)",
        VALUES,
    )
    reply_channel: int | str = option(
        "same", integer(1, 16, "same"), "the channel it plays on; same: the one last played to it"
    )

    zones: tuple[Zone, ...] = option(
        (),
        ZONES,
        "keys with a way of their own: '- {high: B3, to: thru}' (docs/control.md)",
        ENTRIES,
    )
    program: int | str = option(
        "none", integer(1, 128, "none"), "the program that reply_channel is set to at the start"
    )
    bank: int | str = option(
        "none", integer(0, 16383, "none"), "the bank of that program: 128 x CC 0 + CC 32"
    )
    mpe: str = option(
        "auto",
        choice("auto", "off", "lower", "upper"),
        "MPE: as the keyboard says, never, or a zone with channel 1 or 16 as its manager",
    )
    mpe_thru: str = option(
        "keep", choice("keep", "flat"), "flat: MPE goes thru as plain notes on the manager channel"
    )
    echo_filter: bool = option(
        True, flag, "leave its own output out where that goes round and comes back into its input"
    )

    def listens_to(self, channel: int) -> bool:
        """Whether the model hears a channel 0..15."""
        return channel in channel_set(self.listen_channel)

    def setup(self) -> list[bytes]:
        """The messages that choose its sound at the start."""
        if isinstance(self.program, str) or isinstance(self.reply_channel, str):
            return []
        channel, messages = self.reply_channel - 1, []
        if not isinstance(self.bank, str):
            messages = [bytes((0xB0 | channel, 0, self.bank >> 7))]
            messages.append(bytes((0xB0 | channel, 32, self.bank & 0x7F)))
        return [*messages, bytes((0xC0 | channel, self.program - 1))]

    def model_channel(self, last: int) -> int:
        """The channel 0..15 that the model plays on, `last` being the performer's."""
        return last if isinstance(self.reply_channel, str) else self.reply_channel - 1
