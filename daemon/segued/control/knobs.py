"""What can be changed while it plays: every knob and every action, declared once.

A knob has a value: at the start from config.yaml (section `steering`; temperature and top_p stand
in `sampling`), later from MIDI under a mapping, a preset or a program. An action happens at once.
What each means to the music is the business of whoever reads it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

NOTE_NAMES = ("C", "C#", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")
SCALES = {
    "major": (0, 2, 4, 5, 7, 9, 11),
    "minor": (0, 2, 3, 5, 7, 8, 10),
    "harmonic minor": (0, 2, 3, 5, 7, 8, 11),
    "melodic minor": (0, 2, 3, 5, 7, 9, 11),
    "dorian": (0, 2, 3, 5, 7, 9, 10),
    "phrygian": (0, 1, 3, 5, 7, 8, 10),
    "lydian": (0, 2, 4, 6, 7, 9, 11),
    "mixolydian": (0, 2, 4, 5, 7, 9, 10),
    "major pentatonic": (0, 2, 4, 7, 9),
    "minor pentatonic": (0, 3, 5, 7, 10),
    "blues": (0, 3, 5, 6, 7, 10),
    "whole tone": (0, 2, 4, 6, 8, 10),
}
"""Semitones above the tonic, by the name of the scale. Melodic minor is the ascending."""

MODES = ("continue", "duet", "solo", "listen")


@dataclass(frozen=True, slots=True)
class Knob:
    """A value that can be turned: a number from `low` to `high`, or one of `choices`.

    `whole`: only whole numbers. A switch has the choices False and True. `default` is as learned:
    it changes nothing.
    """

    name: str
    default: Any
    low: float = 0.0
    high: float = 1.0
    whole: bool = False
    choices: tuple[Any, ...] = ()
    help: str = ""

    def check(self, value: Any) -> Any:
        """The value as the knob holds it; ValueError tells what is allowed."""
        if value is False and "off" in self.choices:
            return "off"  # so YAML reads the bare word
        if self.choices:
            if value not in self.choices or isinstance(value, bool) != isinstance(
                self.choices[0], bool
            ):
                raise ValueError(f"one of {', '.join(map(shown, self.choices))}")
            return value
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise ValueError(self.range)
        if not self.low <= value <= self.high or (self.whole and value != int(value)):
            raise ValueError(self.range)
        return int(value) if self.whole else float(value)

    @property
    def range(self) -> str:
        """What is allowed, in words."""
        kind = "a whole number" if self.whole else "a number"
        return f"{kind} from {self.low:g} to {self.high:g}"

    def at(self, share: float) -> Any:
        """The value at a share 0..1 of its way: what a controller's 0..127 means."""
        if self.choices:
            return self.choices[min(len(self.choices) - 1, int(share * len(self.choices)))]
        value = self.low + share * (self.high - self.low)
        return round(value) if self.whole else value

    def share(self, value: Any) -> float:
        """The share 0..1 of its way at which a value lies: the inverse of `at`."""
        if self.choices:
            return (self.choices.index(value) + 0.5) / len(self.choices)
        return float((value - self.low) / (self.high - self.low))


def shown(value: Any) -> str:
    """A value as YAML writes it."""
    return str(value).lower() if isinstance(value, bool) else str(value)


SWITCH = (False, True)

