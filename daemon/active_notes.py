"""What sounds on the output, and who makes it sound: every note-on owns its note-off.

The performer (thru) and the model may hold the same key of the same channel; the key is released
on the wire when the last of them lets go, so neither cuts the other off.
"""

from collections.abc import Iterator

PERFORMER = 1
MODEL = 2

ALL_SOUND_OFF = 120
ALL_NOTES_OFF = 123
SUSTAIN = 64


class ActiveNotes:
    """Owners of each sounding (channel, pitch), and the channels that have ever been used."""

    def __init__(self) -> None:
        self._owners: dict[tuple[int, int], int] = {}
        self.channels: set[int] = set()

    def __len__(self) -> int:
        return len(self._owners)

    def note_on(self, owner: int, channel: int, pitch: int) -> None:
        """`owner` begins a note (its note-on goes out)."""
        key = (channel, pitch)
        self._owners[key] = self._owners.get(key, 0) | owner
        self.channels.add(channel)

    def note_off(self, owner: int, channel: int, pitch: int) -> bool:
        """`owner` lets go; whether the note-off goes out now.

        A note-off for a key that nobody holds goes out too (it does no harm, and the synth may
        know better); one for a key that only the other owner holds does not.
        """
        key = (channel, pitch)
        left = self._owners.get(key, 0) & ~owner
        if left:
            self._owners[key] = left
            return False
        self._owners.pop(key, None)
        return True

    def of(self, owner: int) -> list[tuple[int, int]]:
        """(channel, pitch) of the keys that `owner` holds, in the order in which they began."""
        return [key for key, owners in self._owners.items() if owners & owner]

    def silence(self) -> Iterator[bytes]:
        """Messages that silence all that sounds: each note's own note-off, then each used
        channel's pedal up and all-notes-off, in case a single message is lost on its way."""
        for channel, pitch in self._owners:
            yield bytes((0x80 | channel, pitch, 64))
        self._owners.clear()
        for channel in sorted(self.channels):
            yield bytes((0xB0 | channel, SUSTAIN, 0))
            yield bytes((0xB0 | channel, ALL_NOTES_OFF, 0))

    def panic(self) -> Iterator[bytes]:
        """Messages that silence every channel, whatever it was that made it sound."""
        yield from self.silence()
        for channel in range(16):
            yield bytes((0xB0 | channel, SUSTAIN, 0))
            yield bytes((0xB0 | channel, ALL_NOTES_OFF, 0))
            yield bytes((0xB0 | channel, ALL_SOUND_OFF, 0))
