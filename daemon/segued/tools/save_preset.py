"""`segued save-preset`: saves the knobs of the running daemon as a preset in the settings file."""

import time
from pathlib import Path
from typing import Any

from ..control.knobs import KNOBS
from ..control.presets import LONGEST_NAME, is_name
from ..errors import ConfigError, PortError, UsageError
from ..service.command_sender import ENDING, CommandSender
from ..service.event_ring import KNOB
from ..service.state_reader import Reader
from ..service.status import about, find
from ..settings.config import Config
from ..settings.edit import with_entry
from ..settings.yaml_file import load_text
from .settings_file import change_settings

WATCHED = 2.0  # seconds that the music is asked to tell its knobs, and that they are waited for
LOOK_EVERY = 0.02  # seconds
OPTION = "control.presets"
KEPT = ("model", "hear")


def save_preset(config: Config, path: Path | None, name: str, replace: bool) -> int:
    """Save all knobs as the preset `name` in the settings file `path` (None: the user's).

    A preset that it replaces keeps its model and its files to hear.
    Raises UsageError for a bad name, and for one that is taken unless `replace`. Raises ConfigError
    when the file cannot be changed; then it is as before. Raises PortError when no daemon runs.
    """
    if not is_name(name):
        raise UsageError(f"a preset's name has 1 to {LONGEST_NAME} printable characters")
    where = find(config.ports.name)
    knobs = knobs_of(where)

    def edit(text: str, file: str) -> str:
        presets = load_text(text, file).control.presets
        taken = next((preset for preset in presets if preset.name == name), None)
        if taken and not replace:
            raise UsageError(f"{file}: there is a preset {name!r}: --replace replaces it")
        kept = {key: value for key, value in taken.written if key in KEPT} if taken else {}
        return with_entry(text, file, OPTION, "name", {"name": name, **kept, **knobs})

    def check() -> None:
        if name not in about(where)["presets"]:
            raise ConfigError(
                f"the running segued does not take presets from this file: is {OPTION} set on its "
                "command line?"
            )

    change_settings(config, path, edit, check)
    return 0


def knobs_of(state_file: Path) -> dict[str, Any]:
    """The values of all knobs of a running daemon. Raises PortError when it does not tell them."""
    commands = CommandSender(state_file.with_suffix(ENDING))
    reader = Reader(state_file)
    try:
        return _told(commands, reader)
    finally:
        reader.close()
        commands.close()


def _told(commands: CommandSender, reader: Reader) -> dict[str, Any]:
    events = reader.events()
    values: dict[str, Any] = {}
    asked = False
    deadline = time.monotonic() + WATCHED
    while len(values) < len(KNOBS):
        if time.monotonic() > deadline:
            raise PortError("the running segued does not tell its knobs: has it another version?")
        if not asked:
            asked = commands.send("watch", WATCHED) and commands.send("restate")
        for event in events.read():
            if event.kind == KNOB and event.a < len(KNOBS):
                knob = KNOBS[event.a]
                value = knob.choices[int(event.value)] if knob.choices else event.value
                values[knob.name] = knob.check(int(value) if knob.whole else value)
        time.sleep(LOOK_EVERY)
    return {knob.name: values[knob.name] for knob in KNOBS}
