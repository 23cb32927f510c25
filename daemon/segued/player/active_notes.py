"""Which notes sound on the output, and their owners: every note-on gets its note-off.

The performer (thru) and the model may hold the same key of the same channel. The note-offs are sent
when the last owner releases it, so neither cuts the other off. Then as many note-offs are sent as
note-ons were: MIDI 1.0 lets a synth start a separate voice for each note-on.
"""

from collections.abc import Iterator

from ..midi.messages import ALL_SOUND_OFF, CHANNELS, control_change, note_off, release_all

PERFORMER = 1
MODEL = 2
CLOCK = 4
"""Owners of sent messages. The clock owns no notes."""

MOST_VOICES = 32  # per key: a drum machine may send note-ons for ever and never a note-off


class _Key:
    """The owners that hold a key, and counts by owner.

    `ringing`: note-ons sent without their note-off; `waiting`: those whose note-off has arrived but
    is held back.
    """

    __slots__ = ("owners", "ringing", "waiting")

    def __init__(self) -> None:
        self.owners = 0
        self.ringing = [0] * (PERFORMER + MODEL)
        self.waiting = [0] * (PERFORMER + MODEL)


class ActiveNotes:
    """The owners of each sounding (channel, pitch), and the `channels` used so far."""

    def __init__(self) -> None:
        self._keys: dict[tuple[int, int], _Key] = {}
        self.channels: set[int] = set()

    def __len__(self) -> int:
        return len(self._keys)

    def __contains__(self, key: object) -> bool:
        """Whether a (channel, pitch) sounds."""
        return key in self._keys

    def note_on(self, owner: int, channel: int, pitch: int) -> None:
        """Enter a note-on of `owner`, which is sent now."""
        key = self._keys.setdefault((channel, pitch), _Key())
        key.owners |= owner
        key.ringing[owner] = min(key.ringing[owner] + 1, MOST_VOICES)
        self.channels.add(channel)

    def note_off(self, owner: int, channel: int, pitch: int) -> tuple[int, ...]:
        """Enter that `owner` releases a key; return the owners of the note-offs to send now.

        Empty while the other owner holds the key: the note-off is sent together with the other's.
        One for a key that nobody holds: it does no harm, and the synth may need it.
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
        to_send = (other,) * waiting[other] + (owner,) * waiting[owner]
        if not to_send:  # a surplus note-off ends one of the notes that still sound
            to_send = (other if ringing[other] else owner,)
        waiting[PERFORMER] = waiting[MODEL] = 0
        for each in to_send:
            ringing[each] -= 1
        if ringing[PERFORMER] + ringing[MODEL] <= 0:
            del self._keys[channel, pitch]
        return to_send

    def orphans(self, channel: int) -> list[int]:
        """The pitches of a channel that sound though nobody holds them (too few note-offs)."""
        return [
            pitch
            for (where, pitch), key in self._keys.items()
            if where == channel and not key.owners
        ]

    def of(self, owner: int) -> list[tuple[int, int]]:
        """(channel, pitch) of each key that `owner` holds."""
        return [where for where, key in self._keys.items() if key.owners & owner]

    def silence(self) -> Iterator[bytes]:
        """Messages that end all sounding notes.

        A note-off for each note; then, in case one is lost, pedals up and All Notes Off on each
        used channel.
        """
        for (channel, pitch), key in self._keys.items():
            for _ in range(sum(key.ringing)):
                yield note_off(channel, pitch)
        self._keys.clear()
        for channel in sorted(self.channels):
            yield from release_all(channel)

    def panic(self) -> Iterator[bytes]:
        """Messages that silence all 16 channels, whatever sounds there."""
        yield from self.silence()
        for channel in range(CHANNELS):
            yield from release_all(channel)
            yield control_change(channel, ALL_SOUND_OFF)
