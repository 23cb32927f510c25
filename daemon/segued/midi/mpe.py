"""Converts MPE input to plain notes: all channels of a zone become one instrument.

An MPE keyboard (MIDI Polyphonic Expression, RP-053) plays each note on a separate member channel,
so that each can be bent and pressed alone. For the model that is one instrument: all notes of a
zone are on its manager channel (1 for the lower zone, 16 for the upper), with the pitch at which
they begin, rounded to semitones, including the bend before the note. Later changes of a note
(slides, pressure, timbre) are ignored.

Thru is either left unchanged, for an MPE synth, or flattened in the same way, for any other.
"""

from .messages import (
    CHANNEL_MASK,
    CHANNEL_MODE,
    CHANNELS,
    CONTROL_CHANGE,
    DATA_DECREMENT,
    DATA_ENTRY,
    DATA_INCREMENT,
    FINE,
    KIND_MASK,
    NOTE_OFF,
    NOTE_ON,
    NRPN_COARSE,
    NRPN_FINE,
    PITCH_BEND,
    PROGRAM_CHANGE,
    RELEASE_VELOCITY,
    RPN_COARSE,
    RPN_FINE,
    SUSTAIN,
    TIMBRE,
    control_change,
)

LOWER, UPPER = 0, 15  # manager channels
_SEMITONES = 48.0  # of a full bend on a member channel, unless the keyboard sets another range
_REST = 8192
_MPE_CONFIGURATION, _BEND_RANGE = 6, 0  # registered parameters
_NO_PARAMETER = 0x3FFF
_OF_ONE_NOTE = (
    TIMBRE,
    RPN_COARSE,
    RPN_FINE,
    NRPN_FINE,
    NRPN_COARSE,
    DATA_ENTRY,
    DATA_ENTRY + FINE,
    DATA_INCREMENT,
    DATA_DECREMENT,
)
"""Controllers that affect a single note of a zone, or set parameters for that."""