KNOBS = (
    Knob("mode", "continue", choices=MODES, help="continue: call and response, it answers when you "
         "stop; duet: it plays along; solo: it plays by itself; listen: it only remembers"),
    Knob("gate", True, choices=SWITCH, help="whether it may play at all"),
    Knob("hold", False, choices=SWITCH, help="loop the last reply"),
    Knob("temperature", 1.0, 0.0, 4.0, help="0 always takes the most likely note, 1 plays as the "
         "model learned, more is wilder"),
    Knob("top_p", 0.995, 0.01, 1.0, help="leave out the least likely choices, beyond this share of "
         "the probability"),
    Knob("quoting", 1.0, 0.0, 1.0, help="how readily it quotes what you played before: 0 never to "
         "the letter, 1 as often as real music does"),
    Knob("density", 1.0, 0.25, 4.0, help="notes a second, as a factor of what it would play"),
    Knob("register", 0, -36, 36, whole=True, help="semitones higher or lower, as a tendency"),
    Knob("dynamics", 0, -48, 48, whole=True, help="velocities louder or softer, as a tendency"),
    Knob("key", "off", choices=("off", "follow", *NOTE_NAMES), help="no note outside this key's "
         "scale is ever sent; follow takes the key that you play in"),
    Knob("scale", "major", choices=tuple(SCALES), help="the scale of the key"),
    Knob("polyphony", 16, 1, 32, whole=True, help="the most notes that it holds at once"),
    Knob("sensitivity", 0.5, 0.0, 1.0, help="how soon it believes that you have stopped, with "
         "turns.by: expectation"),
    Knob("quantize_strength", 0.0, 0.0, 1.0, help="how far its notes are moved to the grid: 0 not "
         "at all, 1 all the way"),
    Knob("timekeeping", 1.0, 0.0, 1.0, help="how closely its rhythm keeps to your own tempo where "
         "no MIDI clock comes: 0 not at all, 1 as closely as you do"),
    Knob("ending", 1.0, 0.0, 1.0, help="how much its replies look for a close: 0 they stop when "
         "their time is up, 1 they end on the best note near it"),
    Knob("focus", 1.0, 0.0, 1.0, help="how closely pitches and loudness keep to the most likely "
         "right after you have played: 0 as the model learned, 1 closely; it fades as it plays on"),
    Knob("tempo", 120.0, 20.0, 300.0, help="beats a minute while no MIDI clock comes"),
)  # fmt: skip
"""Every knob. The names are those of config.yaml's section `steering` and of mappings."""

FORMER_NAMES = {"grid_strength": "quantize_strength"}
"""Knobs by the names that they had, which are accepted for one version, and by their new ones."""

BY_NAME = {knob.name: knob for knob in KNOBS}

IN_SAMPLING = ("temperature", "top_p")
"""Knobs whose start values stand in config.yaml's section `sampling`."""


class Knobs:
    """The current value of every knob, as an attribute of its name."""

    mode: str
    gate: bool
    hold: bool
    temperature: float
    top_p: float
    quoting: float
    density: float
    register: int
    dynamics: int
    key: str
    scale: str
    polyphony: int
    sensitivity: float
    quantize_strength: float
    timekeeping: float
    ending: float
    focus: float
    tempo: float

    def __init__(self, values: Mapping[str, Any] | None = None) -> None:
        """`values` by name; defaults for the rest. KeyError for an unknown name, ValueError for a
        value that is not allowed."""
        for knob in KNOBS:
            setattr(self, knob.name, knob.default)
        for name, value in (values or {}).items():
            self.set(name, value)

    def set(self, name: str, value: Any) -> bool:
        """Turn a knob; whether that changed it. KeyError: no such knob; ValueError: no such
        value."""
        checked = BY_NAME[name].check(value)
        changed: bool = getattr(self, name) != checked
        setattr(self, name, checked)
        return changed

    def values(self) -> dict[str, Any]:
        """All of them by name, in the order of the table."""
        return {name: getattr(self, name) for name in BY_NAME}


ACTIONS = {
    "panic": "silence every channel at once",
    "forget": "forget all that was heard, as if it had just started",
    "take": "the model takes the floor now",
    "give": "the model gives the floor back now",
    "tap": "a tap of the tempo",
    "learn": "the next controller that moves is mapped to the knob chosen last",
    "unlearn": "what was learned for the knob chosen last is forgotten",
    "next_preset": "the preset after this one",
    "previous_preset": "the preset before this one",
}
"""What can be asked for at once, with what it does."""
