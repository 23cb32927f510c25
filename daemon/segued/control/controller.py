"""Turns mapped MIDI messages into knob values and actions.

Pure: the caller passes the time; learned mappings are a value, which the caller may save to a file.
A mapped message is consumed.
"""

from collections.abc import Callable
from typing import Any

from ..midi.messages import (
    CHANNEL_PRESSURE,
    CONTROL_CHANGE,
    KIND_MASK,
    NOTE_OFF,
    NOTE_ON,
    PITCH_BEND,
    POLY_PRESSURE,
    PROGRAM_CHANGE,
    SWITCH_ON,
)
from .binding import ControlBinding, after, detents
from .knob_setter import KnobSetter, Steered
from .knobs import BY_NAME
from .mapping import Mapped, mapped_of
from .midi_learn import MidiLearn
from .options import ControlOptions
from .soft_takeover import position_of

_STATUS = {
    "cc": CONTROL_CHANGE,
    "note": NOTE_ON,
    "program": PROGRAM_CHANGE,
    "pressure": CHANNEL_PRESSURE,
    "bend": PITCH_BEND,
}


class Controller:
    """Mappings, presets and MIDI learn for one player.

    `learning` holds the learned mappings, `setter` sets the knobs. `say(line)` is called with
    messages for the performer. `wanted_model` is the model that was asked for last, by a preset or
    a command; "": none. Whoever drives the player loads it, and sets this back to "".
    `wanted_music` is likewise the preset whose files are to be heard.
    """

    def __init__(
        self, options: ControlOptions, player: Steered, say: Callable[[str], None]
    ) -> None:
        self.options, self._player, self._say = options, player, say
        self._bound: dict[int, ControlBinding] = {}
        self.setter = KnobSetter(player)
        self._chosen = ""  # the knob that was turned last
        self._preset = -1
        self.wanted_model = ""
        self.wanted_music = ""
        self.learning = MidiLearn((m for m in options.map if m.learned), say)
        self._bind()

    def receive(self, now: float, message: bytes) -> bool:
        """Handle a channel message; return whether it is consumed."""
        status, kind = message[0], message[0] & KIND_MASK
        if kind == NOTE_OFF:
            status |= NOTE_ON
        numbered = kind <= PROGRAM_CHANGE
        bound = self._bound.get(status << 7 | message[1] if numbered else status << 7)
        if self.learning.maybe_coarse is not None:
            bound = self._upgraded(message, bound)
        if self.learning.target and self._learns(now, message, bound):
            return True
        if bound is None or kind == POLY_PRESSURE:
            return False
        if bound.mapped.source == "cc14":
            return self._half(now, bound, message)
        if kind == CONTROL_CHANGE:
            return self._controller(now, bound, message[2])
        if kind == PROGRAM_CHANGE:
            self._press(now, bound)
        elif kind == NOTE_ON and message[2]:
            bound.down = True
            self._press(now, bound)
        elif kind <= NOTE_ON:
            if not bound.down:  # its note-on was not consumed either
                return False
            bound.down = False
            self._release(now, bound)
        elif kind == CHANNEL_PRESSURE:
            return self._controller(now, bound, message[1])
        else:
            self._fade(now, bound, position_of(message[1] | message[2] << 7))
        return not bound.mapped.passes

    def apply(self, now: float, options: ControlOptions) -> None:
        """Replace the options. A control that is held down stays down if it is still mapped.

        Learned mappings are kept, unless their file was changed by hand.
        """
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
            if gone.down and gone.mapped.effect == "hold":
                self._release(now, gone)

    @property
    def chosen(self) -> str:
        """The knob that was turned last; "" when none was."""
        return self._chosen

    def choose(self, name: str) -> None:
        """Make this the knob that was turned last, which `learn` and `unlearn` refer to."""
        self._chosen = name

    def do(self, now: float, action: str) -> bool:
        """Do an action if it concerns mappings or presets; return whether it does."""
        if action == "learn":
            chosen = self._chosen
            self.learning.start(mapped_of({"note": 0, "learn": chosen}) if chosen else None)
        elif action == "unlearn":
            self._unlearn(self._chosen)
        elif action in ("next_preset", "previous_preset"):
            self._step_preset(now, 1 if action == "next_preset" else -1)
        else:
            return False
        return True

    def recall(self, now: float, name: str) -> None:
        """Set all knobs of a preset, and ask for its model and its music."""
        presets = self.options.presets
        self._preset = [preset.name for preset in presets].index(name)
        preset = presets[self._preset]
        for knob, value in preset.values:
            self.setter.set(now, knob, value)
        self.wanted_model = preset.model or self.wanted_model
        if preset.hear:
            self.wanted_music = name
        self._say(f"preset {name}")

    def release_all(self, now: float) -> None:
        """Release every control that is held down (the input is lost, or everything is silenced).

        This also cancels MIDI learn.
        """
        for bound in self._bound.values():
            if bound.down:
                bound.down = False
                if bound.mapped.effect == "hold":
                    self._release(now, bound)
        self.learning.target = None

    def _controller(self, now: float, bound: ControlBinding, value: int) -> bool:
        mapped = bound.mapped
        if mapped.style == "fader":
            bound.coarse = value
            self._fade(now, bound, value / 127)
        elif mapped.style != "button":
            self._encode(now, bound, detents(mapped.style, value))
        elif (value >= SWITCH_ON) != bound.down:
            bound.down = value >= SWITCH_ON
            if bound.down:
                self._press(now, bound)
            else:
                self._release(now, bound)
        return not mapped.passes

    def _half(self, now: float, bound: ControlBinding, message: bytes) -> bool:
        """Handle one half of a 14-bit controller. The coarse one sets the fine one to 0."""
        fine = message[1] != bound.mapped.number
        if bound.mapped.style != "fader":
            return not bound.mapped.passes if fine else self._controller(now, bound, message[2])
        if not fine:
            bound.coarse = message[2]
        self._fade(now, bound, position_of(bound.coarse << 7 | (message[2] if fine else 0)))
        return not bound.mapped.passes

    def _fade(self, now: float, bound: ControlBinding, position: float) -> None:
        name = bound.mapped.name
        self._chosen = name
        current = self.setter.value(name)
        value = bound.fader.move(position, current)
        if value is not None and value != current:
            self.setter.turn(now, name, value)

    def _encode(self, now: float, bound: ControlBinding, turned: int) -> None:
        self._chosen = bound.mapped.name
        self._step(now, bound.mapped, turned * bound.mapped.step, self.setter.turn)

    def _step(
        self, now: float, mapped: Mapped, step: float, turn: Callable[[float, str, Any], None]
    ) -> None:
        """Move a knob by `step` from its value, and stop at its ends."""
        current = self.setter.value(mapped.name)
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
        effect, name = mapped.effect, mapped.name
        if name in BY_NAME and effect not in ("learn", "unlearn", "recall"):
            self._chosen = name
        if effect == "set":
            self.setter.set(now, name, mapped.values[0])
        elif effect == "next":
            self.setter.set(now, name, after(self.setter.value(name), mapped.values))
        elif effect == "step":
            self._step(now, mapped, mapped.step, self.setter.set)
        elif effect == "hold":
            bound.before = self.setter.value(name)
            self.setter.set(now, name, mapped.values[0])
        elif effect == "do":
            self._act(now, name)
        elif effect == "recall":
            self.recall(now, name)
        elif effect == "learn":
            self.learning.start(mapped)
        else:
            self._unlearn(name)

    def _release(self, now: float, bound: ControlBinding) -> None:
        mapped = bound.mapped
        if mapped.effect == "hold":
            if self.setter.value(mapped.name) == mapped.values[0]:
                self.setter.set(now, mapped.name, bound.before)
        elif mapped.release:
            self._act(now, mapped.release)

    def _act(self, now: float, action: str) -> None:
        if not self.do(now, action):
            self._player.do(now, action)

    def _step_preset(self, now: float, step: int) -> None:
        presets = self.options.presets
        if presets:
            first = -1 if step > 0 else 0  # when none was recalled yet
            at = self._preset if self._preset >= 0 else first
            self.recall(now, presets[(at + step) % len(presets)].name)

    def _learns(self, now: float, message: bytes, bound: ControlBinding | None) -> bool:
        """Map the control of this message if MIDI learn accepts it; return whether it does.

        A fader then also sets its knob; a press has no other effect.
        """
        if bound is not None and bound.mapped.learns:
            return False
        new = self.learning.learn(message)
        if new is None:
            return False
        self._bind()
        learned = self._bound[message[0] << 7 | message[1]]
        if new.effect == "fade":
            self._controller(now, learned, message[2])
        else:
            learned.down = message[2] >= (SWITCH_ON if new.source == "cc" else 1)
        return True

    def _upgraded(self, message: bytes, bound: ControlBinding | None) -> ControlBinding | None:
        """The binding of a message that follows a learned one.

        If it is the fine half of the learned controller, that becomes a 14-bit controller.
        """
        coarse = self.learning.maybe_coarse
        if bound is not None:
            self.learning.maybe_coarse = None
        if coarse is None or self.learning.upgrade_to_14_bit(message) is None:
            return bound
        coarse_value = self._bound[message[0] << 7 | coarse.number].coarse
        self._bind()
        bound = self._bound[message[0] << 7 | message[1]]
        bound.coarse = coarse_value
        return bound

    def _unlearn(self, name: str) -> None:
        if self.learning.unlearn(name):
            self._bind()

    def _bind(self) -> None:
        """Rebuild the table from messages to bindings. Unchanged bindings keep their state."""
        bound: dict[int, ControlBinding] = {}
        pick_up = self.options.pick_up
        written = (mapped for mapped in self.options.map if not mapped.learned)
        self.mapped = (*written, *self.learning.learned)
        for mapped in self.mapped:
            for channel in mapped.channels:
                binding: ControlBinding | None = None
                for source, number in mapped.triggers:
                    key = (_STATUS[source] | channel) << 7 | number
                    old = self._bound.get(key)
                    if old is not None and (old.mapped, old.pick_up) == (mapped, pick_up):
                        binding = binding or old
                    bound[key] = binding = binding or ControlBinding(mapped, pick_up)
        self._bound = bound
