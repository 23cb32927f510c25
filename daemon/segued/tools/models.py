"""`segued models`: lists, compares, chooses, names, adds and deletes the user's own models."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..errors import PortError, UsageError
from ..model import own_models
from ..model.options import DEFAULT, SHIPPED
from ..model.own_models import FOR_CPU, FOR_GPU, OwnModel
from ..model.session import Model
from ..service.learning import JUDGED, learn_folder
from ..service.status import about, find, use_model
from ..settings.config import Config
from .forget import forget

NAMES = {"use": ("NAME",), "rename": ("NAME", "NEW"), "delete": ("NAME",), "add": ("NAME", "FILE")}
"""The names that an action takes."""


def models(
    config: Config, action: str, names: Sequence[str], yes: bool = False, takes: bool = False
) -> int:
    """Execute `segued models ACTION NAMES`. Raises SegueError."""
    wanted = NAMES.get(action, ())
    if takes and action != "forget":
        raise UsageError(f"segued models {action} deletes no takes: --takes goes with forget")
    if len(names) != len(wanted):
        raise UsageError(f"segued models {action} takes {' '.join(wanted) or 'no name'}")
    if action == "list":
        print(listing(config))
    elif action == "use":
        own_models.use(names[0])
        _taken(config, f"{names[0]} plays by default")
    elif action == "rename":
        own_models.rename(*names)
        print(f"{names[0]} is now {names[1]}")
        if _playing(config) == names[0]:
            use_model(config, names[1])
    elif action == "add":
        _add(names[0], Path(names[1]))
    elif action == "delete":
        _delete(config, names[0])
    else:
        gone = forget(config, takes, yes)
        if gone:
            print(f"{gone}; the shipped model plays by default")
            _play_default(config)
        else:
            print("nothing is deleted")
    return 0


def _add(name: str, file: Path) -> None:
    """Add a model file, which must be one that can play. An int8 file is for CPUs alone."""
    model = Model.load(file)
    wholes = [FOR_CPU] if model.info["precision"] == "int8" else [FOR_CPU, FOR_GPU]
    own_models.add(name, dict.fromkeys(wholes, file), {"name": name, "file": file.name})
    print(f"added {name} from {file}: presets can name it, segued models use makes it the default")


def _delete(config: Config, name: str) -> None:
    default, playing = own_models.current(), _playing(config)
    own_models.delete(name)
    was_default = default is not None and default.name == name
    print(f"deleted {name}" + ("; the shipped model plays by default" if was_default else ""))
    if was_default or playing == name:
        _play_default(config)


def listing(config: Config) -> str:
    """A row for each model: what it was trained on, and its last evaluation."""
    default, found = own_models.current(), own_models.own_models()
    names = [SHIPPED, *(model.name for model in found)]
    width = max(map(len, names))
    nats: dict[str, float] = _judged().get("figures", {}).get("others", {})
    lines = [f"  {'model':{width}}  nats a token  learned from"]
    for name, model in zip(names, [None, *found], strict=True):
        mark = "*" if name == (default.name if default else SHIPPED) else " "
        # a renamed model was judged by the name that is in its card
        judged = name if name in nats or model is None else model.card.get("name")
        figure = f"{nats[judged]:12.4f}" if judged in nats else f"{'-':>12}"
        lines.append(f"{mark} {name:{width}}  {figure}  {_origin(model)}".rstrip())
    lines.append("* plays where model.path is default; nats: on the pieces that judged the last")
    if config.model.path != DEFAULT:
        lines.append(f"model.path is {config.model.path}: that plays until it is default")
    playing = _playing(config)
    if playing:
        lines.append(f"segued plays {playing} now")
    return "\n".join(lines)


def _origin(model: OwnModel | None) -> str:
    if model is None:
        return "the corpora in its card (segued/models/README.md)"
    card, judged = model.card, model.card.get("judged", {})
    verdict: dict[str, Any] = judged.get("verdict", {})
    if "file" in card:
        return f"added from {card['file']}"
    if not verdict:
        return f"{card.get('pieces', '?')} pieces"
    return (
        f"{card.get('pieces', '?')} pieces; {verdict['before']:.4f} before, {verdict['after']:.4f} "
        f"after, {judged['elsewhere']:+.4f} elsewhere"
    )


def _judged() -> dict[str, Any]:
    """The result of the last `segued learn`; empty when there was none."""
    folder = learn_folder()
    try:
        found = json.loads((folder / JUDGED).read_text()) if folder else {}
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _taken(config: Config, line: str) -> None:
    print(line)
    if config.model.path != DEFAULT:
        print(f"model.path is {config.model.path}: set it to default to play it")
    else:
        _play_default(config)


def _play_default(config: Config) -> None:
    """Make the running daemon play the default. Raises ConfigError when it refuses."""
    try:
        use_model(config, DEFAULT)
    except PortError:
        print("no segued is running: this takes effect at the next start")


def _playing(config: Config) -> str:
    """The name or path of the model that the running daemon plays; "" when none runs."""
    try:
        model = about(find(config.ports.name))["model"]
    except PortError:
        return ""
    return str(model.get("name", ""))
