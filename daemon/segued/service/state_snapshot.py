"""Reads the numbers for the state file from a player and its engine. In the hot loop: 10 µs, and
0.4 ms for a chord that the tempo follower has not settled yet.
"""

from ..control.knobs import MODES
from .engine import Engine
from .state_numbers import NUMBERS

_INDEX = {number.name: index for index, number in enumerate(NUMBERS)}


class Snapshot:
    """Fills the list `values`, in the order of `NUMBERS`, without allocating another."""

    def __init__(self) -> None:
        self.values = [0.0] * len(NUMBERS)
        self.ports_lost = self.reloads = self.refusals = 0
        self.started = 0.0

    def read(self, engine: Engine, now: float) -> list[float]:
        """The numbers at `now` (in the engine's seconds)."""
        player, began = engine.player, engine.began
        turns, context = player.turns, player.improviser.context
        held, deadline = turns.held, turns.deadline
        channel, pitch = held if held else (-1, -1)
        pedals, pulse = context.encoder.pedals, player.pulse(now)
        self._put(
            clock=began + now,
            started=self.started,
            received=engine.received,
            sent=engine.sent,
            notes_played=engine.notes_played,
            notes_thru=engine.notes_thru,
            replies=engine.replies,
            planned=engine.lateness.count,
            late=engine.late,
            steps=engine.steps.count,
            skipped_ids=context.skipped,
            backlog_ids=len(context.backlog),
            ports_lost=self.ports_lost,
            reloads=self.reloads,
            refusals=self.refusals,
            last_received=began + engine.last_received if engine.last_received else 0.0,
            last_struck=began + engine.last_struck if engine.last_struck > 0 else 0.0,
            last_played=began + engine.last_played if engine.last_played else 0.0,
            peers_in=engine.peers[0],
            peers_out=engine.peers[1],
            connected=not engine.lost,
            replying=player.replying,
            held_channel=channel,
            held_pitch=pitch,
            pedal_channel=min(pedals, default=-1),
            reply_in=-1.0 if deadline is None or player.replying else max(0.0, deadline - now),
            mode=MODES.index(player.knobs.mode),
            gate=player.knobs.gate,
            rests=player.rests,
            loop=-1.0 if engine.echoes.latency is None else engine.echoes.latency,
            tempo=player.clock.tempo,
            heard_tempo=-1.0 if pulse is None else pulse.tempo,
            heard_tempo_certainty=-1.0 if pulse is None else pulse.certainty,
            clock_synced=player.clock.synced,
            clock_running=player.clock.running,
        )
        return self.values

    def _put(self, **numbers: float) -> None:
        for name, value in numbers.items():
            self.values[_INDEX[name]] = value
