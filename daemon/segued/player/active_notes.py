"""What sounds on the output, and who makes it sound: every note-on owns its note-off.

The performer (thru) and the model may hold the same key of the same channel; the key is released
on the wire when the last of them lets go, so neither cuts the other off. Then as many note-offs go
out as note-ons did: a synth may give each note-on a voice of its own (MIDI 1.0 lets it choose).
"""

from collections.abc import Iterator

from ..midi.messages import ALL_SOUND_OFF, CHANNELS, control_change, note_off, release_all

PERFORMER = 1
MODEL = 2
CLOCK = 4
"""Owners of messages on the wire; the clock's are no notes."""

MOST_VOICES = 32  # of one key: a drum machine may send note-ons for ever and never a note-off


class _Key:
    """Who holds a key; by owner, how many note-ons lack their note-off on the wire, and how many
    of these note-offs wait."""

    __slots__ = ("owners", "ringing", "waiting")

    def __init__(self) -> None:
        self.owners = 0
        self.ringing = [0] * (PERFORMER + MODEL)  # by owner
        self.waiting = [0] * (PERFORMER + MODEL)


class ActiveNotes:
    """Owners of each sounding (channel, pitch), and the channels that have ever been used."""

    def __init__(self) -> None:
        self._keys: dict[tuple[int, int], _Key] = {}
        self.channels: set[int] = set()

    def __len__(self) -> int:
        return len(self._keys)

    def __contains__(self, key: object) -> bool:
        """Whether a (channel, pitch) sounds."""
        return key in self._keys

    def note_on(self, owner: int, channel: int, pitch: int) -> None:
        """`owner` begins a note (its note-on goes out)."""
        key = self._keys.setdefault((channel, pitch), _Key())
        key.owners |= owner
        key.ringing[owner] = min(key.ringing[owner] + 1, MOST_VOICES)
        self.channels.add(channel)

    def note_off(self, owner: int, channel: int, pitch: int) -> tuple[int, ...]:
        """`owner` lets go; the owners of the note-offs that go out now.

        None for a key that the other owner still holds: it waits, and goes out together with the
        other's. One for a key that nobody holds (it does no harm, and the synth may know better).
        """
        key = self._keys.get((channel, pitch))
        if key is None:
            return (owner,)
        ringing, waiting = key.ringing, key.waiting
        key.owners &= ~owner
        waiting[owner] = min(waiting[owner] + 1, ringing[owner])
        if key.owners:
            return ()
        other = PERFORMER + MODEL - owner
        going = (other,) * waiting[other] + (owner,) * waiting[owner]
        if not going:  # one too many: of what sounds yet, it ends one
            going = (other if ringing[other] else owner,)
        waiting[PERFORMER] = waiting[MODEL] = 0
        for each in going:
            ringing[each] -= 1
        if ringing[PERFORMER] + ringing[MODEL] <= 0:
            del self._keys[channel, pitch]
        return going

    def orphans(self, channel: int) -> list[int]:
        """The pitches of keys of a channel that nobody holds any more and that yet sound: more
        note-ons came than note-offs."""
        return [
            pitch
            for (where, pitch), key in self._keys.items()
            if where == channel and not key.owners
        ]

    def of(self, owner: int) -> list[tuple[int, int]]:
        """(channel, pitch) of the keys that `owner` holds."""
        return [where for where, key in self._keys.items() if key.owners & owner]

    def silence(self) -> Iterator[bytes]:
        """Messages that silence all that sounds: each note's own note-off, then each used
        channel's pedals up and all-notes-off, in case a single message is lost on its way."""
        for (channel, pitch), key in self._keys.items():
            for _ in range(sum(key.ringing)):
                yield note_off(channel, pitch)
        self._keys.clear()
        for channel in sorted(self.channels):
            yield from release_all(channel)

    def panic(self) -> Iterator[bytes]:
        """Messages that silence every channel, whatever it was that made it sound."""
        yield from self.silence()
        for channel in range(CHANNELS):
            yield from release_all(channel)
            yield control_change(channel, ALL_SOUND_OFF)
