"""Fakes that the tests of the core share: models, a synth, a piano, and a clock that jumps."""

from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from segued.generation.context import StepModel
from segued.player.active_notes import MODEL, PERFORMER
from segued.player.commands import RELEASE_ALL, THINK, TICK, Do, Receive, Set
from segued.player.player import Command, Player
from segued.settings.config import Config
from segued.settings.yaml_file import load_settings
from segued.tokens.events import Event, NoteOff, NoteOn, Pedal
from segued.tokens.vocabulary import (
    NOTE_OFF,
    NOTE_ON,
    PERFORMANCE,
    TIME_SHIFT,
    VELOCITY,
    Vocabulary,
)

Floats = NDArray[np.float32]
Timed = tuple[float, bytes]


class FoldingModel:
    """A model whose state is folded from all its ids, so equal states mean equal ids, in order.

    The logits are a hash of the state, with some sense of what music is made of: shifts are short
    and note-offs likely, so that its replies have a few notes a second.
    """

    vocabulary: Vocabulary = PERFORMANCE
    _MULTIPLIERS = np.array([31, 57, 101, 163, 1], np.int64)
    _PRIME = 65521  # times the largest multiplier still a whole number in float32

    def __init__(self) -> None:
        self.steps = 0
        size = len(self.vocabulary)
        rng = np.random.default_rng(388)
        self._table = rng.normal(0.0, 2.0, 4096 + size).astype(np.float32)
        self._taste = np.zeros(size, np.float32)
        shifts = self.vocabulary.ids(TIME_SHIFT)
        self._taste[shifts.start : shifts.stop] = np.linspace(4.0, 0.0, len(shifts))
        offs = self.vocabulary.ids(NOTE_OFF)
        self._taste[offs.start : offs.stop] = 3.0

    def initial_state(self) -> Floats:
        return np.zeros(len(self._MULTIPLIERS), np.float32)

    def step(self, ids: Sequence[int], state: Floats) -> tuple[Floats, Floats]:
        assert len(ids) > 0
        self.steps += 1
        folded = state.astype(np.int64)
        for id in ids:
            folded = (folded * self._MULTIPLIERS + id + 1) % self._PRIME
        start = int(folded[:-1].sum()) % 4096
        logits = self._table[start : start + len(self._taste)] + self._taste
        return logits, folded.astype(np.float32)

    def state_after(self, ids: Sequence[int]) -> Floats:
        """The state of a model that was fed with exactly these ids."""
        return self.step(ids, self.initial_state())[1] if ids else self.initial_state()


class ScriptedModel:
    """A model that plays given ids and rests ever after. Its state is its place in the script.

    Play it at temperature 0. The script begins anew when something else is heard; its first id
    should be one that the performer never causes (a velocity of its own, say).
    """

    vocabulary: Vocabulary = PERFORMANCE

    def __init__(self, script: Sequence[int]) -> None:
        self._script = [*script]
        self._rest = self.vocabulary.id(TIME_SHIFT, self.vocabulary.max_shift())

    def initial_state(self) -> Floats:
        return np.zeros(1, np.float32)

    def step(self, ids: Sequence[int], state: Floats) -> tuple[Floats, Floats]:
        place = int(state[0])
        for id in ids:
            if id == self._next(place):
                place = min(place + 1, len(self._script))
            else:
                place = 1 if id == self._script[0] else 0
        logits = np.zeros(len(self.vocabulary), np.float32)
        logits[self._next(place)] = 1.0
        return logits, np.array([place], np.float32)

    def _next(self, place: int) -> int:
        return self._script[place] if place < len(self._script) else self._rest


def tokens(text: str, vocabulary: Vocabulary = PERFORMANCE) -> list[int]:
    """Ids of a line such as "v20 on60 t50 off60"."""
    kinds = {"on": NOTE_ON, "off": NOTE_OFF, "t": TIME_SHIFT, "v": VELOCITY}
    ids = []
    for word in text.split():
        kind = word.rstrip("0123456789")
        ids.append(vocabulary.id(kinds[kind], int(word[len(kind) :])))
    return ids


