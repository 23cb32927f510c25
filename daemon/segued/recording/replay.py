"""Replays a recording and compares the result with it."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import zip_longest
from pathlib import Path

from ..errors import ConfigError, DataError
from ..generation.context import StepModel
from ..midi.smf import Ticked
from ..model.loading import at_hand, load_model, model_path
from ..settings.config import Config
from ..settings.yaml_file import load_recorded
from .journal import replay
from .performance import seconds, write_recording
from .recorder import checksum, read


def replay_file(source: Path, target: Path, settings: Sequence[str] = ()) -> int:
    """Replay a recording, write both parts to `target`, and return the number of model messages.

    `settings` (section.key=value) override the recorded ones. Raises DataError when it cannot be
    replayed, and also (after `target` is written) when the model's part differs.
    """
    recording = read(source)
    about = recording.about
    try:
        config = load_recorded(about["settings"], f"{source} (settings)", settings)
        seed = int(about["seed"])
        about["device"], about["model"]
    except (KeyError, ValueError):
        raise DataError(f"{source}: this recording lacks its seed, settings or model") from None
    except ConfigError as error:
        raise DataError(f"{error}: recorded by segued {about.get('version', '?')}?") from None

    def model_of(config: Config, about: Mapping[str, str]) -> StepModel:
        return _the_model(source, config, about["device"], about["model"])

    try:
        played = replay(model_of(config, about), config, seed, recording, model_of)
    except ConfigError as error:
        raise DataError(f"{source}: {error}") from None
    try:
        write_recording(target, replace(recording, played=played))
    except OSError as error:
        raise DataError(f"{target}: cannot be written: {error.strerror}") from None
    differs = difference(recording.played, played)
    if differs:
        raise DataError(f"{source}: the replay differs from the recording {differs}")
    return len(played)


def _the_model(source: Path, config: Config, device: str, known_by: str) -> StepModel:
    """The model that the settings name. Raises DataError if its checksum is not `known_by`."""
    path = model_path(config, device)
    if path.exists() and checksum(path) != known_by and config.model.path == "default":
        path = next((other for other in at_hand() if checksum(other) == known_by), path)
        config = replace(config, model=replace(config.model, path=str(path)))
    if path.exists() and checksum(path) != known_by:
        raise DataError(
            f"{source}: was played with another model than {path}: set --set model.path=FILE to "
            f"the file whose SHA-256 is {known_by[:12]}..."
        )
    return load_model(replace(config, inference=replace(config.inference, device=device)))


def difference(recorded: Sequence[Ticked], played: Sequence[Ticked]) -> str:
    """Where two parts first differ, in words; "" if they do not."""
    for then, now in zip_longest(recorded, played):
        if then != now:
            times = [message[0] for message in (then, now) if message is not None]
            return f"at {seconds(min(times)):.5f} s: recorded {_shown(then)}, now {_shown(now)}"
    return ""


def _shown(message: Ticked | None) -> str:
    if message is None:
        return "nothing"
    return f"{message[1].hex(' ')} at {seconds(message[0]):.5f}"
