"""Changes an option, or an entry of a list, in a settings file as a person would.

Comments and all else stay.
"""

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from ..errors import ConfigError
from ..fields.entries import placed
from .config import Config, change, flow
from .yaml_file import load_text


def with_option(text: str, file: str, name: str, value: Any) -> str:
    """The text of a settings file with the option `name` (section.key) set to `value`.

    Raises ConfigError where the file or the value is wrong, or where the file is written in such a
    way that only a person can change it. `file` is how errors call it.
    """
    wanted = change(load_text(text, file), file, name, value)
    section, _, key = name.partition(".")
    edited = _edited(text, section, key, flow(value))
    if not _reads_as(edited, file, wanted):
        raise ConfigError(f"{file}: {name} cannot be changed here: set it by hand to {flow(value)}")
    return edited


def with_entry(text: str, file: str, name: str, key: str, entry: Mapping[str, Any]) -> str:
    """The text of a settings file with `entry` in the list `name` (section.key).

    An entry of the list with the same value of `key` keeps what `entry` does not have. Raises
    ConfigError as `with_option` does.
    """
    config = load_text(text, file)
    section, _, option = name.partition(".")
    before = [dict(one.written) for one in getattr(getattr(config, section), option)]
    same = [place for place, one in enumerate(before) if one.get(key) == entry[key]]
    after = [*before, dict(entry)]
    if same:
        after = [one | dict(entry) if place in same else one for place, one in enumerate(before)]
    wanted = change(config, file, name, placed(after, file))
    edited = _with_item(text, section, option, same[0] if same else None, entry)
    if not _reads_as(edited, file, wanted):
        raise ConfigError(f"{file}: {name} cannot be changed here: add by hand {flow(dict(entry))}")
    return edited


def _reads_as(text: str, file: str, wanted: Config) -> bool:
    try:
        return load_text(text, file) == wanted
    except ConfigError:
        return False


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


def _with_item(
    text: str, section: str, option: str, place: int | None, entry: Mapping[str, Any]
) -> str:
    """The text with an entry merged into the item at `place` of a list; None: added as the last."""
    root = yaml.compose(text, yaml.SafeLoader)
    pairs = root.value if isinstance(root, yaml.MappingNode) else []
    parts = next((node for name, node in pairs if name.value == section), None)
    inner = parts.value if isinstance(parts, yaml.MappingNode) else []
    items = next((node for name, node in inner if name.value == option), None)
    if not isinstance(items, yaml.SequenceNode):
        return _edited(text, section, option, f"[{flow(dict(entry))}]")
    if place is not None:
        return _merged(text, items.value[place], entry)
    written = flow(dict(entry))
    if not items.value:  # the list becomes one of lines
        begin, end = items.start_mark.index, items.end_mark.index
        above = text[:begin].rstrip(" ")
        indent = " " * (_column(text, above.rfind(f"{option}")) + 2)
        return f"{above}{_newline(text)}{indent}- {written}{text[end:]}"
    last = items.value[-1]
    if items.flow_style:
        end = _end_of(last)
        return f"{text[:end]}, {written}{text[end:]}"
    dash = text.rfind("-", 0, last.start_mark.index)
    end = _line_end(text, _end_of(last))
    return f"{text[:end]}{_newline(text)}{' ' * _column(text, dash)}- {written}{text[end:]}"


def _merged(text: str, item: yaml.MappingNode, entry: Mapping[str, Any]) -> str:
    """The text with the values of `entry` in the mapping `item`."""
    old = {key.value: value for key, value in item.value}
    edits = [
        (old[key].start_mark.index, _end_of(old[key]), flow(value))
        for key, value in entry.items()
        if key in old
    ]
    new = [f"{key}: {flow(value)}" for key, value in entry.items() if key not in old]
    last = _end_of(item.value[-1][1])
    if item.flow_style:
        edits.append((last, last, "".join(f", {pair}" for pair in new)))
    else:
        last, space = _line_end(text, last), " " * item.start_mark.column
        edits.append((last, last, "".join(f"{_newline(text)}{space}{pair}" for pair in new)))
    for begin, end, value in sorted(edits, reverse=True):
        text = f"{text[:begin]}{value}{text[end:]}"
    return text


def _end_of(node: yaml.Node) -> int:
    """Where a node's text ends. PyYAML counts what follows a block as a part of it."""
    if isinstance(node, yaml.CollectionNode) and not node.flow_style and node.value:
        last = node.value[-1]
        return _end_of(last[1] if isinstance(last, tuple) else last)
    end: int = node.end_mark.index
    return end


def _line_end(text: str, index: int) -> int:
    """The index at which the line ends."""
    end = text.find("\n", index)
    if end < 0:
        return len(text)
    return end - 1 if text[end - 1] == "\r" else end


def _column(text: str, index: int) -> int:
    return index - text.rfind("\n", 0, index) - 1


def _newline(text: str) -> str:
    return "\r\n" if "\r\n" in text else "\n"
