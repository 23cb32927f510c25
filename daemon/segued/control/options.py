"""The sections `steering` and `control` of the settings, and the checks of mappings."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from ..errors import ConfigError
from ..fields.entries import entries
from ..fields.options import ENTRIES, flag, option, optional, text
from .knobs import BY_NAME
from .mapping import Mapped, read_mapped
from .presets import PRESETS, Preset


def refuse_contradictions(mapped: Sequence[Mapped]) -> None:
    """Refuse a control with two mappings: ConfigError names both lines.

    A learned mapping overrides a written one, so these two never contradict each other.
    """
    for index, later in enumerate(mapped):
        for earlier in mapped[:index]:
            if (
                later.triggers & earlier.triggers
                and later.learned == earlier.learned
                and later.channels & earlier.channels
            ):
                raise ConfigError(
                    f"{later.where}: control.map: {later.control} is mapped to '{later.meaning}', "
                    f"but at {earlier.where} {earlier.control} is mapped to '{earlier.meaning}': "
                    "give them different channels, or delete one"
                )


def refuse_strangers(mapped: Iterable[Mapped], presets: Sequence[Preset]) -> None:
    """Refuse mappings to presets that do not exist: ConfigError names the line of the mapping."""
    names = [preset.name for preset in presets]
    for entry in mapped:
        if entry.effect == "recall" and entry.name not in names:
            known = f"there are: {', '.join(names)}" if names else "there are none"
            raise ConfigError(
                f"{entry.where}: control.map: no preset named {entry.name!r} in control.presets; "
                f"{known}"
            )
        walks = {entry.name, entry.release} & {"next_preset", "previous_preset"}
        if entry.effect == "do" and walks and not names:
            raise ConfigError(
                f"{entry.where}: control.map: {walks.pop()}, but control.presets is empty"
            )


def refuse_members(mapped: Iterable[Mapped], manager: int, where: str) -> None:
    """Refuse controls on member channels of an MPE zone: ConfigError names both lines."""
    for entry in mapped:
        if entry.source != "note" and manager not in entry.channels:
            raise ConfigError(
                f"{entry.where}: control.map: {entry.control} belongs to single notes of the MPE "
                f"zone (ports.mpe, {where}): map channel {manager + 1}"
            )


MAP = entries(read_mapped, "{cc: 20, knob: temperature}", refuse_contradictions)


def knob_option(name: str) -> Any:
    """The option of a knob's initial value, with default, check and help from knobs.py."""
    knob = BY_NAME[name]
    return option(knob.default, knob.check, knob.help)


@dataclass(frozen=True)
class SteeringOptions:
    """The initial values of the knobs; all of them can be changed while Segue plays."""

    mode: str = knob_option("mode")
    gate: bool = knob_option("gate")
    hold: bool = knob_option("hold")
    quoting: float = knob_option("quoting")
    density: float = knob_option("density")
    register: int = knob_option("register")
    dynamics: int = knob_option("dynamics")
    key: str = knob_option("key")
    scale: str = knob_option("scale")
    polyphony: int = knob_option("polyphony")
    sensitivity: float = knob_option("sensitivity")
    quantize_strength: float = knob_option("quantize_strength")
    timekeeping: float = knob_option("timekeeping")
    ending: float = knob_option("ending")
    focus: float = knob_option("focus")
    motifs: float = knob_option("motifs")
    texture: float = knob_option("texture")
    contrast: str = knob_option("contrast")
    swing: bool = knob_option("swing")
    tempo: float = knob_option("tempo")


@dataclass(frozen=True)
class ControlOptions:
    """What your controllers, pads and program changes do (docs/control.md)."""

    pick_up: bool = option(
        True,
        flag,
        "soft takeover: a fader changes its knob only after it has reached the knob's value",
    )
    learned: str | None = option(
        "default",
        optional(text),
        "the file in which MIDI learn saves its mappings; null: they are not saved",
    )
    feedback: str | None = option(
        None,
        optional(text),
        "the port on which controllers are shown the values of their knobs (LED rings, motor "
        "faders): virtual, or a part of its name; null: none",
    )
    map: tuple[Mapped, ...] = option(
        (), MAP, "mappings, such as '- {cc: 20, knob: temperature, low: 0.5, high: 1.5}'", ENTRIES
    )
    presets: tuple[Preset, ...] = option(
        (), PRESETS, "presets, such as '- {name: calm, temperature: 0.8, density: 0.5}'", ENTRIES
    )
