"""`segued models`: lists, compares, chooses and deletes the user's own models."""

import json
import shutil
import sys
from collections.abc import Sequence
from typing import Any

from ..errors import DataError, PortError, UsageError
from ..model import own_models
from ..model.own_models import SHIPPED, OwnModel
from ..service.status import reload
from ..settings.config import Config


def models(config: Config, action: str, names: Sequence[str], yes: bool) -> int:
    """Execute `segued models ACTION NAMES`. Raises SegueError."""
    wanted = 1 if action in ("use", "delete") else 0
    if len(names) != wanted:
        raise UsageError(f"segued models {action} takes {'one NAME' if wanted else 'no name'}")
    if action == "list":
        print(listing(config))
    elif action == "use":
        own_models.use(names[0])
        _taken(config, f"{names[0]} plays by default")
    elif action == "delete":
        playing = own_models.current()
        own_models.delete(names[0])
        gone = f"deleted {names[0]}"
        if playing is not None and playing.name == names[0]:
            _taken(config, f"{gone}; the shipped model plays by default")
        else:
            print(gone)
    else:
        forget(config, yes)
    return 0


def listing(config: Config) -> str:
    """A row for each model: what it was trained on, and its last evaluation."""
    playing, found = own_models.current(), own_models.own_models()
    names = [SHIPPED, *(model.name for model in found)]
    width = max(map(len, names))
    nats: dict[str, float] = _judged().get("figures", {}).get("others", {})
    lines = [f"  {'model':{width}}  nats a token  learned from"]
    for name, model in zip(names, [None, *found], strict=True):
        mark = "*" if name == (playing.name if playing else SHIPPED) else " "
        figure = f"{nats[name]:12.4f}" if name in nats else f"{'-':>12}"
        lines.append(f"{mark} {name:{width}}  {figure}  {_origin(model)}".rstrip())
    lines.append("* plays where model.path is default; nats: on the pieces that judged the last")
    if config.model.path != "default":
        lines.append(f"model.path is {config.model.path}: none of these plays until it is default")
    return "\n".join(lines)


def _origin(model: OwnModel | None) -> str:
    if model is None:
        return "the corpora in its card (segued/models/README.md)"
    card, judged = model.card, model.card.get("judged", {})
    verdict: dict[str, Any] = judged.get("verdict", {})
    if not verdict:
        return f"{card.get('pieces', '?')} pieces"
    return (
        f"{card.get('pieces', '?')} pieces; {verdict['before']:.4f} before, {verdict['after']:.4f} "
        f"after, {judged['elsewhere']:+.4f} elsewhere"
    )


def _judged() -> dict[str, Any]:
    """The result of the last `segued learn`; empty when there was none."""
    folder = own_models.data_folder()
    try:
        found = json.loads((folder / "learn" / "judged.json").read_text()) if folder else {}
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def forget(config: Config, yes: bool) -> None:
    """Delete all of the user's models and the data of learning. Takes (recordings) are kept.

    Raises UsageError when it must ask but there is no terminal.
    """
    folder = own_models.data_folder()
    kept = [folder / name for name in ("models", "learn")] if folder is not None else []
    kept = [path for path in kept if path.exists()]
    if not kept:
        raise DataError("nothing was learned here: there is nothing to forget")
    names = ", ".join(map(str, kept))
    if not yes and not asked(f"delete {names} with all that was learned?"):
        print("nothing is deleted")
        return
    for path in kept:
        shutil.rmtree(path)
    _taken(config, f"deleted {names}; the shipped model plays by default")


def asked(question: str) -> bool:
    """Ask a yes-no question at the terminal. Raises UsageError when there is none."""
    if not sys.stdin.isatty():
        raise UsageError(f"{question} There is no terminal to ask on: confirm with --yes")
    return input(f"{question} [y/N] ").strip().lower() in ("y", "yes")


def _taken(config: Config, line: str) -> None:
    """Print a line and make the running daemon reload. Raises ConfigError when it refuses."""
    print(line)
    if config.model.path != "default":
        print(f"model.path is {config.model.path}: set it to default to play it")
        return
    try:
        reload(config)
    except PortError:
        print("no segued is running: this takes effect at the next start")
