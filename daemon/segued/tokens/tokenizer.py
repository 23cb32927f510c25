"""Events to token ids and back, one at a time: the same code for training and for playing.

The rules (note-seq's performance encoding, with the sustain pedal applied):

- Times are quantized as absolute times; only then are they subtracted.
- Silence before the first event is not encoded.
- Within one step note-offs come before note-ons. Note-offs stand in the order in which their notes
  began, note-ons in the order in which they came, ties by pitch.
- A note lasts at least one step.
- A later note-on of a sounding pitch closes the earlier note, as on a piano. If both fall into one
  step only the later one is a note.
- While the pedal of its part is down, a released note goes on; it ends when the pedal lifts or its
  pitch is struck again.
- A velocity token is sent only when the bin changes.

So the encoder holds the events of the current step back until the step is over.
"""

from collections.abc import Mapping, Sequence
from copy import copy

from .events import MODEL_PART, Event, NoteOff, NoteOn, Pedal
from .vocabulary import NOTE_OFF, NOTE_ON, PERFORMANCE, TIME_SHIFT, VELOCITY, Vocabulary

HALF_STEP = 0.5 + 1e-6  # steps from the middle of a step to where the next one begins, surely


class _Note:
    """A note that sounds: when and by whom it was begun, and whether its key is still down."""

    __slots__ = ("began", "held", "part", "pitch", "step", "velocity")

    def __init__(self, time: float, pitch: int, velocity: int, part: int, step: int) -> None:
        self.began = (time, pitch)
        self.pitch = pitch
        self.velocity = velocity
        self.part = part
        self.step = step
        self.held = True


