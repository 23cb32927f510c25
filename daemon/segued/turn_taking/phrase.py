"""Turn-taking: the performer's phrase, and the rules by which the floor passes to the model.

Knows only what it is told.
"""

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
    """What the performer played: from the first key to the last release, in seconds."""

    start: float
    end: float
    notes: int

    @property
    def length(self) -> float:
        """Seconds from the first key to the last release."""
        return self.end - self.start


class Trigger:
    """When the floor passes to the model. This one: never but by hand (see `Floor.take`).

    `on_grid`: its deadlines are on a grid of their own.
    """

    on_grid = False

    def hear(self, event: Event) -> None:
        """Something that the performer did."""

    def pause(self, time: float) -> None:
        """The last key has come up."""

    def forget(self) -> None:
        """What was heard counts no more."""

    def deadline(self, turns: "PhraseTracker") -> float | None:
        """When the floor passes if nothing more is played; None: that is not in sight."""
        return None

    def length(self, begin: float) -> float | None:
        """Seconds that a reply may last; None: the rule does not mind."""
        return None

    def think(self, turns: "PhraseTracker", context: Context) -> bool:
        """At most one step of the model to find the deadline; whether there was one to do."""
        return False


class Silence(Trigger):
    """The floor passes after a time, in seconds or beats, in which no key is held."""

    def __init__(self, span: Duration, clock: Clock) -> None:
        self.span, self._clock = span, clock

    def deadline(self, turns: "PhraseTracker") -> float | None:
        """That time after the phrase."""
        quiet = turns.quiet_since
        return None if quiet is None else quiet + seconds_of(self.span, self._clock, quiet)


class Bars(Trigger):
    """The performer plays some bars, then the model as many, and so on.

    With a MIDI clock the performer has the first bars of the song; without one their first key is
    the beginning of a bar, and of the exchange. It answers only to bars in which they played.
    """

    on_grid = True

    def __init__(self, bars: int, clock: Clock) -> None:
        self.bars, self._clock = bars, clock
        self._beginning: float | None = None  # a beat; None: no exchange goes on

    def hear(self, event: Event) -> None:
        """A key in bars of the model's, where it does not play, begins another exchange."""
        if self._clock.synced:
            self._beginning = 0.0
        elif isinstance(event, NoteOn):
            beat = self._clock.beat_at(event.time)
            if self._beginning is None or self._window(beat) % 2:
                self._beginning = beat

    def forget(self) -> None:
        """The next key begins an exchange."""
        self._beginning = None

    def deadline(self, turns: "PhraseTracker") -> float | None:
        """The beginning of the model's bars that come next."""
        phrase = turns.phrase
        if not phrase.notes or self._beginning is None:
            return None
        window = self._window(self._clock.beat_at(phrase.end)) + 1
        return self._clock.time_of(self._beginning + (window + 1 - window % 2) * self._size)

    def length(self, begin: float) -> float | None:
        """To the end of the model's bars."""
        if self._beginning is None:
            return None
        end = self._beginning + (self._window(self._clock.beat_at(begin)) + 1) * self._size
        return self._clock.time_of(end) - begin

    @property
    def _size(self) -> int:
        """Beats of one's bars."""
        return self.bars * self._clock.beats_per_bar

    def _window(self, beat: float) -> int:
        """The number of the bars that a beat is in: even ones are the performer's."""
        assert self._beginning is not None
        return int((beat - self._beginning + NEAR) // self._size)


NEAR = 1e-3  # beats: so little before a bar is in it
PAUSE, BREAK = 0.25, 2.5  # seconds: shorter silences are articulation, longer ones end a phrase
PAUSES = 6  # so many are remembered


class PhraseTracker:
    """The performer's keys and phrase, and the rule by which it ends.

    A key that is held for `longest_key` seconds counts as held no more: its note-off was lost, or
    it is a drone. `listeners`: rules that hear all that is played, whether or not they are the
    `rule`; by default that alone.
    """

    def __init__(
        self, rule: Trigger, longest_key: float = 1e9, listeners: Sequence[Trigger] | None = None
    ) -> None:
        self._rule, self.longest_key = rule, longest_key
        self._listeners = (rule,) if listeners is None else listeners
        self.last: Phrase | None = None
        """The last phrase that is over."""
        self.pauses: deque[float] = deque(maxlen=PAUSES)
        """The last silences, in seconds, after which the performer soon played on."""
        self._held: dict[tuple[int, int], float] = {}
        self._start = 0.0
        self._end = 0.0
        self._notes = 0

    @property
    def rule(self) -> Trigger:
        """The one that is followed. It alone works out what a pause means: that asks for the tempo,
        and what does not count must not change what is known of that."""
        return self._rule

    @rule.setter
    def rule(self, rule: Trigger) -> None:
        changed, self._rule = rule is not self._rule, rule
        if changed and self.quiet_since is not None:
            rule.pause(self.quiet_since)

    def hear(self, event: Event) -> None:
        """Something that the performer did."""
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
        """Every key of a part is up (all notes off)."""
        held = [key for key in self._held if key[0] == part]
        for key in held:
            del self._held[key]
            self._end = time

    def advance(self, now: float) -> None:
        """Time has come to `now`: keys that are held for too long count no more."""
        while self._held and now >= (over := self._oldest + self.longest_key):
            del self._held[next(iter(self._held))]
            self._end = max(self._end, over)

    def forget(self) -> None:
        """Every key is up and what was played asks for no reply (a panic, or the input is gone)."""
        self._held.clear()
        self._notes = 0
        self.forget_exchange()

    def forget_exchange(self) -> None:
        """What was played and answered so far does not count for what comes."""
        self.pauses.clear()
        for rule in self._listeners:
            rule.forget()

    @property
    def pitches(self) -> set[int]:
        """The pitches whose keys are down."""
        return {pitch for _, pitch in self._held}

    @property
    def held(self) -> tuple[int, int] | None:
        """A key (part, pitch) that the performer holds, if any."""
        return next(iter(self._held), None)

    @property
    def channels(self) -> set[int]:
        """The parts that hold keys."""
        return {part for part, _ in self._held}

    @property
    def phrase(self) -> Phrase:
        """The phrase so far."""
        return Phrase(self._start, self._end, self._notes)

    @property
    def quiet_since(self) -> float | None:
        """When the phrase ended, if it is not over yet and no key is held."""
        return None if self._held or not self._notes else self._end

    @property
    def deadline(self) -> float | None:
        """When the floor passes to the model if nothing more is played; None: not in sight."""
        return self.rule.deadline(self)

    @property
    def key_expires(self) -> float | None:
        """When a key will have been held for too long."""
        return self._oldest + self.longest_key if self._held else None

    def taken(self) -> None:
        """The phrase is over: the next key begins a new one."""
        if self._notes:
            self.last = self.phrase
        self._notes = 0

    def _add_pause(self, seconds: float) -> None:
        if PAUSE < seconds < BREAK:
            self.pauses.append(seconds)

    @property
    def _oldest(self) -> float:
        return next(iter(self._held.values()))
