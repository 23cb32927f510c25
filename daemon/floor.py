"""Who has the floor: when the model begins to play, for how long, and when it must not.

Pure: it is told the time. It decides; what that sounds like is the player's business.
"""

from .clock import Clock
from .config import Config
from .improviser import Improviser
from .knobs import Knobs
from .music.events import Event, NoteOn
from .turns import Turns
from .ways import WAYS, Way

START = 0.02  # seconds to end the step that memory holds open, and to think of a first note
AT_ONCE = 0.0  # a time that has always come


class Floor:
    """`replying`: whether the model has the floor."""

    def __init__(
        self, improviser: Improviser, turns: Turns, clock: Clock, config: Config, knobs: Knobs
    ) -> None:
        self._improviser, self._turns, self._clock = improviser, turns, clock
        self._options, self._sync, self._knobs = config.turns, config.sync, knobs
        self._rests = False  # it was told to stop, and plays no more of its own accord
        self.replying = False

    @property
    def way(self) -> Way:
        """The way of playing."""
        return WAYS[self._knobs.mode]

    @property
    def yields(self) -> bool:
        """Whether a key of the performer's takes the floor from the model now."""
        return self.replying and self.way.waits

    @property
    def next_due(self) -> float | None:
        """When `tick` has something to do; None: not until something is heard."""
        if self._starts_alone:
            return AT_ONCE
        return None if self.yields else self._entry

    @property
    def _entry(self) -> float | None:
        """When the floor passes to the model: after the silence, and then on the grid."""
        deadline, reply = self._turns.deadline, self._improviser.reply
        if deadline is None or reply is None or not self.way.waits:
            return deadline
        return max(deadline, reply.begin)

    def hear(self, event: Event) -> None:
        """The performer did something, of which turns and memory know already."""
        way = self.way
        if not way.waits:
            if isinstance(event, NoteOn):
                self._rests = False
                if self._may_play and not way.alone:
                    self._join(event.time)
        elif not self.replying:
            self.look_ahead()

    def look_ahead(self) -> None:
        """Think about what to play when its turn comes, if it is in sight."""
        deadline = self._turns.deadline
        if deadline is None or not self._may_play:
            self._improviser.drop()
        else:
            length = self._options.length_of_reply(self._turns.phrase.length)
            self._improviser.prepare(self._clock.next(deadline, self._sync.start_on), length)

    def tick(self, now: float) -> None:
        """Pass the floor on if its time has come."""
        entry = self._entry
        if entry is not None and now >= entry and not self.yields:
            self._turns.taken()
            if self.way.waits and self._improviser.reply is not None:
                self.replying = True
        if self._starts_alone:
            self._improviser.prepare(now + START, float("inf"))
            self.replying = True

    def ended(self) -> None:
        """Look whether the reply is over."""
        if self.replying and self._improviser.reply is None:
            self.replying = False

    def take(self, now: float) -> None:
        """The model is given the floor now."""
        self._rests = False
        if self.replying or not self._may_play or self.way.alone:
            return
        length = self._options.alone_for
        if self.way.waits:
            length = self._options.length_of_reply(self._turns.phrase.length)
        self._turns.taken()
        self._improviser.prepare(now + START, length)
        self.replying = True

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
            self._improviser.extend(time + self._options.alone_for)
            return
        self._improviser.prepare(time, self._options.alone_for, joins=True)
        self.replying = True

    @property
    def _may_play(self) -> bool:
        return self._knobs.gate and self.way.plays and not self._rests and not self._is_stopped

    @property
    def _is_stopped(self) -> bool:
        """Whether the DAW is stopped, and that means silence."""
        return not self._clock.running and self._sync.stopped == "silent"

    @property
    def _starts_alone(self) -> bool:
        return self.way.alone and self._may_play and not self.replying
