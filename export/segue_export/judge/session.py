"""Runs the daemon's player on a virtual clock, for hours, and collects the ids of its context."""

from collections import deque
from collections.abc import Callable, Sequence

import numpy as np
from segued.generation.context import StepModel
from segued.midi.messages import note_off, note_on
from segued.midi.notes import Note
from segued.player.player import Player
from segued.settings.config import Config
from segued.tokens.events import Event, NoteOff, NoteOn
from segued.tokens.tokenizer import decode

from .continuation import heard_events
from .features import notes_of

Timed = tuple[float, bytes]

GAP = 2.0  # seconds between two pieces


class Session:
    """One player. `heard`: all ids that entered its context, in order."""

    def __init__(self, model: StepModel, config: Config, seed: int) -> None:
        self.heard: list[int] = []
        self.now = 0.0
        self._player = Player(model, config, lambda owner, message: None, seed, self.heard)

    def hear(
        self, performance: Sequence[Timed], until: float, passed: Callable[[float], object]
    ) -> None:
        """Play a performance to it up to a time. `passed` is called with elapsed seconds."""
        waiting, player = deque(performance), self._player
        while self.now < until:
            while player.think(self.now):
                pass
            due = player.next_due()
            coming = waiting[0][0] if waiting else until
            now = min(until, max(self.now, coming if due is None else min(due, coming)))
            passed(now - self.now)
            self.now = now
            player.tick(now)
            while waiting and waiting[0][0] <= now:
                player.receive(now, waiting.popleft()[1])

    def turn(self, knob: str, value: object) -> None:
        """Turn a knob now."""
        self._player.set(self.now, knob, value)


def prompt(ids: np.ndarray, seconds: float, rng: np.random.Generator) -> list[Timed]:
    """A random passage of `seconds` of a piece, or the whole of a shorter one, from time 0."""
    notes = notes_of(decode(ids.tolist()))
    last = notes[-1].start
    start = rng.uniform(0.0, last - seconds) if last > seconds else 0.0
    inside = [
        Note(n.start - start, min(n.end - start, seconds), n.pitch, n.velocity)
        for n in notes
        if start <= n.start < start + seconds
    ]
    return messages(heard_events(inside, 0.0, seconds + 1e-6))


def programme(pieces: Sequence[np.ndarray], seconds: float) -> list[Timed]:
    """Pieces one after the other, repeated if necessary, for `seconds`."""
    played: list[Timed] = []
    begin, number = 0.0, 0
    while begin < seconds:
        events = decode(pieces[number % len(pieces)].tolist())
        played += [(begin + time, message) for time, message in messages(events)]
        begin, number = played[-1][0] + GAP, number + 1
    return [timed for timed in played if timed[0] < seconds]


def messages(events: Sequence[Event]) -> list[Timed]:
    """Note events as MIDI messages of channel 1."""
    result = []
    for event in events:
        if isinstance(event, NoteOn):
            result.append((event.time, note_on(0, event.pitch, event.velocity)))
        elif isinstance(event, NoteOff):
            result.append((event.time, note_off(0, event.pitch)))
    return result
