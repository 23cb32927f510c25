"""Every knob and every action, declared once: what can be changed while Segue plays.

A knob has a value. Its initial value comes from config.yaml (section `steering`; temperature and
top_p are in `sampling`). MIDI mappings, presets and other programs change it later. An action
happens at once. The code that reads a knob decides what it does to the music.
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
"""Name of a scale -> semitones above the tonic. Melodic minor is the ascending form."""

CONTRASTS = ("off", "register", "density", "both")
MODES = ("continue", "duet", "solo", "listen")


@dataclass(frozen=True, slots=True)
class Knob:
    """A value that can be changed: a number from `low` to `high`, or one of `choices`.

    `whole`: whole numbers only. A switch has the choices False and True. `help` says what the knob
    does, for config.yaml and docs.
    """

    name: str
    default: Any
    low: float = 0.0
    high: float = 1.0
    whole: bool = False
    choices: tuple[Any, ...] = ()
    help: str = ""

    def check(self, value: Any) -> Any:
        """The value as the knob stores it. Raises ValueError, whose text says what is allowed."""
        if value is False and "off" in self.choices:
            return "off"  # YAML reads the bare word off as false
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
        """The allowed numbers, in words."""
        kind = "a whole number" if self.whole else "a number"
        return f"{kind} from {self.low:g} to {self.high:g}"

    def at(self, share: float) -> Any:
        """The value at a share 0..1 of the range: what a controller's 0..127 means."""
        if self.choices:
            return self.choices[min(len(self.choices) - 1, int(share * len(self.choices)))]
        value = self.low + share * (self.high - self.low)
        return round(value) if self.whole else value

    def share(self, value: Any) -> float:
        """The share 0..1 of the range at which a value lies: the inverse of `at`."""
        if self.choices:
            return (self.choices.index(value) + 0.5) / len(self.choices)
        return float((value - self.low) / (self.high - self.low))


def note_name(pitch: int) -> str:
    """The name of a pitch; 60 is C4."""
    return f"{NOTE_NAMES[pitch % 12]}{pitch // 12 - 1}"


def shown(value: Any) -> str:
    """A value as YAML writes it."""
    return str(value).lower() if isinstance(value, bool) else str(value)


SWITCH = (False, True)

KNOBS = (
    Knob("mode", "continue", choices=MODES, help="continue: call and response, Segue answers when "
         "you stop; duet: it plays along; solo: it plays alone; listen: it only remembers"),
    Knob("gate", True, choices=SWITCH, help="false: Segue does not play, but goes on listening"),
    Knob("hold", False, choices=SWITCH, help="loop the last reply"),
    Knob("temperature", 1.0, 0.0, 4.0, help="0 always takes the most likely note, 1 plays as the "
         "model learned, more is wilder"),
    Knob("top_p", 0.995, 0.01, 1.0, help="nucleus sampling: only the most likely choices that "
         "together have this probability can be drawn"),
    Knob("quoting", 1.0, 0.0, 1.0, help="how readily Segue quotes what you played before: 0 never "
         "literally, 1 as often as real music repeats itself"),
    Knob("density", 1.0, 0.25, 4.0, help="notes per second, as a factor of what the model would "
         "play"),
    Knob("register", 0, -36, 36, whole=True, help="tends to higher (or lower, if negative) notes, "
         "in semitones"),
    Knob("dynamics", 0, -48, 48, whole=True, help="tends to louder (or softer, if negative) notes, "
         "in steps of velocity"),
    Knob("key", "off", choices=("off", "follow", *NOTE_NAMES), help="Segue plays no note outside "
         "this key's scale; follow: the key that you play in"),
    Knob("scale", "major", choices=tuple(SCALES), help="the scale of the key"),
    Knob("polyphony", 16, 1, 32, whole=True, help="the most notes that Segue holds at once"),
    Knob("sensitivity", 0.5, 0.0, 1.0, help="how soon Segue decides that you have stopped, with "
         "turns.by: expectation"),
    Knob("quantize_strength", 0.0, 0.0, 1.0, help="how far Segue's notes are moved to the grid: 0 "
         "not at all, 1 all the way"),
    Knob("timekeeping", 1.0, 0.0, 1.0, help="how closely the reply keeps to the pulse of your "
         "playing when there is no MIDI clock: 0 not at all, 1 as closely as you do"),
    Knob("ending", 1.0, 0.0, 1.0, help="how replies end: 0 when their time is up, 1 on the best "
         "closing note near that time"),
    Knob("focus", 1.0, 0.0, 1.0, help="lowers the temperature of pitches and velocities right "
         "after you have played: 0 not at all, 1 fully; the effect fades during the reply"),
    Knob("motifs", 1.0, 0.0, 1.0, help="how readily Segue takes up your motifs, with other pitches "
         "or on other steps of the scale: 0 not at all, 1 about as often as people do"),
    Knob("texture", 0.0, -1.0, 1.0, help="how many keys Segue holds at once, beside you: -1 "
         "thinner (half as many), 0 as it comes, 1 fuller (twice as many)"),
    Knob("contrast", "off", choices=CONTRASTS, help="a partner rather than a mirror: register: "
         "Segue plays where you do not; density: slow while you play fast, fast while you play "
         "slowly; both"),
    Knob("swing", True, choices=SWITCH, help="keep your swing: the second half of each beat comes "
         "as late as yours; straight playing stays straight"),
    Knob("tempo", 120.0, 20.0, 300.0, help="beats per minute when there is no MIDI clock"),
)  # fmt: skip
"""Every knob. The names are those of config.yaml's section `steering` and of mappings."""

FORMER_NAMES = {"grid_strength": "quantize_strength"}
"""Former name of a knob -> its present name. Former names are accepted for one version."""

BY_NAME = {knob.name: knob for knob in KNOBS}

IN_SAMPLING = ("temperature", "top_p")
"""Knobs whose initial values are in config.yaml's section `sampling`."""


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
    motifs: float
    texture: float
    contrast: str
    swing: bool
    tempo: float

    def __init__(self, values: Mapping[str, Any] | None = None) -> None:
        """Start with `values` by name, and defaults for the rest.

        Raises KeyError for an unknown name and ValueError for a value that is not allowed.
        """
        for knob in KNOBS:
            setattr(self, knob.name, knob.default)
        for name, value in (values or {}).items():
            self.set(name, value)

    def set(self, name: str, value: Any) -> bool:
        """Set a knob; return whether that changed it.

        Raises KeyError for an unknown name and ValueError for a value that is not allowed.
        """
        checked = BY_NAME[name].check(value)
        changed: bool = getattr(self, name) != checked
        setattr(self, name, checked)
        return changed

    def values(self) -> dict[str, Any]:
        """All values by name, in the order of `KNOBS`."""
        return {name: getattr(self, name) for name in BY_NAME}


ACTIONS = {
    "panic": "silence every channel at once",
    "forget": "forget everything that was played, as after a restart",
    "take": "Segue takes the turn now",
    "give": "Segue gives the turn back now",
    "tap": "tap the tempo",
    "learn": "map the next controller that moves to the knob turned last",
    "unlearn": "remove the learned mapping of the knob turned last",
    "next_preset": "recall the next preset",
    "previous_preset": "recall the previous preset",
}
"""Name of an action -> what it does."""
