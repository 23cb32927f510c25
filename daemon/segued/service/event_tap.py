"""Writes what happens in the music to the event ring, while somebody watches.

It only reads the player: watching changes nothing in the music.
"""

import math

from ..control.knobs import KNOBS
from ..generation.plan import Plan
from ..generation.reply import Token
from ..midi.messages import (
    ALL_SOUND_OFF,
    CHANNEL_MASK,
    CHANNELS,
    CONTROL_CHANGE,
    KIND_MASK,
    NOTE_OFF,
    NOTE_ON,
    SUSTAIN,
    SWITCH_ON,
)
from ..player.active_notes import MODEL, PERFORMER
from ..player.player import Player
from ..tokens.events import NoteOn
from .event_ring import (
    KEY,
    KNOB,
    MIDI_CLOCK,
    NO_TEMPO,
    NOTE,
    OWN_TEMPO,
    PEDAL,
    PERFORMER_TEMPO,
    PLANNED,
    REPLANNED,
    SILENCED,
    TEMPO,
    TURN,
    EventRing,
)

SLOW_EVERY = 0.05  # seconds between updates of knobs, key and tempo
MOVED = 0.001  # seconds by which a reply's beginning must change to be written again
UNKNOWN = 255
_LAST = CONTROL_CHANGE | CHANNELS - 1


class EventTap:
    """`on`: whether somebody watches.

    Times are the engine's seconds; an event's time is `began` + that, in monotonic seconds.
    """

    def __init__(self, ring: EventRing, began: float) -> None:
        self.on = False
        self._ring, self._began = ring, began
        self._until = self._next_slow = 0.0
        self._reset()

    def watch(self, now: float, seconds: float, restate: bool = False) -> None:
        """Write events for `seconds` from `now`.

        If nothing was watched before, or `restate`, the next `update` writes the whole state.
        """
        self._until = max(self._until, now + seconds)
        if restate or not self.on:
            self._reset()
        self.on = True

    def received(self, now: float, message: bytes) -> None:
        """Write a message of the performer. 2 µs."""
        kind, channel = message[0] & KIND_MASK, message[0] & CHANNEL_MASK
        time = self._began + now
        if kind in (NOTE_OFF, NOTE_ON) and len(message) == 3:
            velocity = message[2] if kind == NOTE_ON else 0
            self._ring.add(time, NOTE, PERFORMER, message[1], velocity, value=channel)
        elif kind == CONTROL_CHANGE and len(message) == 3 and message[1] == SUSTAIN:
            down = message[2] >= SWITCH_ON
            self._ring.add(time, PEDAL, PERFORMER, down, value=channel)

    def sent(self, now: float, message: bytes) -> None:
        """Write a message of the model, or that everything was silenced. 2 µs."""
        kind, channel = message[0] & KIND_MASK, message[0] & CHANNEL_MASK
        time = self._began + now
        if kind in (NOTE_OFF, NOTE_ON):
            velocity = message[2] if kind == NOTE_ON else 0
            self._ring.add(time, NOTE, MODEL, message[1], velocity, value=channel)
        elif message[0] == _LAST and message[1] == ALL_SOUND_OFF:  # the last message of a panic
            self._ring.add(time, SILENCED)

    def update(self, player: Player, now: float) -> None:
        """Write what has changed since the last call. 5 µs when nothing has."""
        if now >= self._until:
            self.on = False
            self._reset()
            return
        self._update_plan(player, now)
        self._update_turn(player, now)
        if now >= self._next_slow:
            self._next_slow = now + SLOW_EVERY
            self._update_knobs(player, now)
            self._update_key(player, now)
            self._update_tempo(player, now)

    def _reset(self) -> None:
        """Make the next `update` write everything."""
        self._plan: Plan | None = None
        self._newest: Token | None = None
        self._turn = (-1, -1, -1.0)
        self._knobs: list[object] = [None] * len(KNOBS)
        self._key = (-1, -1, -1.0)
        self._tempo = (-1, -1, -1.0, -1.0)
        self._next_slow = 0.0

    def _update_plan(self, player: Player, now: float) -> None:
        """Write the notes that were added to the plan, or all notes of a new plan."""
        improviser = player.improviser
        plan = improviser.plan
        if plan is not self._plan:
            if self._plan is not None:
                self._ring.add(self._began + now, REPLANNED)
            self._plan, self._newest = plan, None
        if plan is None or not plan.tokens or plan.tokens[-1] is self._newest:
            return
        added: list[Token] = []
        for token in reversed(plan.tokens):
            if token is self._newest:
                break
            added.append(token)
        self._newest = plan.tokens[-1]
        for token in reversed(added):
            if token.events:
                time = self._began + improviser.sounds_at(token.time)
                for event in token.events:
                    velocity = event.velocity if isinstance(event, NoteOn) else 0
                    self._ring.add(time, PLANNED, event.pitch, velocity)

    def _update_turn(self, player: Player, now: float) -> None:
        begins = player.reply_begins
        turn = player.replying, player.turns.held is not None, begins or 0.0
        old = self._turn
        if turn[:2] != old[:2] or abs(turn[2] - old[2]) > MOVED:
            self._turn = turn
            at = self._began + begins if begins is not None else 0.0
            self._ring.add(self._began + now, TURN, turn[0], turn[1], 0, at)

    def _update_knobs(self, player: Player, now: float) -> None:
        written = self._knobs
        for index, knob in enumerate(KNOBS):
            value = getattr(player.knobs, knob.name)
            if value != written[index]:
                written[index] = value
                number = knob.choices.index(value) if knob.choices else value
                self._ring.add(self._began + now, KNOB, index, 0, 0, number)

    def _update_key(self, player: Player, now: float) -> None:
        follower = player.key
        if follower.tonic is None:
            key = UNKNOWN, 0, 0.0
        else:
            key = follower.tonic, int(follower.minor), round(follower.certainty, 2)
        if key != self._key:
            self._key = key
            self._ring.add(self._began + now, KEY, key[0], key[1], 0, key[2])

    def _update_tempo(self, player: Player, now: float) -> None:
        """Write the tempo in force: that of the MIDI clock, of the performer, or of the knob."""
        clock, pulse = player.clock, player.pulse(now)
        if clock.synced or pulse is None:
            source = MIDI_CLOCK if clock.synced else OWN_TEMPO
            bar, tempo = clock.beats_per_bar, clock.tempo
            first = clock.time_of(math.floor(clock.beat_at(now) / bar) * bar)
            steady = 100 if clock.synced else 0
        else:
            source, bar, tempo = PERFORMER_TEMPO, pulse.bar, pulse.tempo
            first, steady = pulse.downbeat, round(100 * pulse.certainty)
        if not math.isfinite(first) or not math.isfinite(tempo):
            source, first, tempo = NO_TEMPO, now, 0.0
        rounded = source, bar, round(tempo, 1), steady // 5
        if rounded != self._tempo:
            self._tempo = rounded
            self._ring.add(self._began + first, TEMPO, source, bar, steady, tempo)