class Encoder:
    """Turns events into ids. `feed` returns the ids of all steps that the event shows are over."""

    def __init__(self, vocabulary: Vocabulary = PERFORMANCE) -> None:
        self.vocabulary = vocabulary
        self.written: int | None = None
        """The step that the ids returned so far have reached; None before the first event."""
        self.velocity_bin = -1
        self._on = vocabulary.ids(NOTE_ON).start
        self._off = vocabulary.ids(NOTE_OFF).start
        self._shift = vocabulary.ids(TIME_SHIFT).start - 1
        self._velocity = vocabulary.ids(VELOCITY).start
        self._max_shift = vocabulary.max_shift()
        self._step = 0  # the step that is being held
        self._offs: list[_Note] = []
        self._ons: list[_Note] = []
        self._offs_next: list[_Note] = []  # of notes that began in the held step
        self._sounding: dict[int, _Note] = {}
        self._pedals: set[int] = set()

    @property
    def pedals(self) -> set[int]:
        """Parts whose pedal is down."""
        return self._pedals

    @property
    def sounding(self) -> list[int]:
        """Pitches that sound now, those held by a pedal among them, in the order they began."""
        return list(self._sounding)

    def sounding_of(self, part: int) -> list[int]:
        """Pitches that sound now and were begun by `part`."""
        return [note.pitch for note in self._sounding.values() if note.part == part]

    def began(self, part: int) -> dict[int, int]:
        """The pitches of `sounding_of`, with the step in which each began."""
        return {note.pitch: note.step for note in self._sounding.values() if note.part == part}

    @property
    def holds(self) -> bool:
        """Whether events wait for their step to be over."""
        return bool(self._offs or self._ons or self._offs_next)

    @property
    def settles(self) -> float | None:
        """When the step is over that holds events; None: nothing is held."""
        if not self.holds:
            return None
        return self.vocabulary.time_of(self._step) + HALF_STEP / self.vocabulary.steps_per_second

    def feed(self, event: Event) -> list[int]:
        """Take one event; return the ids of all steps before its own. Time never goes back."""
        step = self.vocabulary.step_of(event.time)
        ids = self._close_until(step) if step > self._step else []
        if isinstance(event, NoteOn):
            self._note_on(event)
        elif isinstance(event, NoteOff):
            note = self._sounding.get(event.pitch)
            if note is not None and note.part == event.part and note.held:
                note.held = False
                if event.part not in self._pedals:
                    self._end(note)
        else:
            self._pedal(event)
        return ids

    def advance(self, time: float) -> list[int]:
        """Time has reached `time` and nothing more will come before it: ids of what is over.

        Whole maximal time shifts are returned as soon as they are certain, so that a listener
        knows how long a silence has lasted.
        """
        step = self.vocabulary.step_of(time)
        ids = self._close_until(step) if step > self._step else []
        if self.written is not None and not self.holds:
            while step - self.written >= self._max_shift:
                ids.append(self._shift + self._max_shift)
                self.written += self._max_shift
        return ids

    def begin(self, time: float) -> None:
        """Set the time of the first id, which the caller adds by `follow`."""
        self.written = self._step = self.vocabulary.step_of(time)

    def forget(self) -> None:
        """Forget everything except which notes sound and which pedals are down."""
        self.written, self.velocity_bin = None, -1
        self._offs, self._ons, self._offs_next = [], [], []

    def silence(self, time: float) -> list[int]:
        """Release all keys and pedals at `time`."""
        step = self.vocabulary.step_of(time)
        ids = self._close_until(step) if step > self._step else []
        self._pedals.clear()
        for note in list(self._sounding.values()):
            self._end(note)
        return ids

    def shifts_to(self, step: int) -> list[int]:
        """Ids of the time shifts from what is written up to `step`, largest first."""
        gap = step - self.written if self.written is not None else 0
        longest = [self._shift + self._max_shift] * (gap // self._max_shift)
        gap -= self._max_shift * len(longest)
        return [*longest, self._shift + gap] if gap > 0 else longest

    def flush(self) -> list[int]:
        """End the performance: notes held only by a pedal end with the last event."""
        for note in [n for n in self._sounding.values() if not n.held]:
            self._end(note)
        return self._close_until(self._step + 2)

    def follow(self, id: int) -> None:
        """Follow an id that was generated elsewhere (by sampling) after the ones returned so far.

        No events may be held back. A note that it begins belongs to MODEL_PART.
        """
        kind, value = self.vocabulary.token(id)
        if kind == TIME_SHIFT:
            self.written = (self.written or 0) + value
            self._step = self.written
        elif kind == VELOCITY:
            self.velocity_bin = value
        elif kind == NOTE_ON:
            step = self.written or 0
            time = self.vocabulary.time_of(step)
            velocity = self.vocabulary.velocity_of(max(0, self.velocity_bin))
            self._sounding.pop(value, None)
            self._sounding[value] = _Note(time, value, velocity, MODEL_PART, step)
        else:
            self._sounding.pop(value, None)

    def _note_on(self, event: NoteOn) -> None:
        earlier = self._sounding.pop(event.pitch, None)
        if earlier is not None:
            self._end(earlier, popped=True)
        if any(note.pitch == event.pitch for note in (*self._ons, *self._offs_next)):
            # struck twice within one step: one note, the later
            self._ons = [note for note in self._ons if note.pitch != event.pitch]
            self._offs_next = [note for note in self._offs_next if note.pitch != event.pitch]
        note = _Note(event.time, event.pitch, event.velocity, event.part, self._step)
        self._ons.append(note)
        self._sounding[event.pitch] = note

    def _pedal(self, event: Pedal) -> None:
        if event.down:
            self._pedals.add(event.part)
        elif event.part in self._pedals:
            self._pedals.discard(event.part)
            for note in [n for n in self._sounding.values() if n.part == event.part]:
                if not note.held:
                    self._end(note)

    def _end(self, note: _Note, popped: bool = False) -> None:
        if not popped:
            del self._sounding[note.pitch]
        (self._offs if note.step < self._step else self._offs_next).append(note)

    def _close_until(self, step: int) -> list[int]:
        """Write out the held step and what it pushed into the next one, then hold `step`."""
        ids: list[int] = []
        while self.holds and self._step < step:
            if self._offs or self._ons:
                self._write_step(ids)
            self._offs, self._offs_next, self._ons = self._offs_next, [], []
            self._step += 1
        self._step = step
        return ids

    def _write_step(self, ids: list[int]) -> None:
        ids += self.shifts_to(self._step)
        self.written = self._step
        for note in sorted(self._offs, key=lambda n: n.began):
            ids.append(self._off + note.pitch)
        for note in sorted(self._ons, key=lambda n: n.began):
            bin = self.vocabulary.bin_of(note.velocity)
            if bin != self.velocity_bin:
                self.velocity_bin = bin
                ids.append(self._velocity + bin)
            ids.append(self._on + note.pitch)


class Decoder:
    """Turns ids into events. Any ids are allowed: every note-on gets its note-off."""

    def __init__(self, vocabulary: Vocabulary = PERFORMANCE, step: int = 0, bin: int = 15) -> None:
        self.vocabulary = vocabulary
        self.step = step
        self._velocity = vocabulary.velocity_of(bin)
        self._sounding: dict[int, int] = {}  # pitch -> the step in which it began
        self._tokens = vocabulary.tokens

    @property
    def sounding(self) -> list[int]:
        """Pitches that sound now, in the order in which they began."""
        return list(self._sounding)

    @property
    def began(self) -> Mapping[int, int]:
        """Pitches that sound now, and the steps in which they began."""
        return self._sounding

    @property
    def time(self) -> float:
        """Seconds that the ids so far have reached."""
        return self.vocabulary.time_of(self.step)

    def copy(self) -> "Decoder":
        """An independent copy."""
        twin = copy(self)
        twin._sounding = self._sounding.copy()
        return twin

    def resume(self, sounding: dict[int, int]) -> None:
        """Add pitches that already sound, with the step at which each began."""
        self._sounding.update(sounding)

    def longer_than(self, steps: int) -> list[int]:
        """Pitches that have sounded for so many steps or more, in the order in which they began."""
        return [pitch for pitch, step in self._sounding.items() if self.step - step >= steps]

    def feed(self, id: int, part: int = 0) -> list[NoteOn | NoteOff]:
        """Take one id; return the events that it means (none, one, or off and on of one pitch)."""
        kind, value = self._tokens[id]
        if kind == TIME_SHIFT:
            self.step += value
        elif kind == VELOCITY:
            self._velocity = self.vocabulary.velocity_of(value)
        elif kind == NOTE_ON:
            events = self._note_off(value, part)
            self._sounding[value] = self.step
            return [*events, NoteOn(self.time, value, self._velocity, part)]
        else:
            return self._note_off(value, part)
        return []

    def flush(self, part: int = 0) -> list[NoteOn | NoteOff]:
        """End every note that still sounds."""
        return [event for pitch in self.sounding for event in self._note_off(pitch, part)]

    def _note_off(self, pitch: int, part: int) -> list[NoteOn | NoteOff]:
        if pitch not in self._sounding:
            return []
        del self._sounding[pitch]
        return [NoteOff(self.time, pitch, part)]


def encode(events: Sequence[Event], vocabulary: Vocabulary = PERFORMANCE) -> list[int]:
    """All ids of a finished performance."""
    encoder = Encoder(vocabulary)
    ids = [id for event in events for id in encoder.feed(event)]
    return ids + encoder.flush()


def decode(ids: list[int], vocabulary: Vocabulary = PERFORMANCE) -> list[NoteOn | NoteOff]:
    """All events of a finished performance, the first note at time 0 if no time shift precedes."""
    decoder = Decoder(vocabulary)
    events = [event for id in ids for event in decoder.feed(id)]
    return events + decoder.flush()
