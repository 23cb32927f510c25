"""The performer's hand on the knobs: mapped messages become settings and actions.

Pure: it is told the time, asks the player to `set` and `do`, and keeps what was learned as a value
that whoever owns files may save. A message that is mapped is consumed.

A knob that is turned fast is set at once and then every `COALESCE` seconds; only its last place
counts in between.
"""

from collections.abc import Callable
from typing import Any, Protocol

from .binding import ControlBinding, after, notches
from .knobs import BY_NAME
from .mapping import Mapped, mapped_of
from .midi_learn import MidiLearn
from .options import ControlOptions
from .soft_takeover import place_of

COALESCE = 0.01  # seconds
DOWN = 64  # controller values from here on are "down"

_STATUS = {"cc": 0xB0, "note": 0x90, "program": 0xC0, "pressure": 0xD0, "bend": 0xE0}


class Steered(Protocol):
    """What is steered: see `segued.player.player.Player`."""

    @property
    def knobs(self) -> Any:
        """The values of all knobs, as attributes."""

    def set(self, now: float, name: str, value: Any) -> None:
        """Turn a knob."""

    def do(self, now: float, action: str) -> None:
        """Do something at once."""


class Controller:
    """Mappings, presets and learning for one player.

    `learning` holds what was learned. `say(line)` takes what the performer may want to know.
    """

    def __init__(
        self, options: ControlOptions, player: Steered, say: Callable[[str], None]
    ) -> None:
        self.options, self._player, self._say = options, player, say
        self._bound: dict[int, ControlBinding] = {}
        self._pending: dict[str, Any] = {}
        self._turned: dict[str, float] = {}  # when a knob was last set from here
        self._chosen = ""  # the knob that was turned last
        self._preset = -1
        self.learning = MidiLearn((m for m in options.map if m.learned), say)
        self._bind()

    @property
    def next_due(self) -> float | None:
        """When `tick` has a knob to set."""
        if not self._pending:
            return None
        return min(self._turned[name] for name in self._pending) + COALESCE

    def tick(self, now: float) -> None:
        """Set the knobs whose time has come."""
        if self._pending:
            for name in [n for n in self._pending if now >= self._turned[n] + COALESCE]:
                self._turned[name] = now
                self._player.set(now, name, self._pending.pop(name))

    def receive(self, now: float, message: bytes) -> bool:
        """Take a message of one of the channels; whether it goes no further."""
        status, kind = message[0], message[0] & 0xF0
        if kind == 0x80:
            status |= 0x10
        numbered = kind <= 0xC0
        bound = self._bound.get(status << 7 | message[1] if numbered else status << 7)
        if self.learning.fresh is not None:
            bound = self._widened(message, bound)
        if self.learning.waits and self._learns(now, message, bound):
            return True
        if bound is None or kind == 0xA0:
            return False
        if bound.mapped.source == "cc14":
            return self._half(now, bound, message)
        if kind == 0xB0:
            return self._controller(now, bound, message[2])
        if kind == 0xC0:
            self._press(now, bound)
        elif kind == 0x90 and message[2]:
            bound.down = True
            self._press(now, bound)
        elif kind <= 0x90:
            if not bound.down:  # its note-on was not consumed either
                return False
            bound.down = False
            self._let_go(now, bound)
        elif kind == 0xD0:
            return self._controller(now, bound, message[1])
        else:
            self._fade(now, bound, place_of(message[1] | message[2] << 7))
        return not bound.mapped.passes

    def apply(self, now: float, options: ControlOptions) -> None:
        """Go on with other options. What is held down is still down, unless it means nothing more;
        what was learned is known, unless somebody has changed its file."""
        if options.presets != self.options.presets:
            self._preset = -1
        self.options = options
        kept = tuple(m for m in options.map if m.learned)
        if options.learned is not None and kept != self.learning.kept:
            self.learning.learned = self.learning.kept = kept
        before = {id(bound): bound for bound in self._bound.values()}
        self._bind()
        bound = {id(bound) for bound in self._bound.values()}
        for gone in (before[key] for key in before.keys() - bound):
            if gone.down and gone.mapped.deed == "hold":
                self._let_go(now, gone)

    @property
    def chosen(self) -> str:
        """The knob that was turned last; "" before any was."""
        return self._chosen

    def choose(self, name: str) -> None:
        """This knob was turned, from elsewhere: `learn` and `unlearn` mean it from now on."""
        self._chosen = name

    def do(self, now: float, action: str) -> bool:
        """Do an action that is the business of control; whether it was one."""
        if action == "learn":
            chosen = self._chosen
            self.learning.listen(mapped_of({"note": 0, "learn": chosen}) if chosen else None)
        elif action == "unlearn":
            self._unlearn(self._chosen)
        elif action in ("next_preset", "previous_preset"):
            self._step_preset(now, 1 if action == "next_preset" else -1)
        else:
            return False
        return True

    def recall(self, now: float, name: str) -> None:
        """Set all knobs of a preset."""
        presets = self.options.presets
        self._preset = [preset.name for preset in presets].index(name)
        for knob, value in presets[self._preset].values:
            self._set(now, knob, value)
        self._say(f"preset {name}")

    def let_go(self, now: float) -> None:
        """The input is gone, or all is to be silent: whatever is held down is down no more."""
        for bound in self._bound.values():
            if bound.down:
                bound.down = False
                if bound.mapped.deed == "hold":
                    self._let_go(now, bound)
        self.learning.waits = None

    def _controller(self, now: float, bound: ControlBinding, value: int) -> bool:
        mapped = bound.mapped
        if mapped.style == "fader":
            bound.coarse = value
            self._fade(now, bound, value / 127)
        elif mapped.style != "button":
            self._encode(now, bound, notches(mapped.style, value))
        elif (value >= DOWN) != bound.down:
            bound.down = value >= DOWN
            if bound.down:
                self._press(now, bound)
            else:
                self._let_go(now, bound)
        return not mapped.passes

    def _half(self, now: float, bound: ControlBinding, message: bytes) -> bool:
        """Half of a controller of 14 bits. A coarse one sets the fine one to 0 (MIDI 1.0)."""
        fine = message[1] != bound.mapped.number
        if bound.mapped.style != "fader":
            return not bound.mapped.passes if fine else self._controller(now, bound, message[2])
        if not fine:
            bound.coarse = message[2]
        self._fade(now, bound, place_of(bound.coarse << 7 | (message[2] if fine else 0)))
        return not bound.mapped.passes

    def _fade(self, now: float, bound: ControlBinding, place: float) -> None:
        name = bound.mapped.name
        self._chosen = name
        current = self._value(name)
        value = bound.fader.move(place, current)
        if value is not None and value != current:
            self._turn(now, name, value)

    def _encode(self, now: float, bound: ControlBinding, notches: int) -> None:
        self._chosen = bound.mapped.name
        self._step(now, bound.mapped, notches * bound.mapped.step, self._turn)

    def _step(
        self, now: float, mapped: Mapped, step: float, turn: Callable[[float, str, Any], None]
    ) -> None:
        """Go some steps on from where the knob is; its ends are ends."""
        current = self._value(mapped.name)
        if mapped.values:
            at = mapped.values.index(current) if current in mapped.values else 0
            value = mapped.values[min(max(at + int(step), 0), len(mapped.values) - 1)]
        else:
            knob = BY_NAME[mapped.name]
            value = knob.check(min(max(current + step, mapped.low), mapped.high))
        if value != current:
            turn(now, mapped.name, value)

    def _press(self, now: float, bound: ControlBinding) -> None:
        mapped = bound.mapped
        deed, name = mapped.deed, mapped.name
        if name in BY_NAME and deed not in ("learn", "unlearn", "recall"):
            self._chosen = name
        if deed == "set":
            self._set(now, name, mapped.values[0])
        elif deed == "next":
            self._set(now, name, after(self._value(name), mapped.values))
        elif deed == "step":
            self._step(now, mapped, mapped.step, self._set)
        elif deed == "hold":
            bound.before = self._value(name)
            self._set(now, name, mapped.values[0])
        elif deed == "do":
            self._act(now, name)
        elif deed == "recall":
            self.recall(now, name)
        elif deed == "learn":
            self.learning.listen(mapped)
        else:
            self._unlearn(name)

    def _let_go(self, now: float, bound: ControlBinding) -> None:
        mapped = bound.mapped
        if mapped.deed == "hold":
            if self._value(mapped.name) == mapped.values[0]:
                self._set(now, mapped.name, bound.before)
        elif mapped.release:
            self._act(now, mapped.release)

    def _act(self, now: float, action: str) -> None:
        if not self.do(now, action):
            self._player.do(now, action)

    def _value(self, name: str) -> Any:
        """What a knob is, or is about to be."""
        return self._pending[name] if name in self._pending else getattr(self._player.knobs, name)

    def _set(self, now: float, name: str, value: Any) -> None:
        self._pending.pop(name, None)
        self._turned[name] = now
        self._player.set(now, name, value)

    def _turn(self, now: float, name: str, value: Any) -> None:
        """As `_set`, but not more often than every `COALESCE` seconds."""
        if name in self._pending or now < self._turned.get(name, -COALESCE) + COALESCE:
            self._pending[name] = value
        else:
            self._set(now, name, value)

    def _step_preset(self, now: float, step: int) -> None:
        presets = self.options.presets
        if presets:
            first = -1 if step > 0 else 0  # before any was recalled
            at = self._preset if self._preset >= 0 else first
            self.recall(now, presets[(at + step) % len(presets)].name)

    def _learns(self, now: float, message: bytes, bound: ControlBinding | None) -> bool:
        """Whether a message is what learning waits for; then it is mapped, and does its deed."""
        if bound is not None and bound.mapped.learns:
            return False
        new = self.learning.catch(message)
        if new is None:
            return False
        self._bind()
        fresh = self._bound[message[0] << 7 | message[1]]
        if new.deed == "fade":
            self._controller(now, fresh, message[2])
        else:  # it was pressed to be learned, not to be heard
            fresh.down = message[2] >= (DOWN if new.source == "cc" else 1)
        return True

    def _widened(self, message: bytes, bound: ControlBinding | None) -> ControlBinding | None:
        """What a message is bound to, now that it follows one that was learned."""
        coarse = self.learning.fresh
        if bound is not None:
            self.learning.fresh = None
        if coarse is None or self.learning.widen(message) is None:
            return bound
        coarse_place = self._bound[message[0] << 7 | coarse.number].coarse
        self._bind()
        bound = self._bound[message[0] << 7 | message[1]]
        bound.coarse = coarse_place
        return bound

    def _unlearn(self, name: str) -> None:
        if self.learning.unlearn(name):
            self._bind()

    def _bind(self) -> None:
        """The table of what moves; what was already bound keeps its state."""
        bound: dict[int, ControlBinding] = {}
        pick_up = self.options.pick_up
        for mapped in (*(m for m in self.options.map if not m.learned), *self.learning.learned):
            for channel in mapped.channels:
                own: ControlBinding | None = None
                for source, number in mapped.moves:
                    key = (_STATUS[source] | channel) << 7 | number
                    old = self._bound.get(key)
                    if old is not None and (old.mapped, old.pick_up) == (mapped, pick_up):
                        own = own or old
                    bound[key] = own = own or ControlBinding(mapped, pick_up)
        self._bound = bound
