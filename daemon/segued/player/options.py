"""The options of routing (channels, thru, zones, MPE), and the settings of a player."""

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
    """What the model hears, what is passed thru, and the channel on which the model plays."""

    thru: bool = option(True, flag, "pass what you play on to the output")
    listen_channel: int | str | tuple[int, ...] = option(
        "all",
        channels("all"),
        "the channel that the model hears, or several: [1, 2]; all: every one except 10, the "
        "drums (thru passes every channel)",
        VALUES,
    )
    reply_channel: int | str = option(
        "same",
        integer(1, 16, "same"),
        "the channel that Segue plays on; same: the one that you played on last",
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
        "the program to select on reply_channel at the start; null: none",
    )
    bank: int | None = option(
        None,
        optional(integer(0, 16383)),
        "the bank of that program: 128 x CC 0 + CC 32; null: none",
    )
    mpe: str = option(
        "auto",
        choice("auto", "off", "lower", "upper"),
        "MPE: auto, as the keyboard announces; off; lower or upper, a zone whose manager channel "
        "is 1 or 16",
    )
    mpe_thru: str = option(
        "keep",
        choice("keep", "flat"),
        "flat: pass MPE thru as plain notes on the manager channel; keep: unchanged",
    )
    echo_filter: bool = option(
        True, flag, "ignore Segue's own output when a cable or a DAW returns it to the input"
    )

    def listens_to(self, channel: int) -> bool:
        """Whether the model hears a channel 0..15."""
        if self.listen_channel == "all":
            return channel != DRUMS
        return channel in channel_set(self.listen_channel)

    def setup(self) -> list[bytes]:
        """The messages that select bank and program at the start."""
        if self.program is None or isinstance(self.reply_channel, str):
            return []
        channel, messages = self.reply_channel - 1, []
        if self.bank is not None:
            messages = [control_change(channel, BANK_SELECT, self.bank >> 7)]
            messages.append(control_change(channel, BANK_SELECT + FINE, self.bank & 0x7F))
        return [*messages, bytes((PROGRAM_CHANGE | channel, self.program - 1))]

    def model_channel(self, last: int) -> int:
        """The channel 0..15 that the model plays on; `last`: the performer's last channel."""
        return last if isinstance(self.reply_channel, str) else self.reply_channel - 1


class PlayerSettings(Protocol):
    """The settings that a player needs; `segued.settings.config.Config` has all of them."""

    @property
    def ports(self) -> RoutingOptions:
        """Routing."""

    @property
    def sampling(self) -> SamplingOptions:
        """Drawing tokens."""

    @property
    def turns(self) -> TurnOptions:
        """Turn-taking."""

    @property
    def sync(self) -> SyncOptions:
        """Tempo and clock."""

    @property
    def control(self) -> ControlOptions:
        """Mappings of controllers."""

    def knobs(self) -> Mapping[str, Any]:
        """The initial values of all knobs, by name."""
