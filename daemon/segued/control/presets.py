"""The entries of config.yaml's `control.presets`: named sets of knob values, with a model to play
and MIDI files to hear, if there are any."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, TypeGuard

from ..errors import ConfigError
from ..fields.entries import Entry, Reader, Written, entries
from ..fields.options import name as name_of_model
from ..fields.options import paths, text
from .knobs import BY_NAME

LONGEST_NAME = 60  # characters of the name of a preset that a program saves


def is_name(name: object) -> TypeGuard[str]:
    """Whether a program may save a preset by this name."""
    if not isinstance(name, str) or name != name.strip():
        return False
    return 0 < len(name) <= LONGEST_NAME and name.isprintable()


@dataclass(frozen=True, slots=True)
class Preset:
    """A named set of knob values.

    `model`: the name of the one to play; "": any. `hear`: MIDI files and folders to hear.
    """

    name: str
    values: tuple[tuple[str, Any], ...]
    written: Written
    where: str = field(default="", compare=False)
    model: str = ""
    hear: tuple[str, ...] = ()


def read_preset(entry: Entry) -> Preset:
    """Read one entry of `control.presets`. Raises ConfigError."""
    reader = Reader(entry, "control.presets", ["name", "model", "hear", *BY_NAME])
    if not reader.has("name"):
        reader.refuse("a preset needs a name")
    name = reader.take("name", text)
    values = tuple(
        (key, reader.take(key, BY_NAME[key].check)) for key in BY_NAME if reader.has(key)
    )
    model = reader.take("model", name_of_model, "")
    hear = reader.take("hear", paths, ())
    if not values and not model and not hear:
        reader.refuse(f"the preset {name!r} sets no knob and no model, and hears no file")
    return Preset(name, values, tuple(entry.values.items()), entry.where, model, hear)


def refuse_twins(presets: Sequence[Preset]) -> None:
    """Refuse two presets of one name: ConfigError names both lines."""
    seen: dict[str, str] = {}
    for preset in presets:
        if preset.name in seen:
            raise ConfigError(
                f"{preset.where}: control.presets: there already is a preset {preset.name!r}, at "
                f"{seen[preset.name]}"
            )
        seen[preset.name] = preset.where


PRESETS = entries(read_preset, "{name: calm, temperature: 0.8}", refuse_twins)
