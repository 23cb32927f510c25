"""Who has the floor: when the model begins to play, for how long, and when it must not.

Pure: the caller passes the time. This decides; the responder plays.
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

START = 0.02  # seconds to close the context's open step and to generate a first note
MOVED = 0.005  # seconds by which its turn must move for the reply to be planned again
AT_ONCE = 0.0  # a time that is always past


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
        self._rests = False  # after a stop: in duet and solo the model pauses until it is woken
        self.replying = False
        self.looping = False
        """Whether a loop is playing: then there are no replies."""

    def apply(self, now: float, options: TurnOptions, sync: SyncOptions) -> bool:
        """Replace the options; return whether that changes the length of the present reply."""
        before, self._options, self._sync = self._options, options, sync
        self._early = early_of(sync)
        reply = self._improviser.reply
        if not self.replying or reply is None:
            self.plan_ahead(now)
            return False
        length = reply.length
        if self.mode.waits:
            length, reply.exact = self._length(reply.begin, self._last_phrase)
        elif not self.mode.alone and before.duet_tail_seconds != options.duet_tail_seconds:
            length = now + options.duet_tail_seconds - reply.begin
        longer = length != reply.length
        reply.length = length
        return longer

    @property
    def mode(self) -> Mode:
        """The present mode."""
        return MODE_TABLE[self._knobs.mode]

    @property
    def yields(self) -> bool:
        """Whether the performer's next key would take the floor from the model."""
        return self.replying and self.mode.waits

    @property
    def next_due(self) -> float | None:
        """When `tick` is next needed; None: not before something is played."""
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
        """When the model's turn begins: the rule's deadline, quantized; None: no turn is due."""
        deadline = self._turns.deadline
        if deadline is None or self._turns.rule.on_grid or not self._awaits_its_turn:
            return deadline
        return self._on_grid(deadline)

    def _on_grid(self, deadline: float) -> float:
        """A deadline moved to the grid on which replies begin (`sync.launch_quantize`)."""
        grid = self._sync.launch_quantize
        if grid != AUTO:
            return self._clock.next(deadline, grid)
        if self._clock.synced:
            return self._clock.next(deadline, "beat")
        pulse = self._tempo.pulse(deadline, self._knobs.swing)
        return deadline if pulse is None else pulse.entry(deadline)

    def hear(self, event: Event) -> None:
        """Process an event of the performer, after phrase tracker and context have."""
        mode = self.mode
        if self.replying:
            self._improviser.postpone(event.time + START)
        if not mode.waits:
            if isinstance(event, NoteOn):
                self._rests = False
                if self._may_play and not mode.alone:
                    self._join(event.time)
        elif not self.replying:
            self.plan_ahead(event.time)

    def plan_ahead(self, now: float) -> None:
        """Plan the reply if its turn is near; otherwise discard its plan."""
        entry = self.entry
        if entry is None or not self._is_near(entry, now) or not self._awaits_its_turn:
            self._improviser.drop()
        else:
            length, exact = self._length(entry, self._turns.phrase.length)
            self._improviser.prepare(max(entry, now), length, finishes=True, exact=exact)

    def _is_near(self, entry: float, now: float) -> bool:
        """Whether the reply of a turn that begins at `entry` should be planned by now."""
        return now >= entry - self._options.thinking_time - self._early

    def think(self, now: float) -> bool:
        """Make at most one model step to find the deadline; return whether there was one."""
        if not self._awaits_its_turn:
            return False
        if not self._turns.rule.think(self._turns, self._improviser.context):
            return False
        self.plan_ahead(now)
        return True

    def tick(self, now: float) -> None:
        """Give the floor to the model if its turn has begun."""
        self._turns.advance(now)
        entry = self.entry
        if entry is not None and self._is_near(entry, now) and self._awaits_its_turn:
            reply = self._improviser.reply
            if reply is None or abs(reply.begin - entry) > MOVED:
                self.plan_ahead(now)
        if entry is not None and now >= entry - self._early - ROUNDING and not self.yields:
            self._turns.end_phrase()
            self.replying = self.replying or self._awaits_its_turn
        if self._starts_alone:
            self._improviser.prepare(now + START, float("inf"), now=now)
            self.replying = True

    def ended(self) -> bool:
        """Whether the reply has ended since the last call."""
        if self.replying and self._improviser.reply is None:
            self.replying = False
            return True
        return False

    def take(self, now: float) -> None:
        """Give the floor to the model now."""
        self._rests = False
        if self.replying or not self._may_play or self.mode.alone:
            return
        self._turns.end_phrase()
        length, exact = self._options.duet_tail_seconds, False
        if self.mode.waits:
            length, exact = self._length(now, self._last_phrase)
        self._improviser.prepare(
            now + START, length, now=now, finishes=self.mode.waits, exact=exact
        )
        self.replying = True

    def _length(self, begin: float, phrase: float) -> tuple[float, bool]:
        """How long in seconds a reply may begin notes, and whether it must have ended by then.

        `phrase`: the length of the phrase in seconds.
        """
        ruled = self._turns.rule.length(begin)
        if ruled is not None:
            return ruled, True
        length = seconds_of(self._options.length_of_reply(phrase), self._clock, begin)
        return length, self._options.reply_length != "phrase"

    @property
    def _last_phrase(self) -> float:
        """The length of the last phrase in seconds."""
        return self._turns.last.length if self._turns.last else 0.0

    @property
    def rests(self) -> bool:
        """Whether the model pauses after a stop, or because the DAW is stopped."""
        return self._rests or self._is_stopped

    def lose(self) -> None:
        """Take the floor from the model, after its notes were ended."""
        self.replying = False

    def rest(self) -> None:
        """In duet and solo, pause until a key, the action `take` or `wake`."""
        self._rests = not self.mode.waits

    def wake(self) -> None:
        """End the pause."""
        self._rests = False

    def _join(self, time: float) -> None:
        """Play along from now on, until `duet_tail` after the performer's last key."""
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
        """Whether gate, mode and DAW allow the model to play at all."""
        return self._knobs.gate and self.mode.plays and not self._is_stopped

    @property
    def _is_stopped(self) -> bool:
        """Whether the DAW is stopped and the model must then be silent (`sync.stopped`)."""
        return not self._clock.running and self._sync.stopped == "silent"

    @property
    def _awaits_its_turn(self) -> bool:
        return self.mode.waits and self._may_play and not self.replying

    @property
    def _starts_alone(self) -> bool:
        return self.mode.alone and self._may_play and not self.replying


def early_of(sync: SyncOptions) -> float:
    """How many seconds early messages are sent because of the synth's latency."""
    return max(0.0, sync.output_latency_ms / 1000)
