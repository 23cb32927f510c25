"""The beats that a reply follows: those of the clock (MIDI or internal) or the performer's."""

from dataclasses import dataclass

from ..timing.clock import Clock
from ..timing.pulse import Pulse
from ..timing.tempo_follower import TempoFollower
from .ending import pulse_of
from .reply import Reply
from .scheduler import Scheduler, Seconds
from .shaping import Playing


@dataclass(frozen=True, slots=True)
class ReplyBeats:
    """The beats of one reply. `tempo` follows the performer."""

    clock: Clock
    tempo: TempoFollower
    playing: Playing
    reply: Reply

    @property
    def follows_clock(self) -> bool:
        """Whether the reply follows the beats of the clock."""
        return self.clock.synced or self.playing.quantize_strength > 0

    @property
    def anchor(self) -> float:
        """The time at which its plan begins."""
        return self.reply.since if self.reply.begun else self.reply.begin

    @property
    def timekeeping(self) -> Pulse | None:
        """The performer's pulse to which notes are drawn; None: the reply does not follow it."""
        if not self.playing.timekeeping or self.follows_clock:
            return None
        return self.tempo.pulse(self.reply.begin, self.playing.swing)

    @property
    def of_motifs(self) -> Pulse | None:
        """The performer's pulse, on whose grid motifs are compared; None: there is none."""
        return self.timekeeping or self.tempo.pulse(self.reply.begin)

    @property
    def told(self) -> Pulse | None:
        """The beats that a model is told that takes them; None: unknown."""
        return pulse_of(self.clock, self.anchor) if self.follows_clock else self.timekeeping

    @property
    def of_ending(self) -> Pulse | None:
        """The beats by which the reply ends; None: there are none."""
        if self.follows_clock:
            return pulse_of(self.clock, self.anchor)
        return self.tempo.pulse(self.reply.begin)

    def scheduler(self, sounding: list[int]) -> Scheduler | None:
        """The scheduler; None if the plan is played as it is. `sounding`: see `Scheduler`."""
        if self.follows_clock:
            return Scheduler(self.clock, self.playing, self.anchor, sounding)
        if self.playing.late_notes == "shift":
            return None
        return Scheduler(Seconds(), self.playing, self.anchor, sounding)
