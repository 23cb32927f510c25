"""A player that notes down everything that is asked of it, and what it sends.

A player is a function of these calls: `replay` makes them once more.
"""

import math
from collections.abc import Callable

from .active_notes import MODEL
from .config import Config
from .memory import StepModel
from .music.midi_tracks import Ticked
from .player import Player, Send
from .recording import (
    PANIC,
    RECEIVE,
    SENT,
    SILENCE,
    THINK,
    TICK,
    TICKS,
    Entry,
    Recording,
    seconds,
)

Note = Callable[[Entry], None]
"""Keeps one entry. Called in the hot loop: it must only remember it."""


class RecordedPlayer(Player):
    """Plays as a Player does and tells `note` how. The times it is given are rounded up to ticks.

    A look at which nothing was due is noted only when something comes of it, and thinking that
    found nothing to do only once: a player at rest notes nothing.
    """

    def __init__(self, model: StepModel, config: Config, send: Send, seed: int, note: Note) -> None:
        self._note = note
        self._now = 0  # ticks: when the call came that is being served
        self._serving = False  # so that what it asks of itself is not noted
        self._looked = -1  # ticks: when it looked last, if that is not noted; -1: it is
        self._resting = False  # whether it has nothing to think about, and that is noted

        def sent(owner: int, message: bytes) -> None:
            send(owner, message)
            if owner == MODEL:
                self._write(SENT, message)

        super().__init__(model, config, sent, seed)

    def receive(self, now: float, message: bytes) -> None:
        """See Player."""
        time = self._serve(now, RECEIVE, message)
        super().receive(time, message)
        self._serving = False

    def tick(self, now: float) -> None:
        """See Player."""
        self._now = math.ceil(now * TICKS)
        time, due = seconds(self._now), self.next_due()
        self._looked = self._now
        if due is not None and due <= time:
            self._flush()
        self._serving = True
        super().tick(time)
        self._serving = False

    def think(self, now: float) -> bool:
        """See Player."""
        self._now = math.ceil(now * TICKS)
        self._serving = True
        worked = super().think(seconds(self._now))
        self._serving = False
        if worked or not self._resting:
            self._write(THINK)
        self._resting = not worked
        return worked

    def silence(self, now: float) -> None:
        """See Player."""
        if self._serving:
            return super().silence(now)
        super().silence(self._serve(now, SILENCE))
        self._serving = False

    def panic(self, now: float) -> None:
        """See Player."""
        if self._serving:
            return super().panic(now)
        super().panic(self._serve(now, PANIC))
        self._serving = False

    def _serve(self, now: float, kind: int, data: bytes = b"") -> float:
        """Note a call; the time that it is told."""
        self._now = math.ceil(now * TICKS)
        self._write(kind, data)
        self._serving = True
        return seconds(self._now)

    def _write(self, kind: int, data: bytes = b"") -> None:
        self._resting = False
        self._flush()
        self._note(Entry(self._now, kind, data))

    def _flush(self) -> None:
        """Note the last look, if it is not noted yet."""
        if self._looked >= 0:
            looked, self._looked = self._looked, -1
            self._note(Entry(looked, TICK))


def replay(model: StepModel, config: Config, seed: int, recording: Recording) -> list[Ticked]:
    """What the model plays when everything is asked of it once more."""
    played: list[Ticked] = []
    now = 0

    def send(owner: int, message: bytes) -> None:
        if owner == MODEL:
            played.append((now, message))

    player = Player(model, config, send, seed)
    for now, kind, data in recording.entries:
        time = seconds(now)
        if kind == RECEIVE:
            player.receive(time, data)
        elif kind == TICK:
            player.tick(time)
        elif kind == THINK:
            player.think(time)
        elif kind == SILENCE:
            player.silence(time)
        elif kind == PANIC:
            player.panic(time)
    return played
