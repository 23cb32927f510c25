"""What comes in, on its way to the player: MPE is made plain, mapped controls
are consumed, zones part what is heard from what is passed thru."""

from ..control.controller import Controller
from ..midi.messages import CHANNEL_MASK, CHANNELS, NOTE_ON, POLY_PRESSURE
from ..midi.mpe import Mpe
from .options import RoutingOptions
from .zones import HEARD, THRU, Routes


class InputChain:
    """One for each player.

    Whatever way a note-on went, its note-off goes too, also when the mapping changed in between.
    """

    def __init__(self, ports: RoutingOptions, control: Controller) -> None:
        self._ports, self._control = ports, control
        self._routes = _routes(ports)
        self._ways: dict[int, int] = {}  # the ways that the note-ons of held keys went
        self.mpe = Mpe(ports.mpe, ports.mpe_thru == "flat")

    def parts_otherwise(self, ports: RoutingOptions) -> bool:
        """Whether with other options something that is held may go another way than it came."""
        return any(getattr(ports, name) != getattr(self._ports, name) for name in _ON_THE_WAY)

    def apply(self, ports: RoutingOptions) -> None:
        """Go on with other options."""
        before, self._ports = self._ports, ports
        self._routes = _routes(ports)
        self.mpe.flat = ports.mpe_thru == "flat"
        if ports.mpe != before.mpe:
            self.mpe = Mpe(ports.mpe, self.mpe.flat)

    def announcement(self) -> list[bytes]:
        """What a keyboard would say for this to know its zones, where it has to be told."""
        return self.mpe.announcement() if self.mpe.listens else []

    def take(self, now: float, message: bytes) -> tuple[bytes, bytes] | None:
        """(what is passed thru, what is heard) of a message of one of the channels; empty: nothing.

        Both are messages, channel mode messages (controllers 120 to 127) among them. None: a
        control; to anyone else it is as if it had never come.
        """
        passed, heard = self.mpe.receive(message)
        channel = message[0] & CHANNEL_MASK
        if message[0] < POLY_PRESSURE:
            way = self._way_of_note(now, message, heard)
        elif not self.mpe.is_member(channel):
            if self._control.receive(now, message):
                return None
            way = self._routes.of(message)
        elif heard and self._control.receive(now, heard):
            return None
        else:  # what shapes a single note of a zone turns no knob
            way = self._routes.of_channel(self.mpe.home(channel))
        return passed if way & THRU else b"", heard if way & HEARD else b""

    def _way_of_note(self, now: float, message: bytes, heard: bytes) -> int:
        key = (message[0] & CHANNEL_MASK) << 7 | message[1]
        played = heard or message
        consumed = bool(heard) and self._control.receive(now, heard)
        way = 0 if consumed else self._routes.of(played)
        if message[0] >= NOTE_ON and message[2]:
            self._ways[key] = self._ways.get(key, 0) | way
            return way
        return self._ways.pop(key, way)


_ON_THE_WAY = ("thru", "listen_channel", "zones", "mpe", "mpe_thru")
"""Options that tell which way something goes."""


def _routes(ports: RoutingOptions) -> Routes:
    heard = frozenset(channel for channel in range(CHANNELS) if ports.listens_to(channel))
    return Routes(ports.zones, heard, ports.thru)
