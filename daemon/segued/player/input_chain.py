"""The path of a received message to the player: MPE, then mapped controls, then keyboard zones.

MPE notes become plain notes, mapped controls are consumed, and zones decide what the model hears
and what is passed thru.
"""

from ..control.controller import Controller
from ..midi.messages import CHANNEL_MASK, CHANNELS, NOTE_ON, POLY_PRESSURE
from ..midi.mpe import Mpe
from .options import RoutingOptions
from .zones import HEARD, THRU, Routes


class InputChain:
    """The input path of one player.

    A note-off goes where its note-on went, also when mappings or zones have changed in between.
    """

    def __init__(self, ports: RoutingOptions, control: Controller) -> None:
        self._ports, self._control = ports, control
        self._routes = _routes(ports)
        self._held: dict[int, int] = {}  # held key -> the destinations of its note-on
        self.mpe = Mpe(ports.mpe, ports.mpe_thru == "flat")

    def routes_differently(self, ports: RoutingOptions) -> bool:
        """Whether with other options the release of a held key might go elsewhere."""
        return any(getattr(ports, name) != getattr(self._ports, name) for name in _ROUTING)

    def apply(self, ports: RoutingOptions) -> None:
        """Replace the options."""
        before, self._ports = self._ports, ports
        self._routes = _routes(ports)
        self.mpe.flat = ports.mpe_thru == "flat"
        if ports.mpe != before.mpe:
            self.mpe = Mpe(ports.mpe, self.mpe.flat)

    def announcement(self) -> list[bytes]:
        """Messages that would tell another input chain the keyboard's MPE zones."""
        return self.mpe.announcement() if self.mpe.listens else []

    def process(self, now: float, message: bytes) -> tuple[bytes, bytes] | None:
        """The messages to pass thru and to hear for a channel message; each may be empty (none).

        Channel mode messages (controllers 120 to 127) are among them. None: a mapped control has
        consumed the message.
        """
        passed, heard = self.mpe.receive(message)
        channel = message[0] & CHANNEL_MASK
        if message[0] < POLY_PRESSURE:
            route = self._route_of_note(now, message, heard)
        elif not self.mpe.is_member(channel):
            if self._control.receive(now, message):
                return None
            route = self._routes.of(message)
        elif heard and self._control.receive(now, heard):
            return None
        else:  # an expression message for a single MPE note is never a control
            route = self._routes.of_channel(self.mpe.home(channel))
        return passed if route & THRU else b"", heard if route & HEARD else b""

    def _route_of_note(self, now: float, message: bytes, heard: bytes) -> int:
        key = (message[0] & CHANNEL_MASK) << 7 | message[1]
        played = heard or message
        consumed = bool(heard) and self._control.receive(now, heard)
        route = 0 if consumed else self._routes.of(played)
        if message[0] >= NOTE_ON and message[2]:
            self._held[key] = self._held.get(key, 0) | route
            return route
        return self._held.pop(key, route)


_ROUTING = ("thru", "listen_channel", "zones", "mpe", "mpe_thru")
"""The options that decide where a message goes."""


def _routes(ports: RoutingOptions) -> Routes:
    heard = frozenset(channel for channel in range(CHANNELS) if ports.listens_to(channel))
    return Routes(ports.zones, heard, ports.thru)
