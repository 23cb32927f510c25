"""Notes down all that is asked of a player, and what it sends.

A player is a function of what it is asked: `replay` asks it once more.
"""

import contextlib
import math
from collections.abc import Callable

from ..generation.context import StepModel
from ..midi.smf import Ticked
from ..player.active_notes import MODEL
from ..player.commands import RELEASE_ALL, Do, Receive, Set, Think, Tick
from ..player.output_chain import Send
from ..player.player import Command, Player
from ..settings.config import Config
from .performance import SENT, THINK, TICK, TICKS, Entry, Recording, seconds
from .score import ModelOf, command_of, entry_of

Note = Callable[[Entry], None]
"""Keeps one entry. Called in the hot loop: it must only remember it."""


class Journal:
    """Stands before a player (see Player.journal) and tells `note` what it is asked.

    The times that the player is told are rounded up to ticks. A look at which nothing was due is
    noted only when something comes of it, and thinking that found nothing to do only once: a player
    at rest notes three entries a second.
    """

    def __init__(self, note: Note) -> None:
        self._note = note
        self._now = 0  # ticks: when the command came that is being performed
        self._looked = -1  # ticks: when it looked last, if that is not noted; -1: it is
        self._resting = False  # whether it has nothing to think about, and that is noted

    def heard_by(self, send: Send) -> Send:
        """What the model sends is noted, too."""

        def sent(owner: int, message: bytes) -> None:
            send(owner, message)
            if owner == MODEL:
                self._write(Entry(self._now, SENT, message))

        return sent

    def perform(self, player: Player, now: float, command: Command) -> bool:
        """Note a command and have the player perform it."""
        self._now = max(self._now, tick_of(now))
        time = seconds(self._now)
        if isinstance(command, Tick):
            due = player.next_due()
            self._looked = self._now
            if due is not None and due <= time:
                self._flush()
            return command.ask(player, time)
        if isinstance(command, Think):
            worked = command.ask(player, time)
            if worked or not self._resting:
                self._write(Entry(self._now, THINK))
            self._resting = not worked
            return worked
        self._write(entry_of(self._now, command))
        return command.ask(player, time)

    def _write(self, entry: Entry) -> None:
        self._resting = False
        self._flush()
        self._note(entry)

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
    old.perform(now, RELEASE_ALL)
    for message in old.announcement():
        new.perform(now, Receive(message))
    values, chosen = old.knobs.values(), old.control.chosen
    for name in sorted(values, key=lambda name: name == chosen):  # the chosen one last
        new.perform(now, Set(name, values[name]))
    if replying:
        new.perform(now, Do("take"))
    elif rests:
        new.perform(now, Do("give"))


def tick_of(now: float) -> int:
    """The first tick that is not before a time."""
    tick = math.ceil(now * TICKS)
    return tick if seconds(tick) >= now else tick + 1  # the product may have been rounded down


def replay(
    model: StepModel, config: Config, seed: int, recording: Recording, model_of: ModelOf
) -> list[Ticked]:
    """What the model plays when everything is asked of it once more."""
    played: list[Ticked] = []
    now = 0

    def send(owner: int, message: bytes) -> None:
        if owner == MODEL:
            played.append((now, message))

    player = Player(model, config, send, seed)
    for now, kind, data in recording.entries:
        command = command_of(kind, data, model_of)
        with contextlib.suppress(KeyError, ValueError):  # a Set or Do that was refused then, too
            player.perform(seconds(now), command)
    return played
