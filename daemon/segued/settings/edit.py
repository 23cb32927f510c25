"""Changes an option in a settings file as a person would: comments and all else stay."""

import os
import tempfile
from pathlib import Path
from typing import Any

import yaml

from ..errors import ConfigError
from .config import change, flow
from .yaml_file import load_text


def with_option(text: str, file: str, name: str, value: Any) -> str:
    """The text of a settings file with the option `name` (section.key) set to `value`.

    Raises ConfigError where the file or the value is wrong, or where the file is written in such a
    way that only a person can change it. `file` is how errors call it.
    """
    wanted = change(load_text(text, file), file, name, value)
    section, _, key = name.partition(".")
    edited = _edited(text, section, key, flow(value))
    try:
        right = load_text(edited, file) == wanted
    except ConfigError:
        right = False
    if not right:
        raise ConfigError(f"{file}: {name} cannot be changed here: set it by hand to {flow(value)}")
    return edited


def save_text(path: Path, text: str) -> None:
    """Write a file: it is the old one or the new one, never half. OSError."""
    path = path.resolve()  # a link stays one
    path.parent.mkdir(parents=True, exist_ok=True)
    file, name = tempfile.mkstemp(dir=path.parent, prefix=".", suffix=".new")
    try:
        with os.fdopen(file, "w", encoding="utf-8", newline="") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        if path.exists():
            os.chmod(name, path.stat().st_mode & 0o777)
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _edited(text: str, section: str, key: str, value: str) -> str:
    root = yaml.compose(text, yaml.SafeLoader)
    pairs = root.value if isinstance(root, yaml.MappingNode) else []
    for name, node in pairs:
        if name.value == section:
            return _in_section(text, name, node, key, value)
    end = "" if not text or text.endswith("\n") else "\n"
    return f"{text}{end}{section}:\n  {key}: {value}\n"


def _in_section(text: str, name: yaml.Node, node: yaml.Node, key: str, value: str) -> str:
    start: int = node.start_mark.index
    if not isinstance(node, yaml.MappingNode):  # an empty section
        after = text.find("\n", name.end_mark.index) + 1 or len(text)
        line = "" if text[:after].endswith("\n") else "\n"
        return f"{text[:after]}{line}  {key}: {value}\n{text[after:]}"
    for option, old in node.value:
        if option.value == key:
            begin, end = old.start_mark.index, old.end_mark.index
            space = " " if begin == end and text[begin - 1] == ":" else ""
            return f"{text[:begin]}{space}{value}{text[end:]}"
    if node.flow_style:
        comma = ", " if node.value else ""
        return f"{text[: start + 1]}{key}: {value}{comma}{text[start + 1 :]}"
    indent = text[text.rfind("\n", 0, start) + 1 : start]
    return f"{text[:start]}{key}: {value}\n{indent}{text[start:]}"
