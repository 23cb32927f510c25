"""Logs all commands to a player and all messages that it sends; replays the commands.

A player is a function of its commands, so the same commands give the same messages.
"""

import contextlib
import math
from collections.abc import Callable

from ..generation.context import StepModel
from ..midi.smf import Ticked
from ..player.active_notes import MODEL
from ..player.commands import RELEASE_ALL, Do, Hear, Receive, Set, Think, Tick
from ..player.output_chain import Send
from ..player.player import Command, Player
from ..settings.config import Config
from .performance import SENT, TEMPO_HEARD, THINK, TICK, TICKS, Entry, Recording, seconds
from .score import ModelOf, command_of, entry_of

Note = Callable[[Entry], None]
"""Stores one entry. Called in the hot loop, so it must be quick."""


class Journal:
    """Logs the commands to a player (see Player.journal) by calling `note`.

    The times that the player gets are rounded up to ticks. A Tick at which nothing was due is
    logged only if another command follows, and a Think that found nothing to do only once. So an
    idle player logs three entries per second.
    """

    def __init__(self, note: Note) -> None:
        self._note = note
        self._now = 0  # the time of the present command, in ticks
        self._ticked = -1  # the time of the last Tick if it is not logged yet; -1: it is
        self._resting = False  # whether the last logged command is a Think with nothing to do
        self._replying = False  # whether the model had the floor after the last Tick

    def heard_by(self, send: Send) -> Send:
        """A `send` that also logs the model's messages."""

        def sent(owner: int, message: bytes) -> None:
            send(owner, message)
            if owner == MODEL:
                self._write(Entry(self._now, SENT, message))

        return sent

    def perform(self, player: Player, now: float, command: Command) -> bool:
        """Log a command and execute it."""
        self._now = max(self._now, tick_of(now))
        time = seconds(self._now)
        if isinstance(command, Tick):
            due = player.next_due()
            self._ticked = self._now
            if due is not None and due <= time:
                self._flush()
            command.ask(player, time)
            if player.replying is not self._replying:
                self._replying = not self._replying
                if self._replying:
                    self._note(Entry(self._now, TEMPO_HEARD, tempo_of(player, time).encode()))
            return False
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
        """Log the last Tick, if it is not logged yet."""
        if self._ticked >= 0:
            ticked, self._ticked = self._ticked, -1
            self._note(Entry(ticked, TICK))


def tempo_of(player: Player, now: float) -> str:
    """The tempo that a reply follows now, and how sure it is, in words."""
    if player.clock.synced:
        return f"tempo {player.clock.tempo:.1f}, MIDI clock"
    pulse = player.pulse(now)
    if pulse is None:
        return "no tempo"
    return f"tempo {pulse.tempo:.1f}, certainty {pulse.certainty:.2f}"


def hand_over(old: Player, new: Player, now: float) -> None:
    """Bring `new` into the state of `old` by commands, which its recording then contains.

    Its context is empty, but it has the same knobs, MPE zones and repertoire, and it plays, pauses
    or waits for the DAW's Start as `old` did. `old` must not be used afterwards.
    """
    replying, rests = old.replying, old.rests
    old.perform(now, RELEASE_ALL)
    new.notices.extend(old.notices)
    for message in old.announcement():
        new.perform(now, Receive(message))
    values, chosen = old.knobs.values(), old.control.chosen
    for name in sorted(values, key=lambda name: name == chosen):  # the knob turned last comes last
        new.perform(now, Set(name, values[name]))
    if old.repertoire:
        new.perform(now, Hear(old.repertoire))
    if replying:
        new.perform(now, Do("take"))
    elif rests:
        new.perform(now, Do("give"))


def tick_of(now: float) -> int:
    """A time rounded up to ticks."""
    tick = math.ceil(now * TICKS)
    return tick if seconds(tick) >= now else tick + 1  # the product may be rounded down


def replay(
    model: StepModel, config: Config, seed: int, recording: Recording, model_of: ModelOf
) -> list[Ticked]:
    """Execute all commands of a recording; return the messages that the model sends."""
    played: list[Ticked] = []
    now = 0

    def send(owner: int, message: bytes) -> None:
        if owner == MODEL:
            played.append((now, message))

    player = Player(model, config, send, seed)
    for now, kind, data in recording.entries:
        command = command_of(kind, data, model_of)
        with contextlib.suppress(KeyError, ValueError):  # a Set or Do that was also refused then
            player.perform(seconds(now), command)
    return played
