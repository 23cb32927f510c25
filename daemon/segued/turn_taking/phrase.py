"""The performer's phrase, and the rules that end it and give the floor to the model. Pure."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from ..fields.durations import Duration
from ..generation.context import Context
from ..timing.clock import Clock
from ..timing.durations import seconds_of
from ..tokens.events import Event, NoteOff, NoteOn


@dataclass(frozen=True)
class Phrase:
    """What the performer played, from the first note-on to the last release, in seconds."""

    start: float
    end: float
    notes: int

    @property
    def length(self) -> float:
        """Seconds from the first note-on to the last release."""
        return self.end - self.start


class Trigger:
    """A rule that gives the floor to the model. This one never does: `turns.by: manual`.

    `on_grid`: its deadlines are already on a grid, so they are not quantized.
    """

    on_grid = False

    def hear(self, event: Event) -> None:
        """Process an event of the performer."""

    def pause(self, time: float) -> None:
        """The last key was released."""

    def forget(self) -> None:
        """Forget all events."""

    def deadline(self, turns: "PhraseTracker") -> float | None:
        """When the model's turn begins if nothing more is played; None: no turn is due."""
        return None

    def length(self, begin: float) -> float | None:
        """The length in seconds of a reply that starts at `begin`; None: the rule sets none."""
        return None

    def think(self, turns: "PhraseTracker", context: Context) -> bool:
        """Make at most one model step to find the deadline; return whether there was one."""
        return False


class Silence(Trigger):
    """The model's turn begins after a fixed time, in seconds or beats, without a held key."""

    def __init__(self, span: Duration, clock: Clock) -> None:
        self.span, self._clock = span, clock

    def deadline(self, turns: "PhraseTracker") -> float | None:
        """The end of the phrase plus that time."""
        quiet = turns.quiet_since
        return None if quiet is None else quiet + seconds_of(self.span, self._clock, quiet)


