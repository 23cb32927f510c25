"""The past, sounding and planned notes, from the events. Pure."""

from dataclasses import dataclass

from ...control.knobs import KNOBS
from ...player.active_notes import MODEL, PERFORMER
from ...service.event_ring import (
    KEY,
    KNOB,
    NOTE,
    PLANNED,
    REPLANNED,
    SILENCED,
    TEMPO,
    TURN,
    Event,
)

KEPT = 60.0  # seconds of what is over
LATE = 0.25  # seconds after its time when a planned note is believed to come no more
OPEN = 0.3  # seconds that a planned note is shown whose end is not planned yet


@dataclass(slots=True)
class Note:
    """A note; times in seconds on the clock of the events. `end` is None until it is known."""

    owner: int
    pitch: int
    begin: float
    end: float | None = None


class Music:
    """The latest state: `notes`, `planned` notes, turn, key, tempo and knobs."""

    def __init__(self) -> None:
        self.notes: list[Note] = []
        self.planned: list[Note] = []
        self.segue = self.held = False
        self.begins = self.since = 0.0  # when the reply begins (0: not in sight), since when so
        self.key: Event | None = None
        self.tempo: Event | None = None
        self.knobs = {knob.name: knob.default for knob in KNOBS}

    def take(self, event: Event) -> None:
        """Process an event."""
        kind, time = event.kind, event.time
        if kind == NOTE:
            self._note(event)
        elif kind == PLANNED:
            self._plan(event)
        elif kind in (REPLANNED, SILENCED):
            self.planned.clear()
            if kind == SILENCED:
                for note in self.notes:
                    note.end = time if note.end is None else note.end
        elif kind == TURN:
            self.segue, self.held, self.begins = event.a == 1, event.b == 1, event.value
            self.since = time
        elif kind == KEY:
            self.key = event
        elif kind == TEMPO:
            self.tempo = event
        elif kind == KNOB and event.a < len(KNOBS):
            knob, value = KNOBS[event.a], event.value
            shown = knob.choices[int(value)] if knob.choices else value
            self.knobs[knob.name] = int(value) if knob.whole else shown

    def tidy(self, now: float) -> None:
        """Remove old notes."""
        self.notes = [n for n in self.notes if n.end is None or n.end > now - KEPT]
        self.planned = [n for n in self.planned if n.begin > now - LATE]

    def _note(self, event: Event) -> None:
        owner, pitch, velocity = event.a, event.b, event.c
        before = [n for n in self.notes if n.end is None and n.pitch == pitch]
        own = [n for n in before if n.owner == owner]
        # a panic ends everything, whoever played it
        for note in own or (before if owner == MODEL and not velocity else []):
            note.end = event.time
        if not velocity:
            return
        self.notes.append(Note(owner, pitch, event.time))
        if owner != PERFORMER:
            due = [n for n in self.planned if n.pitch == pitch]
            if due and abs(due[0].begin - event.time) < LATE:
                self.planned.remove(due[0])

    def _plan(self, event: Event) -> None:
        if event.b:
            self.planned.append(Note(MODEL, event.a, event.time))
            return
        for note in reversed(self.planned):
            if note.pitch == event.a and note.end is None:
                note.end = event.time
                return