def words(ids: Sequence[int], vocabulary: Vocabulary = PERFORMANCE) -> str:
    """The line that `tokens` reads."""
    kinds = {NOTE_ON: "on", NOTE_OFF: "off", TIME_SHIFT: "t", VELOCITY: "v"}
    return " ".join(f"{kinds[kind]}{value}" for kind, value in map(vocabulary.token, ids))


def note_on(pitch: int, velocity: int = 80, channel: int = 0) -> bytes:
    return bytes((0x90 | channel, pitch, velocity))


def note_off(pitch: int, velocity: int = 64, channel: int = 0) -> bytes:
    return bytes((0x80 | channel, pitch, velocity))


def control(controller: int, value: int, channel: int = 0) -> bytes:
    return bytes((0xB0 | channel, controller, value))


def pedal(down: bool, channel: int = 0) -> bytes:
    return control(64, 127 if down else 0, channel)


def settings(*lines: str) -> Config:
    """The defaults with `section.key=value` lines on top."""
    return load_settings(None, lines)


class Synth:
    """A sound module at the end of the wire, as strict as there is one.

    Each note-on starts a voice of its own and each note-off ends only one of them (MIDI 1.0 leaves
    that to the receiver). `deaf` ones ignore channel mode messages, as some do.
    """

    def __init__(self, deaf: bool = False) -> None:
        self._deaf = deaf
        self.keys: dict[tuple[int, int], int] = {}
        self.sustained: set[tuple[int, int]] = set()
        self._caught: set[tuple[int, int]] = set()  # by the sostenuto pedal
        self._pedals: set[int] = set()

    @property
    def sounding(self) -> set[tuple[int, int]]:
        """(channel, pitch) of all that sounds, by key or by pedal."""
        return set(self.keys) | self.sustained

    def take(self, message: bytes) -> None:
        status, channel = message[0] & 0xF0, message[0] & 0x0F
        if status == 0x90 and message[2] > 0:
            key = (channel, message[1])
            self.keys[key] = self.keys.get(key, 0) + 1
        elif status in (0x80, 0x90):
            self._release((channel, message[1]))
        elif status == 0xB0 and message[1] == 64:
            self._pedal(channel, message[2] >= 64)
        elif status == 0xB0 and message[1] == 66:
            self._sostenuto(channel, message[2] >= 64)
        elif status == 0xB0 and message[1] == 121:
            self._pedal(channel, False)
            self._sostenuto(channel, False)
        elif status == 0xB0 and message[1] >= 120 and message[1] != 122 and not self._deaf:
            self._all_off(channel, at_once=message[1] == 120)

    def _release(self, key: tuple[int, int]) -> None:
        voices = self.keys.pop(key, 0)
        if voices > 1:
            self.keys[key] = voices - 1
        if voices and (key[0] in self._pedals or key in self._caught):
            self.sustained.add(key)

    def _pedal(self, channel: int, down: bool) -> None:
        if down:
            self._pedals.add(channel)
        else:
            self._pedals.discard(channel)
            self.sustained = {
                key for key in self.sustained if key[0] != channel or key in self._caught
            }

    def _sostenuto(self, channel: int, down: bool) -> None:
        self._caught = {key for key in self._caught if key[0] != channel}
        if down:
            self._caught |= {key for key in self.keys if key[0] == channel}
        elif channel not in self._pedals:
            self.sustained = {key for key in self.sustained if key[0] != channel}

    def _all_off(self, channel: int, at_once: bool) -> None:
        held = {key for key in self.keys if key[0] == channel}
        for key in held:
            del self.keys[key]
        if at_once:
            self.sustained = {key for key in self.sustained if key[0] != channel}
            self._caught = {key for key in self._caught if key[0] != channel}
        elif channel in self._pedals:
            self.sustained |= held
        else:
            self.sustained |= held & self._caught


@dataclass(frozen=True, order=True)
class Sound:
    """A note as it was heard: quantized."""

    start: int
    pitch: int
    end: int
    bin: int


