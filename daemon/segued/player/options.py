"""What is heard, passed thru and played on which channel, and all that a player is set up by."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from ..control.options import ControlOptions
from ..fields.options import (
    ENTRIES,
    VALUES,
    channel_set,
    channels,
    choice,
    flag,
    integer,
    option,
    optional,
)
from ..generation.options import SamplingOptions
from ..midi.messages import BANK_SELECT, DRUMS, FINE, PROGRAM_CHANGE, control_change
from ..timing.options import SyncOptions
from ..turn_taking.options import TurnOptions
from .zones import ZONES, Zone


@dataclass(frozen=True)
class RoutingOptions:
    """What is heard, what is passed on, and on which channel the model plays."""

    thru: bool = option(True, flag, "pass on what you play")
    listen_channel: int | str | tuple[int, ...] = option(
        "all",
        channels("all"),
        "the channel that the model hears, or several: [1, 2]; all: every one but 10, which is "
        "drums (thru passes every one)",
        VALUES,
    )
    reply_channel: int | str = option(
        "same",
        integer(1, 16, "same"),
        "the channel that it plays on; same: the one that you played on last",
    )
    zones: tuple[Zone, ...] = option(
        (),
        ZONES,
        "keyboard zones and splits: '- {high: B3, to: thru}' (docs/control.md)",
        ENTRIES,
    )
    program: int | None = option(
        None,
        optional(integer(1, 128)),
        "the program that reply_channel is set to at the start; null: none",
    )
    bank: int | None = option(
        None,
        optional(integer(0, 16383)),
        "the bank of that program: 128 x CC 0 + CC 32; null: none",
    )
    mpe: str = option(
        "auto",
        choice("auto", "off", "lower", "upper"),
        "MPE: as the keyboard says, never, or a zone with channel 1 or 16 as its manager",
    )
    mpe_thru: str = option(
        "keep",
        choice("keep", "flat"),
        "flat: MPE is passed thru as plain notes on the manager channel",
    )
    echo_filter: bool = option(
        True, flag, "ignore its own output where a cable or a DAW sends it back to its input"
    )

    def listens_to(self, channel: int) -> bool:
        """Whether the model hears a channel 0..15."""
        if self.listen_channel == "all":
            return channel != DRUMS
        return channel in channel_set(self.listen_channel)

    def setup(self) -> list[bytes]:
        """The messages that choose its sound at the start."""
        if self.program is None or isinstance(self.reply_channel, str):
            return []
        channel, messages = self.reply_channel - 1, []
        if self.bank is not None:
            messages = [control_change(channel, BANK_SELECT, self.bank >> 7)]
            messages.append(control_change(channel, BANK_SELECT + FINE, self.bank & 0x7F))
        return [*messages, bytes((PROGRAM_CHANGE | channel, self.program - 1))]

    def model_channel(self, last: int) -> int:
        """The channel 0..15 that the model plays on, `last` being the performer's."""
        return last if isinstance(self.reply_channel, str) else self.reply_channel - 1


class PlayerSettings(Protocol):
    """What a player is set up by: `segued.settings.config.Config` has all of it."""

    @property
    def ports(self) -> RoutingOptions:
        """What is heard and passed on."""

    @property
    def sampling(self) -> SamplingOptions:
        """How notes are drawn."""

    @property
    def turns(self) -> TurnOptions:
        """When it plays."""

    @property
    def sync(self) -> SyncOptions:
        """Whose time it follows."""

    @property
    def control(self) -> ControlOptions:
        """What controllers do."""

    def knobs(self) -> Mapping[str, Any]:
        """The start values of all knobs, by name."""
