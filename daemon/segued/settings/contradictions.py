"""Refuses settings that contradict each other or would have no effect."""

from collections.abc import Mapping

from ..control.knobs import NOTE_NAMES, SCALES
from ..control.options import refuse_members, refuse_strangers
from ..errors import ConfigError
from .config import Config


def refuse_contradictions(config: Config, places: Mapping[str, str]) -> None:
    """Raise ConfigError for the first contradiction. `places`: where each setting was given."""
    ports, control, sampling = config.ports, config.control, config.sampling
    low, high = sampling.lowest_pitch, sampling.highest_pitch
    if low > high:
        where = places.get("sampling.lowest_pitch") or places["sampling.highest_pitch"]
        raise ConfigError(
            f"{where}: sampling.lowest_pitch ({low}) is above sampling.highest_pitch ({high})"
        )
    refuse_strangers(control.map, control.presets)
    if ports.program is not None and ports.reply_channel == "same":
        raise ConfigError(
            f"{places['ports.program']}: ports.program needs a ports.reply_channel from 1 to 16: "
            "otherwise it would change the performer's sound"
        )
    if ports.bank is not None and ports.program is None:
        raise ConfigError(f"{places['ports.bank']}: ports.bank needs a ports.program")
    if config.osc.send and config.osc.port is None:
        raise ConfigError(f"{places['osc.send']}: osc.send needs an osc.port, such as 7700")
    own = {f"{host}:{config.osc.port}" for host in ("127.0.0.1", "localhost")}
    if not own.isdisjoint(config.osc.send):
        raise ConfigError(f"{places['osc.send']}: osc.send names Segue's own osc.port")
    if ports.mpe in ("lower", "upper"):
        refuse_members(control.map, 0 if ports.mpe == "lower" else 15, places["ports.mpe"])
    _refuse_empty_scale(config, places)


def _refuse_empty_scale(config: Config, places: Mapping[str, str]) -> None:
    """Refuse a range of pitches that contains no note of the key."""
    knobs, sampling = config.steering, config.sampling
    if knobs.key not in NOTE_NAMES:
        return
    allowed = {(NOTE_NAMES.index(knobs.key) + step) % 12 for step in SCALES[knobs.scale]}
    low, high = sampling.lowest_pitch, sampling.highest_pitch
    if not any(pitch % 12 in allowed for pitch in range(low, high + 1)):
        names = ("steering.key", "steering.scale", "sampling.lowest_pitch")
        raise ConfigError(
            f"{next(places[name] for name in names if name in places)}: no note is left to play: "
            f"{knobs.key} {knobs.scale} has none from sampling.lowest_pitch ({low}) to "
            f"sampling.highest_pitch ({high})"
        )