class Piano:
    """What sounds, worked out the plain way: one string for each pitch, steps of 10 ms.

    Notes of no length are none; the rest last at least a step.
    """

    def __init__(self, vocabulary: Vocabulary = PERFORMANCE) -> None:
        self.vocabulary = vocabulary
        self.sounds: list[Sound] = []
        self._strings: dict[int, tuple[int, int, int]] = {}  # pitch -> start, bin, part
        self._ringing: dict[int, int] = {}  # pitch -> part whose pedal holds it
        self._pedals: set[int] = set()

    def play(self, event: Event) -> None:
        step = self.vocabulary.step_of(event.time)
        if isinstance(event, NoteOn):
            self._damp(event.pitch, step)
            same = [s for s in self.sounds[-9:] if (s.pitch, s.start) == (event.pitch, step)]
            for sound in same:  # struck twice within a step: the later one is the note
                self.sounds.remove(sound)
            bin = self.vocabulary.bin_of(event.velocity)
            self._strings[event.pitch] = (step, bin, event.part)
        elif isinstance(event, NoteOff):
            if self._strings.get(event.pitch, (0, 0, None))[2] != event.part:
                return
            if event.part in self._pedals:
                self._ringing[event.pitch] = event.part
            else:
                self._damp(event.pitch, step)
        elif event.down:
            self._pedals.add(event.part)
        else:
            self._pedals.discard(event.part)
            for pitch in [p for p, part in self._ringing.items() if part == event.part]:
                self._damp(pitch, step)

    def _damp(self, pitch: int, step: int) -> None:
        if pitch in self._strings:
            start, bin, _ = self._strings.pop(pitch)
            self._ringing.pop(pitch, None)
            self.sounds.append(Sound(start, pitch, max(step, start + 1), bin))

    def keys_up(self, time: float, part: int) -> None:
        """Somebody lifts all fingers and the foot."""
        self.play(Pedal(time, False, part))
        for pitch in [p for p, (_, _, by) in self._strings.items() if by == part]:
            self.play(NoteOff(time, pitch, part))

    def finish(self, time: float) -> list[Sound]:
        """All that sounded so far; what still sounds is damped now, and the pedals lift."""
        self._pedals.clear()
        for pitch in list(self._strings):
            self._damp(pitch, self.vocabulary.step_of(time))
        return sorted(self.sounds)


def sounds_of(events: Sequence[Event]) -> list[Sound]:
    """The quantized notes of a finished performance."""
    piano = Piano()
    for event in events:
        piano.play(event)
    return piano.finish(events[-1].time if events else 0.0)


