"""The ledger: which notes sound on the output, in memory that outlives the process.

It is in a memory-mapped file: two stores a note, no system call, and after a `kill -9` the file
holds what the process had written. The next start reads it and releases the hanging notes.

A note is entered before its note-on is sent and removed after its note-off was sent. So at any
moment of a crash the ledger has at least the notes that sound.

The loss of ports is noticed up to half a second late, and messages sent in between, also note-offs,
reached nobody. So the ledger also keeps what sounded since the ports were last seen alive.
"""

from collections.abc import Iterable

from ..midi.messages import (
    CHANNEL_MASK,
    CHANNELS,
    CONTROL_CHANGE,
    KIND_MASK,
    NOTE_OFF,
    NOTE_ON,
    PEDALS,
    PITCHES,
    SWITCH_ON,
    note_off,
    release_all,
)
from ..player.active_notes import MOST_VOICES

HELD = CHANNELS * PITCHES  # offset of the pedals: a byte a channel, a bit for each of PEDALS
USED = HELD + CHANNELS  # offset of the channels that were used: a byte each
SIZE = USED + CHANNELS  # bytes


class Ledger:
    """Voices per (channel, pitch), pedals and used channels, in `SIZE` bytes of `memory`.

    `before` and `after` together take 0.5 µs per message.
    """

    def __init__(self, memory: memoryview) -> None:
        self._memory = memory
        self._unconfirmed = bytearray(memory)  # the maximum of each byte since `confirm`

    def before(self, message: bytes) -> None:
        """Enter a message that is about to be sent."""
        kind, channel = message[0] & KIND_MASK, message[0] & CHANNEL_MASK
        if kind == NOTE_ON and message[2]:
            memory, place = self._memory, channel * PITCHES + message[1]
            voices = memory[place] = min(MOST_VOICES, memory[place] + 1)
            memory[USED + channel] = 1
            if voices > self._unconfirmed[place]:
                self._unconfirmed[place] = voices
        elif kind == CONTROL_CHANGE and message[1] in PEDALS and message[2] >= SWITCH_ON:
            bit = 1 << PEDALS.index(message[1])
            self._memory[HELD + channel] |= bit
            self._memory[USED + channel] = 1
            self._unconfirmed[HELD + channel] |= bit

    def after(self, message: bytes) -> None:
        """Enter a message that was sent."""
        kind, channel = message[0] & KIND_MASK, message[0] & CHANNEL_MASK
        if kind == NOTE_OFF or (kind == NOTE_ON and not message[2]):
            memory, place = self._memory, channel * PITCHES + message[1]
            if memory[place]:
                memory[place] -= 1
        elif kind == CONTROL_CHANGE and message[1] in PEDALS and message[2] < SWITCH_ON:
            self._memory[HELD + channel] &= ~(1 << PEDALS.index(message[1]))

    def sounding(self) -> list[tuple[int, int, int]]:
        """(channel, pitch, voices) of all sounding notes."""
        memory = bytes(self._memory[:HELD])
        if not any(memory):
            return []
        return [(place >> 7, place & 127, n) for place, n in enumerate(memory) if n]

    def pedals(self) -> list[int]:
        """The channels that have a pedal down."""
        return [channel for channel in range(CHANNELS) if self._memory[HELD + channel]]

    def used(self) -> list[int]:
        """The channels on which anything has sounded."""
        return [channel for channel in range(CHANNELS) if self._memory[USED + channel]]

    def silence(self) -> list[bytes]:
        """Messages that end everything: a note-off for each voice, then `hush`."""
        messages = []
        for channel, pitch, voices in self.sounding():
            messages += [note_off(channel, pitch)] * voices
        return messages + self.hush()

    def hush(self) -> list[bytes]:
        """For each used channel: all pedals up and All Notes Off."""
        return [message for channel in self.used() for message in release_all(channel)]

    def without_effect(self, silence: Iterable[bytes]) -> list[bytes]:
        """Those of some messages of `silence` that end nothing that sounds now."""
        keys = {(channel, pitch) for channel, pitch, _ in self.sounding()}
        channels = {channel for channel, _ in keys} | {*self.pedals()}
        found = []
        for message in silence:
            channel, is_note_off = message[0] & CHANNEL_MASK, message[0] & KIND_MASK == NOTE_OFF
            if (channel, message[1]) not in keys if is_note_off else channel not in channels:
                found.append(message)
        return found

    def confirm(self) -> None:
        """Everything that was sent has arrived."""
        self._unconfirmed[:] = self._memory

    def unconfirm(self) -> None:
        """Messages sent since `confirm` may be lost: what sounded at any time since may sound."""
        self._unconfirmed[USED:] = self._memory[USED:]
        self._memory[:] = self._unconfirmed

    def clear(self) -> None:
        """Enter that nothing sounds and no channel was used."""
        self._memory[:] = self._unconfirmed[:] = bytes(SIZE)
