"""Turn-taking: who has the floor, and when it passes. Knows only what it is told."""

from dataclasses import dataclass

from .music.events import Event, NoteOff, NoteOn


@dataclass(frozen=True)
class Phrase:
    """What the performer played: from the first key to the last release, in seconds."""

    start: float
    end: float
    notes: int

    @property
    def length(self) -> float:
        """Seconds from the first key to the last release."""
        return self.end - self.start


class Turns:
    """The performer's phrase ends after `silence` seconds in which no key is held."""

    def __init__(self, silence: float) -> None:
        self.silence = silence
        self._held: set[tuple[int, int]] = set()
        self._start = 0.0
        self._end = 0.0
        self._notes = 0

    def hear(self, event: Event) -> None:
        """Something that the performer did."""
        if isinstance(event, NoteOn):
            if not self._notes:
                self._start = event.time
            self._notes += 1
            self._held.add((event.part, event.pitch))
            self._end = event.time
        elif isinstance(event, NoteOff) and (event.part, event.pitch) in self._held:
            self._held.discard((event.part, event.pitch))
            self._end = event.time

    def release(self, time: float, part: int) -> None:
        """Every key of a part is up (all notes off)."""
        held = {key for key in self._held if key[0] == part}
        if held:
            self._held -= held
            self._end = time

    def forget(self) -> None:
        """Every key is up and what was played asks for no reply (a panic, or the input is gone)."""
        self._held.clear()
        self._notes = 0

    @property
    def held(self) -> tuple[int, int] | None:
        """A key (part, pitch) that the performer holds, if any."""
        return next(iter(self._held), None)

    @property
    def phrase(self) -> Phrase:
        """The phrase so far."""
        return Phrase(self._start, self._end, self._notes)

    @property
    def deadline(self) -> float | None:
        """When the floor passes to the model if nothing more is played; None: not in sight."""
        if not self._notes or self._held:
            return None
        return self._end + self.silence

    def taken(self) -> None:
        """The model has taken the floor: the next key begins a new phrase."""
        self._notes = 0
