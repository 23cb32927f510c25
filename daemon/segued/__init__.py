"""Segue: a real-time MIDI daemon that plays with people.

`segued.Player` is the sans-IO core: it has no ports, threads or clocks, and can be embedded in any
program (docs/embedding.md).
"""

import sys
from typing import TYPE_CHECKING, Any

__version__ = "0.3.0"

if sys.version_info < (3, 11):  # noqa: UP036 (in a checkout no pip has checked it)
    sys.exit(f"segued: needs Python 3.11 or newer, this is {sys.version.split()[0]}")

_MODULES = {
    "Player": "player.player",
    "Config": "settings.config",
    "NoteOff": "tokens.events",
    "NoteOn": "tokens.events",
    "Pedal": "tokens.events",
    "SegueError": "errors",
    "load_model": "model.loading",
    "load_settings": "settings.yaml_file",
    "read_messages": "midi.files",
    "write_messages": "midi.files",
}
"""Public name -> the module that defines it. Each is imported on first access, because numpy and
onnxruntime take longer to load than most commands take to run."""

__all__ = [*_MODULES]

if TYPE_CHECKING:  # for editors and type checkers
    from .errors import SegueError as SegueError
    from .midi.files import read_messages as read_messages
    from .midi.files import write_messages as write_messages
    from .model.loading import load_model as load_model
    from .player.player import Player as Player
    from .settings.config import Config as Config
    from .settings.yaml_file import load_settings as load_settings
    from .tokens.events import NoteOff as NoteOff
    from .tokens.events import NoteOn as NoteOn
    from .tokens.events import Pedal as Pedal


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
