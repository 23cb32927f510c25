"""Replays a recording and compares the result with it."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import zip_longest
from pathlib import Path

from ..errors import ConfigError, DataError
from ..fields.options import is_name
from ..generation.context import StepModel
from ..midi.smf import Ticked
from ..model.loading import at_hand, load_model
from ..settings.config import Config
from ..settings.yaml_file import load_recorded
from ..system.paths import expanded
from .journal import replay
from .journal_file import read
from .performance import seconds, write_recording
from .recorder import checksum


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

    def model_of(now: Config, about: Mapping[str, str]) -> StepModel:
        device, given = about["device"], [config.model.path, now.model.path]
        named = [expanded(path, "model.path") for path in given if not is_name(path)]
        return _the_model(source, now, device, about["model"], named)

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


def _the_model(
    source: Path, config: Config, device: str, known_by: str, named: Sequence[Path]
) -> StepModel:
    """The model whose checksum is `known_by`: one of `named`, or of the models that have a name.

    Raises DataError if it is none of them.
    """
    files = (path for path in (*named, *at_hand()) if path.exists())
    path = next((path for path in files if checksum(path) == known_by), None)
    if path is None:
        tried = [*named, "those of segued models"]
        raise DataError(
            f"{source}: was played with another model than {' and '.join(map(str, tried))}: set "
            f"--set model.path=FILE to the file whose SHA-256 is {known_by[:12]}..."
        )
    config = replace(config, model=replace(config.model, path=str(path)))
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
