"""Zones of the keyboard: which keys the model hears, and which are passed thru.

A zone is a range of pitches on some channels. Keys outside all zones are heard and passed thru.
Pedals, wheels and aftertouch of a channel go wherever any of its keys go.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from ..errors import ConfigError
from ..fields.entries import Entry, Reader, Written, entries
from ..fields.options import channel_set, channels, choice, pitch
from ..midi.messages import CHANNEL_MASK, CHANNELS, CONTROL_CHANGE, PITCHES

HEARD, THRU = 1, 2

DESTINATIONS = {
    "both": HEARD | THRU,
    "thru": THRU,
    "model": HEARD,
    "none": 0,
}
"""Where the keys of a zone go: to the model, thru, to both, or nowhere."""


@dataclass(frozen=True, slots=True)
class Zone:
    """Pitches `low` to `high` of some channels 0..15, and their `route` (HEARD | THRU)."""

    low: int
    high: int
    channels: frozenset[int]
    route: int
    written: Written = ()
    where: str = field(default="", compare=False)


def read_zone(entry: Entry) -> Zone:
    """Read one entry of `ports.zones`. Raises ConfigError."""
    reader = Reader(entry, "ports.zones", ["low", "high", "channel", "to"])
    if not reader.has("to"):
        reader.refuse(f"a zone needs to: {', '.join(DESTINATIONS)}")
    zone = Zone(
        low=reader.take("low", pitch, 0),
        high=reader.take("high", pitch, 127),
        channels=channel_set(reader.take("channel", channels("all"), "all")),
        route=DESTINATIONS[reader.take("to", choice(*DESTINATIONS))],
        written=tuple(entry.values.items()),
        where=entry.where,
    )
    if zone.low > zone.high:
        reader.refuse(f"low ({zone.low}) is above high ({zone.high})", "low")
    return zone


def refuse_overlaps(zones: Sequence[Zone]) -> None:
    """Refuse a key that is in two zones: ConfigError names both lines."""
    for index, later in enumerate(zones):
        for earlier in zones[:index]:
            low, high = max(later.low, earlier.low), min(later.high, earlier.high)
            shared = later.channels & earlier.channels
            if low <= high and shared:
                raise ConfigError(
                    f"{later.where}: ports.zones: pitches {low} to {high} of channel "
                    f"{min(shared) + 1} are already in the zone at {earlier.where}"
                )


ZONES = entries(read_zone, "{low: 0, high: B3, to: thru}", refuse_overlaps)


class Routes:
    """The routes of all keys and channels, as tables."""

    def __init__(self, zones: Sequence[Zone], heard: frozenset[int], thru: bool) -> None:
        allowed = [(HEARD if c in heard else 0) | (THRU if thru else 0) for c in range(CHANNELS)]
        self._keys = [allowed[c] for c in range(CHANNELS) for _ in range(PITCHES)]
        for zone in zones:
            for channel in zone.channels:
                for key in range(zone.low, zone.high + 1):
                    self._keys[channel << 7 | key] = allowed[channel] & zone.route
        self._channels = [0] * CHANNELS
        for channel in range(CHANNELS):
            for route in self._keys[channel << 7 : (channel + 1) << 7]:
                self._channels[channel] |= route

    def of(self, message: bytes) -> int:
        """The route of a channel message: HEARD, THRU, both or 0."""
        status = message[0]
        if status < CONTROL_CHANGE:  # note-off, note-on, aftertouch of one key
            return self._keys[(status & CHANNEL_MASK) << 7 | message[1]]
        return self._channels[status & CHANNEL_MASK]

    def of_channel(self, channel: int) -> int:
        """The route of messages that concern a whole channel 0..15."""
        return self._channels[channel]