@dataclass
class Session:
    """A player under a clock that jumps, and a record of all that went in and came out.

    `thoughts()` says how many steps it may think whenever it has the chance; None: all there are.
    It looks at the player every `poll` seconds, by default as often as it must to be in time.
    `watch(session)` looks on after each thing that happens. `log` holds (time, owner, message) in
    the order in which it happened, with the owner None for what the performer played.
    """

    model: StepModel
    config: Config = field(default_factory=settings)
    seed: int = 0
    thoughts: Callable[[], int | None] = lambda: None
    watch: Callable[["Session"], None] = lambda session: None
    poll: float = 0.0
    now: float = 0.0
    ended: float = 0.0
    log: list[tuple[float, int | None, bytes]] = field(default_factory=list)
    heard: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.player = Player(self.model, self.config, self._send, self.seed, self.heard)

    def _send(self, owner: int, message: bytes) -> None:
        self.log.append((self.now, owner, message))

    def perform(self, command: Command) -> bool:
        """The player is asked something now."""
        return self.player.perform(self.now, command)

    def receive(self, message: bytes) -> None:
        """The performer plays a message now."""
        self.log.append((self.now, None, message))
        self.perform(Receive(message))
        self.watch(self)
        self.think()

    def set(self, name: str, value: object) -> None:
        """A knob is turned now."""
        self.perform(Set(name, value))
        self.watch(self)
        self.think()

    def do(self, action: str) -> None:
        """An action is asked for now. A panic is noted as what asks for it on the wire."""
        if action == "panic":
            self.log.append((self.now, None, control(120, 0)))
        self.perform(Do(action))
        self.watch(self)
        self.think()

    def think(self) -> None:
        limit = self.thoughts()
        while (limit is None or limit > 0) and self.perform(THINK):
            limit = None if limit is None else limit - 1

    def until(self, time: float) -> None:
        """Let time pass up to `time`, with a look whenever something is due."""
        for _ in range(100_000):
            moment = max(self.now, self._next_moment())
            if moment > time:
                break
            self.now = moment
            self._tick()
        else:
            raise AssertionError(f"{self.now}: something is due all the time")
        self.now = time
        self._tick()

    def wait(self, ms: int) -> None:
        """Let time pass, to a whole millisecond that is not half-way between two steps."""
        end = round(self.now * 1000) + ms
        self.until(max(self.now, (end + (end % 10 == 5)) / 1000))

    def play(self, performance: Sequence[Timed]) -> None:
        """Timed messages, from now on."""
        start = self.now
        for time, message in performance:
            self.until(max(self.now, start + time))
            self.receive(message)

    def tap(self, pitch: int, ms: int, velocity: int = 80, channel: int = 0) -> None:
        """A key goes down and comes up again."""
        self.receive(note_on(pitch, velocity, channel))
        self.wait(ms)
        self.receive(note_off(pitch, channel=channel))

    def await_note(self) -> None:
        """Wait for the model to begin a note, five seconds at most."""
        before, end = self._last_note(), self.now + 5.0
        while self._last_note() == before and self.now < end:
            self.until(min(end, max(self.now, self._next_moment())))

    def echo(self, ms: int, channel: int = 0) -> None:
        """The performer strikes the very key that the model strikes next, a little later."""
        self.await_note()
        self.wait(ms)
        last = self._last_note()
        self.tap(last[1][1] if last else 60, 100, channel=channel)

    def lift(self, pitch: int, ms: int, channel: int = 0) -> None:
        """A pedal that holds a note lifts a little after the model has begun to play."""
        self.receive(pedal(True, channel))
        self.tap(pitch, 100, channel=channel)
        self.await_note()
        self.wait(ms)
        self.receive(pedal(False, channel))

    def silence(self) -> None:
        """The engine's last act; then time enough for all ids to come out and to be taken in."""
        self.ended = self.now
        self.perform(RELEASE_ALL)
        self.watch(self)
        self.until(self.now + 0.05)
        while self.perform(THINK):
            pass

    def _last_note(self) -> Timed | None:
        for time, owner, message in reversed(self.log):
            if owner == MODEL and message[0] & 0xF0 == 0x90:
                return time, message
        return None

    def _tick(self) -> None:
        self.perform(TICK)
        self.watch(self)
        self.think()

    def _next_moment(self) -> float:
        moments = [self.now + (self.poll or self.config.turns.lookahead / 4)]
        due = self.player.next_due()
        if due is not None:
            moments.append(due)
        if self.player.improviser.context.encoder.holds:
            moments.append(self.now + 0.01)
        return min(moments)

    def sounding(self, deaf: bool = False) -> AbstractSet[tuple[int, int]]:
        """(channel, pitch) of what sounds on a synth that took all that came out."""
        synth = Synth(deaf)
        for _, owner, message in self.log:
            if owner is not None:
                synth.take(message)
        return synth.sounding

    @property
    def received(self) -> list[bytes]:
        """What the performer played."""
        return [message for _, owner, message in self.log if owner is None]

    @property
    def passed(self) -> list[bytes]:
        """What the performer's messages became on the wire."""
        return [message for _, owner, message in self.log if owner == PERFORMER]

    @property
    def replies(self) -> list[Timed]:
        """What the model played."""
        return [(time, message) for time, owner, message in self.log if owner == MODEL]

    def notes(self) -> list[tuple[float, str]]:
        """The model's part as (time, "on60")."""
        kinds = {0x90: "on", 0x80: "off"}
        return [
            (round(time, 6), f"{kinds[message[0] & 0xF0]}{message[1]}")
            for time, message in self.replies
            if message[0] & 0xF0 in kinds
        ]