class Bars(Trigger):
    """Trading bars: the performer and the model play the same number of bars in turn.

    With a MIDI clock the performer has the first bars of the song. Without one, their first key
    begins a bar and the exchange. The model answers only bars in which the performer played.
    """

    on_grid = True

    def __init__(self, bars: int, clock: Clock) -> None:
        self.bars, self._clock = bars, clock
        self._beginning: float | None = None  # of the exchange, in beats; None: there is none

    def hear(self, event: Event) -> None:
        """Process an event. A key during the model's bars begins a new exchange."""
        if self._clock.synced:
            self._beginning = 0.0
        elif isinstance(event, NoteOn):
            beat = self._clock.beat_at(event.time)
            if self._beginning is None or self._window(beat) % 2:
                self._beginning = beat

    def forget(self) -> None:
        """End the exchange; the next key begins another."""
        self._beginning = None

    def deadline(self, turns: "PhraseTracker") -> float | None:
        """The beginning of the model's next bars."""
        phrase = turns.phrase
        if not phrase.notes or self._beginning is None:
            return None
        window = self._window(self._clock.beat_at(phrase.end)) + 1
        return self._clock.time_of(self._beginning + (window + 1 - window % 2) * self._size)

    def length(self, begin: float) -> float | None:
        """The time until the end of the model's bars."""
        if self._beginning is None:
            return None
        end = self._beginning + (self._window(self._clock.beat_at(begin)) + 1) * self._size
        return self._clock.time_of(end) - begin

    @property
    def _size(self) -> int:
        """The beats of one player's bars."""
        return self.bars * self._clock.beats_per_bar

    def _window(self, beat: float) -> int:
        """The number of the turn that a beat is in; even ones are the performer's."""
        assert self._beginning is not None
        return int((beat - self._beginning + NEAR) // self._size)


NEAR = 1e-3  # beats; a time this little before a bar is counted as in it
PAUSE, BREAK = 0.25, 2.5  # seconds; shorter silences are articulation, longer ones end a phrase
PAUSES = 6  # pauses remembered


class PhraseTracker:
    """The performer's held keys and phrase, and the `rule` that ends it.

    A key that is held for `longest_key` seconds is no longer counted as held: its note-off was
    lost, or it is a drone. `listeners`: the rules that get all events; by default only `rule`.
    """

    def __init__(
        self, rule: Trigger, longest_key: float = 1e9, listeners: Sequence[Trigger] | None = None
    ) -> None:
        self._rule, self.longest_key = rule, longest_key
        self._listeners = (rule,) if listeners is None else listeners
        self.last: Phrase | None = None
        """The last completed phrase."""
        self.pauses: deque[float] = deque(maxlen=PAUSES)
        """The performer's recent pauses within phrases, in seconds."""
        self._held: dict[tuple[int, int], float] = {}
        self._start = 0.0
        self._end = 0.0
        self._notes = 0

    @property
    def rule(self) -> Trigger:
        """The rule in use. Only this one gets `pause`, because that reads the tempo follower, which
        must not depend on rules that are not in use."""
        return self._rule

    @rule.setter
    def rule(self, rule: Trigger) -> None:
        changed, self._rule = rule is not self._rule, rule
        if changed and self.quiet_since is not None:
            rule.pause(self.quiet_since)

    def hear(self, event: Event) -> None:
        """Process an event of the performer."""
        if isinstance(event, NoteOn):
            if not self._held and (self._notes or self.last):
                self._add_pause(event.time - self._end)
            if not self._notes:
                self._start = event.time
            self._notes += 1
            self._held.pop((event.part, event.pitch), None)
            self._held[event.part, event.pitch] = event.time
            self._end = event.time
        elif isinstance(event, NoteOff) and (event.part, event.pitch) in self._held:
            del self._held[event.part, event.pitch]
            self._end = event.time
        for rule in self._listeners:
            rule.hear(event)
        if not self._held and isinstance(event, NoteOff):
            self._rule.pause(event.time)

    def release(self, time: float, part: int) -> None:
        """Release every key of a part (All Notes Off)."""
        held = [key for key in self._held if key[0] == part]
        for key in held:
            del self._held[key]
            self._end = time

    def advance(self, now: float) -> None:
        """Advance the time to `now`, and drop keys that are held for too long."""
        while self._held and now >= (over := self._oldest + self.longest_key):
            del self._held[next(iter(self._held))]
            self._end = max(self._end, over)

    def forget(self) -> None:
        """Release every key and discard the phrase (a panic, or the input was lost)."""
        self._held.clear()
        self._notes = 0
        self.forget_exchange()

    def forget_exchange(self) -> None:
        """Forget the exchange so far: pauses, and what the rules have heard."""
        self.pauses.clear()
        for rule in self._listeners:
            rule.forget()

    @property
    def pitches(self) -> set[int]:
        """The pitches whose keys are down."""
        return {pitch for _, pitch in self._held}

    @property
    def held(self) -> tuple[int, int] | None:
        """A key (part, pitch) that the performer holds; None: there is none."""
        return next(iter(self._held), None)

    @property
    def channels(self) -> set[int]:
        """The parts with held keys."""
        return {part for part, _ in self._held}

    @property
    def phrase(self) -> Phrase:
        """The phrase so far."""
        return Phrase(self._start, self._end, self._notes)

    @property
    def quiet_since(self) -> float | None:
        """When the last key of the present phrase was released; None: one is held, or no phrase."""
        return None if self._held or not self._notes else self._end

    @property
    def deadline(self) -> float | None:
        """When the model's turn begins if nothing more is played; None: no turn is due."""
        return self.rule.deadline(self)

    @property
    def key_expires(self) -> float | None:
        """When the oldest held key will be dropped; None: no key is held."""
        return self._oldest + self.longest_key if self._held else None

    def end_phrase(self) -> None:
        """End the phrase; the next key begins a new one."""
        if self._notes:
            self.last = self.phrase
        self._notes = 0

    def _add_pause(self, seconds: float) -> None:
        if PAUSE < seconds < BREAK:
            self.pauses.append(seconds)

    @property
    def _oldest(self) -> float:
        return next(iter(self._held.values()))
