"""All mappings and presets together: the lists in config.yaml, and how they may not contradict."""

from collections.abc import Iterable, Sequence

from ..errors import ConfigError
from ..fields.entries import entries
from .mapping import Mapped, Preset, read_mapped, read_preset


def refuse_contradictions(mapped: Sequence[Mapped]) -> None:
    """One control has one meaning: ConfigError names both lines where it has two.

    What was learned goes before what is written, so these two never contradict each other.
    """
    for index, later in enumerate(mapped):
        for earlier in mapped[:index]:
            if (
                later.moves & earlier.moves
                and later.learned == earlier.learned
                and later.channels & earlier.channels
            ):
                raise ConfigError(
                    f"{later.where}: control.map: {later.control} is to mean '{later.meaning}', "
                    f"but at {earlier.where} {earlier.control} means '{earlier.meaning}': give "
                    "them different channels, or take one away"
                )


def refuse_twins(presets: Sequence[Preset]) -> None:
    """Two presets of one name: ConfigError names both lines."""
    seen: dict[str, str] = {}
    for preset in presets:
        if preset.name in seen:
            raise ConfigError(
                f"{preset.where}: control.presets: {preset.name!r} is there already, at "
                f"{seen[preset.name]}"
            )
        seen[preset.name] = preset.where


def refuse_strangers(mapped: Iterable[Mapped], presets: Sequence[Preset]) -> None:
    """Presets that are recalled have to be there: ConfigError names the line that asks."""
    names = [preset.name for preset in presets]
    for entry in mapped:
        if entry.deed == "recall" and entry.name not in names:
            known = f"there are: {', '.join(names)}" if names else "there are none"
            raise ConfigError(
                f"{entry.where}: control.map: no preset named {entry.name!r} in control.presets; "
                f"{known}"
            )
        walks = {entry.name, entry.release} & {"next_preset", "previous_preset"}
        if entry.deed == "do" and walks and not names:
            raise ConfigError(
                f"{entry.where}: control.map: {walks.pop()}, but control.presets is empty"
            )


def refuse_members(mapped: Iterable[Mapped], manager: int, where: str) -> None:
    """Member channels of an MPE zone turn no knobs: ConfigError names both lines."""
    for entry in mapped:
        if entry.source != "note" and manager not in entry.channels:
            raise ConfigError(
                f"{entry.where}: control.map: {entry.control} belongs to single notes of the MPE "
                f"zone (ports.mpe, {where}): map channel {manager + 1}"
            )


MAP = entries(read_mapped, "{cc: 20, knob: temperature}", refuse_contradictions)
PRESETS = entries(read_preset, "{name: calm, temperature: 0.8}", refuse_twins)