class Mpe:
    """The MPE zones of one input.

    `mode`: off; auto, zones as the keyboard configures them; lower or upper, one zone of all
    channels, whatever the keyboard configures. `flat`: whether thru is flattened.
    """

    def __init__(self, mode: str, flat: bool = False) -> None:
        self.listens = mode == "auto"
        self.flat = flat
        self._on = mode != "off"
        self._manager: list[int | None] = [None] * CHANNELS  # of each member channel
        self._bends = [0.0] * CHANNELS  # share -1..1 of its range
        self._ranges = [_SEMITONES] * CHANNELS  # semitones
        self._parameters = [_NO_PARAMETER] * CHANNELS  # registered parameter that data entry sets
        self._notes: dict[tuple[int, int], list[tuple[int, int]]] = {}  # as played -> as heard
        self._struck: dict[tuple[int, int], int] = {}  # as heard -> keys that hold it
        if mode == "lower":
            self._configure(LOWER, 15)
        elif mode == "upper":
            self._configure(UPPER, 15)

    @property
    def active(self) -> bool:
        """Whether there is a zone."""
        return any(manager is not None for manager in self._manager)

    def home(self, channel: int) -> int:
        """The channel 0..15 that the model hears for `channel`: its zone's manager, or itself."""
        manager = self._manager[channel]
        return channel if manager is None else manager

    def is_member(self, channel: int) -> bool:
        """Whether a channel is a member of a zone."""
        return self._manager[channel] is not None

    def announcement(self) -> list[bytes]:
        """The messages that would configure the present zones."""
        messages = []
        for manager in (LOWER, UPPER):
            members = len(self._members(manager))
            if members:
                messages += [
                    control_change(manager, RPN_COARSE, 0),
                    control_change(manager, RPN_FINE, _MPE_CONFIGURATION),
                    control_change(manager, DATA_ENTRY, members),
                ]
        return messages

    def receive(self, message: bytes) -> tuple[bytes, bytes]:
        """The messages to pass thru and to hear for a message; empty: none."""
        if not self._on:
            return message, message
        kind, channel = message[0] & KIND_MASK, message[0] & CHANNEL_MASK
        configures = kind == CONTROL_CHANGE and self._parameter(channel, message[1], message[2])
        if kind in (NOTE_OFF, NOTE_ON):
            if self._manager[channel] is None and (channel, message[1]) not in self._notes:
                return message, message
            return self._note(message, kind == NOTE_ON and message[2] > 0, channel)
        if kind == PITCH_BEND:
            self._bends[channel] = ((message[1] | message[2] << 7) - _REST) / _REST
        if configures and self.flat:
            return b"", b""
        if self._manager[channel] is None:
            return message, message
        return self._of_member(message, kind, channel)

    def _of_member(self, message: bytes, kind: int, channel: int) -> tuple[bytes, bytes]:
        """Process a message of a member channel that is not a note.

        A message that affects a single note cannot be applied to all of them.
        """
        flat = bytes((kind | self.home(channel),)) + message[1:]
        controller = message[1] if kind == CONTROL_CHANGE else -1
        whole = kind == PROGRAM_CHANGE or (controller >= 0 and controller not in _OF_ONE_NOTE)
        heard = flat if controller == SUSTAIN or controller >= CHANNEL_MODE else b""
        if not self.flat:
            return message, heard
        return (flat if whole else b""), heard

    def _note(self, message: bytes, begins: bool, channel: int) -> tuple[bytes, bytes]:
        if begins:
            key = (self.home(channel), self._pitch(channel, message[1]))
            self._notes.setdefault((channel, message[1]), []).append(key)
            self._struck[key] = self._struck.get(key, 0) + 1
            flat = bytes((NOTE_ON | key[0], key[1], message[2]))
            return (flat if self.flat else message), flat
        begun = self._notes.get((channel, message[1]))
        if begun is None:  # it began before there was a zone
            return message, message
        key = begun.pop(0)
        if not begun:
            del self._notes[channel, message[1]]
        self._struck[key] -= 1
        velocity = message[2] if message[0] < NOTE_ON else RELEASE_VELOCITY
        flat = bytes((NOTE_OFF | key[0], key[1], velocity))
        if self._struck[key]:  # another key holds the same note
            return (flat if self.flat else message), b""
        del self._struck[key]
        return (flat if self.flat else message), flat

    def _pitch(self, channel: int, pitch: int) -> int:
        """The pitch, to the nearest semitone, at which a note begins."""
        manager = self.home(channel)
        bend = self._bends[channel] * self._ranges[channel]
        return min(max(round(pitch + bend), 0), 127) if manager != channel else pitch

    def _parameter(self, channel: int, controller: int, value: int) -> bool:
        """Follow registered parameters; return whether this message configures a zone."""
        if controller == RPN_COARSE:
            self._parameters[channel] = (self._parameters[channel] & 0x7F) | value << 7
        elif controller == RPN_FINE:
            self._parameters[channel] = (self._parameters[channel] & 0x3F80) | value
        elif controller in (NRPN_FINE, NRPN_COARSE):
            self._parameters[channel] = _NO_PARAMETER
        elif controller == DATA_ENTRY:
            parameter = self._parameters[channel]
            if parameter == _MPE_CONFIGURATION and channel in (LOWER, UPPER):
                if self.listens:
                    self._configure(channel, min(value, 15))
                return True
            if parameter == _BEND_RANGE and self._manager[channel] is not None:
                for member in self._members(self.home(channel)):
                    self._ranges[member] = float(value)
        return False

    def _configure(self, manager: int, members: int) -> None:
        """Give a zone this many member channels, taken from the other zone; 0 removes the zone."""
        for channel in self._members(manager):
            self._manager[channel] = None
        step = 1 if manager == LOWER else -1
        taken = [manager + step * (i + 1) for i in range(members)]
        other = UPPER if manager == LOWER else LOWER
        if other in taken:  # all 15: the other zone is gone, its manager channel too
            for channel in self._members(other):
                self._manager[channel] = None
        for channel in taken:
            self._manager[channel] = manager
            self._ranges[channel], self._bends[channel] = _SEMITONES, 0.0
        if members:
            self._manager[manager] = None

    def _members(self, manager: int) -> list[int]:
        return [channel for channel in range(CHANNELS) if self._manager[channel] == manager]
