"""Who has the floor: when the model begins to play, for how long, and when it must not.

Pure: it is told the time. It decides; what that sounds like is the player's business.
"""

from ..control.knobs import Knobs
from ..generation.improviser import Improviser
from ..generation.scheduler import ROUNDING
from ..timing.clock import AUTO, Clock
from ..timing.durations import seconds_of
from ..timing.options import SyncOptions
from ..timing.tempo_follower import TempoFollower
from ..tokens.events import Event, NoteOn
from .modes import MODE_TABLE, Mode
from .options import TurnOptions
from .phrase import PhraseTracker

START = 0.02  # seconds to end the step that memory holds open, and to think of a first note
MOVED = 0.005  # seconds by which its turn must have moved to be thought about anew
AT_ONCE = 0.0  # a time that has always come


class TurnTaking:
    """`replying`: whether the model has the floor."""

    def __init__(
        self,
        improviser: Improviser,
        turns: PhraseTracker,
        clock: Clock,
        tempo: TempoFollower,
        options: TurnOptions,
        sync: SyncOptions,
        knobs: Knobs,
    ) -> None:
        self._improviser, self._turns, self._clock = improviser, turns, clock
        self._tempo = tempo
        self._options, self._sync, self._knobs = options, sync, knobs
        self._early = early_of(sync)
        self._rests = False  # it was told to stop, and plays no more of its own accord
        self.replying = False
        self.looping = False
        """Whether the model's part is a loop: then there are no replies."""

    def apply(self, now: float, options: TurnOptions, sync: SyncOptions) -> bool:
        """Go on with other options; whether the reply that it plays has another length now."""
        before, self._options, self._sync = self._options, options, sync
        self._early = early_of(sync)
        reply = self._improviser.reply
        if not self.replying or reply is None:
            self.look_ahead(now)
            return False
        length = reply.length
        if self.way.waits:
            length, reply.exact = self._length(reply.begin, self._last_phrase)
        elif not self.way.alone and before.duet_tail_seconds != options.duet_tail_seconds:
            length = now + options.duet_tail_seconds - reply.begin
        longer = length != reply.length
        reply.length = length
        return longer

    @property
    def way(self) -> Mode:
        """The way of playing."""
        return MODE_TABLE[self._knobs.mode]

    @property
    def yields(self) -> bool:
        """Whether a key of the performer's takes the floor from the model now."""
        return self.replying and self.way.waits

    @property
    def next_due(self) -> float | None:
        """When `tick` has something to do; None: not until something is heard."""
        if self._starts_alone:
            return AT_ONCE
        if self.yields:
            return None
        expires, entry = self._turns.key_expires, self.entry
        if entry is None:
            return expires
        if self._awaits_its_turn and self._improviser.reply is None:
            entry -= self._options.thinking_time
        entry -= self._early
        return entry if expires is None else min(expires, entry)

    @property
    def entry(self) -> float | None:
        """When the floor passes to the model: at the end of the phrase, and then on the grid."""
        deadline = self._turns.deadline
        if deadline is None or self._turns.rule.on_grid or not self._awaits_its_turn:
            return deadline
        return self._on_grid(deadline)

    def _on_grid(self, deadline: float) -> float:
        """When a reply begins whose turn comes at `deadline`."""
        grid = self._sync.launch_quantize
        if grid != AUTO:
            return self._clock.next(deadline, grid)
        if self._clock.synced:
            return self._clock.next(deadline, "beat")
        pulse = self._tempo.pulse(deadline)
        return deadline if pulse is None else pulse.next_beat(deadline)

    def hear(self, event: Event) -> None:
        """The performer did something, of which turns and memory know already."""
        way = self.way
        if self.replying:
            self._improviser.postpone(event.time + START)
        if not way.waits:
            if isinstance(event, NoteOn):
                self._rests = False
                if self._may_play and not way.alone:
                    self._join(event.time)
        elif not self.replying:
            self.look_ahead(event.time)

    def look_ahead(self, now: float) -> None:
        """Think about what to play when its turn comes, if that is soon."""
        entry = self.entry
        if entry is None or not self._is_near(entry, now) or not self._awaits_its_turn:
            self._improviser.drop()
        else:
            length, exact = self._length(entry, self._turns.phrase.length)
            self._improviser.prepare(max(entry, now), length, finishes=True, exact=exact)

    def _is_near(self, entry: float, now: float) -> bool:
        """Whether a turn that begins at `entry` is to be thought about."""
        return now >= entry - self._options.thinking_time - self._early

    def think(self, now: float) -> bool:
        """At most one model step to find out when its turn comes; whether there was one to do."""
        if not self._awaits_its_turn:
            return False
        if not self._turns.rule.think(self._turns, self._improviser.context):
            return False
        self.look_ahead(now)
        return True

    def tick(self, now: float) -> None:
        """Pass the floor on if its time has come."""
        self._turns.advance(now)
        entry = self.entry
        if entry is not None and self._is_near(entry, now) and self._awaits_its_turn:
            reply = self._improviser.reply
            if reply is None or abs(reply.begin - entry) > MOVED:
                self.look_ahead(now)
        if entry is not None and now >= entry - self._early - ROUNDING and not self.yields:
            self._turns.taken()
            self.replying = self.replying or self._awaits_its_turn
        if self._starts_alone:
            self._improviser.prepare(now + START, float("inf"), now=now)
            self.replying = True

    def ended(self) -> bool:
        """Look whether the reply is over since the last look."""
        if self.replying and self._improviser.reply is None:
            self.replying = False
            return True
        return False

    def take(self, now: float) -> None:
        """The model is given the floor now."""
        self._rests = False
        if self.replying or not self._may_play or self.way.alone:
            return
        self._turns.taken()
        length, exact = self._options.duet_tail_seconds, False
        if self.way.waits:
            length, exact = self._length(now, self._last_phrase)
        self._improviser.prepare(now + START, length, now=now, finishes=self.way.waits, exact=exact)
        self.replying = True

    def _length(self, begin: float, phrase: float) -> tuple[float, bool]:
        """Seconds that a reply to a phrase of so many seconds may begin notes, and whether it has
        to be over then."""
        ruled = self._turns.rule.length(begin)
        if ruled is not None:
            return ruled, True
        length = seconds_of(self._options.length_of_reply(phrase), self._clock, begin)
        return length, self._options.reply_length != "phrase"

    @property
    def _last_phrase(self) -> float:
        """Seconds of the last phrase."""
        return self._turns.last.length if self._turns.last else 0.0

    @property
    def rests(self) -> bool:
        """Whether it was told to stop, and plays no more of its own accord; or the DAW stands."""
        return self._rests or self._is_stopped

    def lose(self) -> None:
        """The model has lost the floor; what sounded of it was silenced already."""
        self.replying = False

    def rest(self) -> None:
        """Play no more until it is asked to, by a key or by hand."""
        self._rests = not self.way.waits

    def wake(self) -> None:
        """It may play of its own accord again."""
        self._rests = False

    def _join(self, time: float) -> None:
        """Play along from now on, until some time after the performer's last key."""
        if self.replying:
            self._improviser.extend(time + self._options.duet_tail_seconds)
            return
        self._improviser.prepare(time, self._options.duet_tail_seconds, joins=True)
        self.replying = True

    @property
    def _may_play(self) -> bool:
        return self.plays and not self._rests and not self.looping

    @property
    def plays(self) -> bool:
        """Whether the model may sound at all, as things are set and the DAW runs."""
        return self._knobs.gate and self.way.plays and not self._is_stopped

    @property
    def _is_stopped(self) -> bool:
        """Whether the DAW is stopped, and that means silence."""
        return not self._clock.running and self._sync.stopped == "silent"

    @property
    def _awaits_its_turn(self) -> bool:
        return self.way.waits and self._may_play and not self.replying

    @property
    def _starts_alone(self) -> bool:
        return self.way.alone and self._may_play and not self.replying


def early_of(sync: SyncOptions) -> float:
    """Seconds before its turn at which the first note of a reply is sent."""
    return max(0.0, sync.output_latency_ms / 1000)
