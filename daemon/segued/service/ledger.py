"""The account of what sounds on the wire, in memory that outlives the process.

It is kept in a file that is mapped into memory: two stores a note, no system call, and after a
`kill -9` the file has what the process had written. The next start reads what was left sounding.

A note is entered before its note-on goes out and struck out after its note-off has: whatever the
moment of the crash, it knows at least what sounds.

Ports that go away are noticed up to half a second later, and what was sent meanwhile, note-offs
too, reached nobody. So beside it stands all that sounded since the ports were last seen alive.
"""

from ..midi.files import PEDALS, RELEASE_VELOCITY, SUSTAIN_DOWN
from ..player.active_notes import ALL_NOTES_OFF, MOST_VOICES

CHANNELS, PITCHES = 16, 128
HELD = CHANNELS * PITCHES  # where the channels' pedals begin, a bit for each of PEDALS
USED = HELD + CHANNELS  # where it says which channels were used
SIZE = USED + CHANNELS  # bytes


class Ledger:
    """Voices of each (channel, pitch), pedals, and channels used, in `SIZE` bytes of `memory`.

    Half a microsecond for both sides of a message.
    """

    def __init__(self, memory: memoryview) -> None:
        self._memory = memory
        self._unconfirmed = bytearray(memory)  # the most voices since `confirm`

    def before(self, message: bytes) -> None:
        """A message is about to be sent."""
        kind, channel = message[0] & 0xF0, message[0] & 0x0F
        if kind == 0x90 and message[2]:
            memory, place = self._memory, channel * PITCHES + message[1]
            voices = memory[place] = min(MOST_VOICES, memory[place] + 1)
            memory[USED + channel] = 1
            if voices > self._unconfirmed[place]:
                self._unconfirmed[place] = voices
        elif kind == 0xB0 and message[1] in PEDALS and message[2] >= SUSTAIN_DOWN:
            bit = 1 << PEDALS.index(message[1])
            self._memory[HELD + channel] |= bit
            self._memory[USED + channel] = 1
            self._unconfirmed[HELD + channel] |= bit

    def after(self, message: bytes) -> None:
        """It was sent."""
        kind, channel = message[0] & 0xF0, message[0] & 0x0F
        if kind == 0x80 or (kind == 0x90 and not message[2]):
            memory, place = self._memory, channel * PITCHES + message[1]
            if memory[place]:
                memory[place] -= 1
        elif kind == 0xB0 and message[1] in PEDALS and message[2] < SUSTAIN_DOWN:
            self._memory[HELD + channel] &= ~(1 << PEDALS.index(message[1]))

    def sounding(self) -> list[tuple[int, int, int]]:
        """(channel, pitch, voices) of all that sounds."""
        memory = bytes(self._memory[:HELD])
        if not any(memory):
            return []
        return [(place >> 7, place & 127, n) for place, n in enumerate(memory) if n]

    def pedals(self) -> list[int]:
        """Channels of which a pedal is down."""
        return [channel for channel in range(CHANNELS) if self._memory[HELD + channel]]

    def used(self) -> list[int]:
        """Channels on which anything ever sounded."""
        return [channel for channel in range(CHANNELS) if self._memory[USED + channel]]

    def silence(self) -> list[bytes]:
        """Messages that end all of it: each voice's note-off, then `hush`."""
        messages = []
        for channel, pitch, voices in self.sounding():
            messages += [bytes((0x80 | channel, pitch, RELEASE_VELOCITY))] * voices
        return messages + self.hush()

    def hush(self) -> list[bytes]:
        """Each used channel's pedals up and all-notes-off."""
        messages = []
        for channel in self.used():
            messages += [bytes((0xB0 | channel, pedal, 0)) for pedal in PEDALS]
            messages.append(bytes((0xB0 | channel, ALL_NOTES_OFF, 0)))
        return messages

    def confirm(self) -> None:
        """All that was sent has arrived."""
        self._unconfirmed[:] = self._memory

    def unconfirm(self) -> None:
        """Nothing that was sent since `confirm` has arrived for certain: what sounded at any moment
        since then may sound."""
        self._unconfirmed[USED:] = self._memory[USED:]
        self._memory[:] = self._unconfirmed

    def clear(self) -> None:
        """Nothing sounds and nothing was used."""
        self._memory[:] = self._unconfirmed[:] = bytes(SIZE)
