"""A player that notes down everything that is asked of it, and what it sends.

A player is a function of these calls: `replay` makes them once more.
"""

import contextlib
import json
import math
from collections.abc import Callable
from typing import Any

from ..music.midi_tracks import Ticked
from ..musician.memory import StepModel, Taught
from ..player import Player
from ..routing.active_notes import MODEL
from ..routing.wire import Send
from ..settings.config import Config
from .change import Change
from .performance import (
    APPLY,
    DO,
    GO_ON,
    LIFT,
    PANIC,
    RECEIVE,
    SENT,
    SET,
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
    found nothing to do only once: a player at rest notes three entries a second.
    """

    def __init__(
        self,
        model: StepModel,
        config: Config,
        send: Send,
        seed: int,
        note: Note,
        heard: list[int] | None = None,
    ) -> None:
        self._note = note
        self._now = 0  # ticks: when the call came that is being served
        self._serving = False  # so that what it asks of itself is not noted
        self._looked = -1  # ticks: when it looked last, if that is not noted; -1: it is
        self._resting = False  # whether it has nothing to think about, and that is noted

        def sent(owner: int, message: bytes) -> None:
            send(owner, message)
            if owner == MODEL:
                self._write(SENT, message)

        super().__init__(model, config, sent, seed, heard)

    def receive(self, now: float, message: bytes) -> None:
        """See Player."""
        time = self._serve(now, RECEIVE, message)
        super().receive(time, message)
        self._serving = False

    def tick(self, now: float) -> None:
        """See Player."""
        self._now = max(self._now, tick_of(now))
        time, due = seconds(self._now), self.next_due()
        self._looked = self._now
        if due is not None and due <= time:
            self._flush()
        self._serving = True
        super().tick(time)
        self._serving = False

    def think(self, now: float) -> bool:
        """See Player."""
        self._now = max(self._now, tick_of(now))
        self._serving = True
        worked = super().think(seconds(self._now))
        self._serving = False
        if worked or not self._resting:
            self._write(THINK)
        self._resting = not worked
        return worked

    def silence(self, now: float) -> None:
        """See Player."""
        self._ask(now, SILENCE, b"", super().silence)

    def panic(self, now: float) -> None:
        """See Player."""
        self._ask(now, PANIC, b"", super().panic)

    def go_on(self, now: float) -> None:
        """See Player."""
        self._ask(now, GO_ON, b"", super().go_on)

    def lift(self, now: float) -> None:
        """See Player."""
        self._ask(now, LIFT, b"", super().lift)

    def apply(self, now: float, config: Config, taught: Taught | None = None) -> None:
        """See Player."""
        ask, change = super().apply, Change(config, taught)
        self._ask(now, APPLY, change, lambda now: ask(now, config, taught))

    def set(self, now: float, name: str, value: Any) -> None:
        """See Player."""
        ask = super().set
        self._ask(now, SET, json.dumps([name, value]).encode(), lambda now: ask(now, name, value))

    def do(self, now: float, action: str) -> None:
        """See Player."""
        ask = super().do
        self._ask(now, DO, action.encode(), lambda now: ask(now, action))

    def _ask(
        self, now: float, kind: int, data: bytes | Change, ask: Callable[[float], None]
    ) -> None:
        if self._serving:
            ask(now)
            return
        try:
            ask(self._serve(now, kind, data))
        finally:
            self._serving = False

    def _serve(self, now: float, kind: int, data: bytes | Change = b"") -> float:
        """Note a call; the time that it is told."""
        self._now = max(self._now, tick_of(now))
        self._write(kind, data)
        self._serving = True
        return seconds(self._now)

    def _write(self, kind: int, data: bytes | Change = b"") -> None:
        self._resting = False
        self._flush()
        self._note(Entry(self._now, kind, data))

    def _flush(self) -> None:
        """Note the last look, if it is not noted yet."""
        if self._looked >= 0:
            looked, self._looked = self._looked, -1
            self._note(Entry(looked, TICK))


def hand_over(old: Player, new: Player, now: float) -> None:
    """A recording begins: `new` goes on where `old` was, as far as a replay can be told.

    It has heard nothing, but the knobs stand as they did, the zones of an MPE keyboard are known,
    and it plays, rests or waits for the DAW's Start as `old` did. `old` is used no more.
    """
    replying, rests = old.replying, old.rests
    old.silence(now)
    for message in old.announcement():
        new.receive(now, message)
    for name, value in old.knobs.values().items():
        new.set(now, name, value)
    if replying:
        new.do(now, "take")
    elif rests:
        new.do(now, "give")


def tick_of(now: float) -> int:
    """The first tick that is not before a time."""
    tick = math.ceil(now * TICKS)
    return tick if seconds(tick) >= now else tick + 1  # the product may have been rounded down


def replay(
    model: StepModel,
    config: Config,
    seed: int,
    recording: Recording,
    model_of: Callable[[Config, dict[str, str]], StepModel],
) -> list[Ticked]:
    """What the model plays when everything is asked of it once more.

    `model_of` (see Change) gives the models that were taken while it played.
    """
    played: list[Ticked] = []
    now = 0

    def send(owner: int, message: bytes) -> None:
        if owner == MODEL:
            played.append((now, message))

    player = Player(model, config, send, seed)
    for now, kind, data in recording.entries:
        if kind == APPLY:
            change = Change.read(bytes(data), model_of)
            player.apply(seconds(now), change.config, change.taught)
        else:
            _CALLS[kind](player, seconds(now), bytes(data))
    return played


def _set(player: Player, now: float, data: bytes) -> None:
    name, value = json.loads(data)
    with contextlib.suppress(KeyError, ValueError):  # as when it was asked for first
        player.set(now, name, value)


def _do(player: Player, now: float, data: bytes) -> None:
    with contextlib.suppress(KeyError):
        player.do(now, data.decode())


_CALLS: dict[int, Callable[[Player, float, bytes], object]] = {
    RECEIVE: lambda player, now, data: player.receive(now, data),
    TICK: lambda player, now, data: player.tick(now),
    THINK: lambda player, now, data: player.think(now),
    SILENCE: lambda player, now, data: player.silence(now),
    PANIC: lambda player, now, data: player.panic(now),
    GO_ON: lambda player, now, data: player.go_on(now),
    LIFT: lambda player, now, data: player.lift(now),
    SET: _set,
    DO: _do,
}
