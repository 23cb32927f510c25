"""Reads config.yaml and `--set`, with errors that name the file, the line and the key."""

import contextlib
import re
import reprlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml

from ..errors import ConfigError
from ..fields.entries import Entry, nearest, placed
from ..fields.options import ENTRIES, VALUE
from .config import SECTIONS, Config, change, shape_of
from .contradictions import refuse_contradictions
from .former_names import RENAMED, renamed

Setting = tuple[str, str, Any]
"""The place of a setting (file:line, or the `--set`), section.key, and value."""

WHERE = ("name", "backend", "input", "output", "tcp_host", "tcp_port")
"""The options of `ports` that a running daemon is found by."""
PATHS, PRESETS, HEAR = ("memory.hear",), "control.presets", "hear"
"""The options whose paths are relative to the settings file; so are those of a preset's `hear`."""
ADDED = {
    "steering.ending": 0.0,
    "steering.focus": 0.0,
    "steering.motifs": 0.0,
    "steering.swing": False,
    "steering.timekeeping": 0.0,
    "turns.thinking_time": 2.0,
}
"""Settings that old recordings lack, with the values at which a replay is as it was recorded."""

NOT_YAML = (yaml.YAMLError, ValueError, RecursionError)
"""What PyYAML raises for invalid text, for example also for a date with a 13th month."""


_MISREAD = re.compile(r"[-+]?0[0-7_]+|[-+]?[0-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)?")


class _Misread(ValueError):
    """A number that YAML 1.1 reads in base 8 or 60, which the user surely did not mean."""


class _Loader(yaml.SafeLoader):
    """SafeLoader that refuses numbers in base 8 or 60."""

    def number(self, node: yaml.ScalarNode) -> Any:
        """The number of a node. Raises _Misread."""
        text = str(node.value)
        value = yaml.SafeLoader.yaml_constructors[node.tag](self, node)
        if node.style is None and _MISREAD.fullmatch(text):
            meant = f"'{text}' in quotes" if ":" in text else text.lstrip("+0_") or "0"
            raise _Misread(f"YAML reads {text} as the number {value}: write {meant}")
        return value


for _kind in ("int", "float"):
    _Loader.add_constructor(f"tag:yaml.org,2002:{_kind}", _Loader.number)


def load_settings(path: Path | None, settings: Sequence[str] = ()) -> Config:
    """Read the settings of a file (None: all defaults), overridden by `section.key=value` texts.

    Raises ConfigError.
    """
    return _build([] if path is None else _entries(path), settings)


def load_known(path: Path | None, settings: Sequence[str] = ()) -> tuple[Config, str]:
    """The settings to find a running daemon by, and the error in the file as one line ("": none).

    For commands that must work in spite of an error in the file: only the valid ones among the
    options `WHERE` of such a file are used. Raises ConfigError for an error in `settings`.
    """
    try:
        return load_settings(path, settings), ""
    except ConfigError as error:
        if path is None:
            raise
        return _build(_valid_ports(path), settings), str(error)


def _valid_ports(path: Path) -> list[Setting]:
    """The valid ones among the options `WHERE` of a file that has an error somewhere."""
    try:
        ports = yaml.safe_load(path.read_text(encoding="utf-8"))["ports"]
        given = [(str(path), f"ports.{key}", ports[key]) for key in WHERE if key in ports]
    except (OSError, TypeError, KeyError, *NOT_YAML):
        return []
    valid = []
    for setting in given:
        with contextlib.suppress(ConfigError):
            change(Config(), *setting)
            valid.append(setting)
    return valid


def load_text(text: str, name: str, settings: Sequence[str] = ()) -> Config:
    """Like `load_settings`, from a text that error messages call `name`."""
    return _build(_parse(Path(name), text), settings)


def load_recorded(text: str, name: str, settings: Sequence[str] = ()) -> Config:
    """The settings of a recording. Newer options that it lacks are off (`ADDED`)."""
    entries = _parse(Path(name), text)
    given = {RENAMED.get(key, key) for _, key, _ in entries}
    added = [(name, key, value) for key, value in ADDED.items() if key not in given]
    return _build(added + entries, settings)


def _build(entries: list[Setting], settings: Sequence[str]) -> Config:
    config = Config()
    places = {}
    for where, name, value in entries + [_setting(setting) for setting in settings]:
        key, value = renamed(where, name, value)
        config = change(config, where, key, value)
        places[key] = where
    refuse_contradictions(config, places)
    return config


def _setting(setting: str) -> Setting:
    """The setting in a `--set`."""
    key, equals, text = setting.partition("=")
    where = "--set " + " ".join(setting.split())
    if not equals:
        raise ConfigError(f"{where}: write it as section.key=value")
    try:
        value = yaml.load(text, _Loader)
    except _Misread as error:
        raise ConfigError(f"{where}: {error}") from None
    except NOT_YAML:
        raise ConfigError(f"{where}: {reprlib.repr(text)} is not a YAML value") from None
    key = key.strip()
    shape = shape_of(RENAMED.get(key, key)) if key.partition(".")[0] in SECTIONS else VALUE
    return where, key, placed(value, where) if shape == ENTRIES else value


def _entries(path: Path) -> list[Setting]:
    """All settings of a file."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{path}: is not UTF-8 text") from None
    return [_beside(path, setting) for setting in _parse(path, text)]


def _beside(path: Path, setting: Setting) -> Setting:
    """The setting, with paths of `PATHS` that are relative made relative to the folder of `path`.

    `path` is the settings file.
    """
    where, name, value = setting
    if name in PATHS:
        return where, name, _paths_beside(path, value)
    if name != PRESETS or not isinstance(value, list):
        return setting
    entries = [
        replace(entry, values={**entry.values, HEAR: _paths_beside(path, entry.values[HEAR])})
        if isinstance(entry, Entry) and HEAR in entry.values
        else entry
        for entry in value
    ]
    return where, name, entries


def _paths_beside(path: Path, value: Any) -> Any:
    """Paths in the settings file `path`, relative to its folder; "~" is kept."""
    if value is None:
        return value
    folder = path.absolute().parent
    return [
        str(folder / one)
        if isinstance(one, str) and one.strip() and not one.startswith("~")
        else one
        for one in (value if isinstance(value, list) else [value])
    ]


def _parse(path: Path, text: str) -> list[Setting]:
    try:
        root = yaml.compose(text, yaml.SafeLoader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = mark.line if mark else text.count("\n", 0, getattr(error, "position", 0))
        why = getattr(error, "problem", None) or str(error).splitlines()[0]
        raise ConfigError(f"{path}:{line + 1}: broken YAML: {why}") from None
    except RecursionError:
        raise ConfigError(f"{path}: broken YAML: nested too deeply") from None
    return [] if root is None else _walk(path, root)


def _walk(path: Path, root: yaml.Node) -> list[Setting]:
    entries = []
    for section, node in _pairs(path, root, "the file"):
        if section.value not in SECTIONS:
            raise ConfigError(
                f"{_where(path, section)}: unknown section {section.value!r}"
                + nearest(section.value, SECTIONS)
            )
        if isinstance(node, yaml.ScalarNode) and node.tag.endswith(":null"):
            continue
        for key, value in _pairs(path, node, section.value):
            where, name = _where(path, key), f"{section.value}.{key.value}"
            entries.append((where, name, _plain(where, name, path, value)))
    seen: dict[str, str] = {}
    for where, name, _ in entries:
        if name in seen:
            raise ConfigError(f"{where}: {name} is given twice (first at {seen[name]})")
        seen[name] = where
    return entries


def _pairs(path: Path, node: yaml.Node, what: str) -> list[tuple[yaml.Node, yaml.Node]]:
    if not isinstance(node, yaml.MappingNode):
        raise ConfigError(f"{_where(path, node)}: {what} must hold 'key: value' lines")
    for key, _ in node.value:
        if not isinstance(key, yaml.ScalarNode):
            raise ConfigError(f"{_where(path, key)}: a key must be a plain word")
    return list(node.value)


def _plain(where: str, name: str, path: Path, node: yaml.Node) -> Any:
    """A value, or a list if the option accepts one. Entries keep the place of each key."""
    shape = shape_of(RENAMED.get(name, name))
    if shape != VALUE and isinstance(node, yaml.SequenceNode):
        return [_item(where, name, path, item, shape) for item in node.value]
    return _scalar(where, name, node)


def _item(where: str, name: str, path: Path, node: yaml.Node, shape: str) -> Any:
    if shape != ENTRIES:
        return _scalar(where, name, node)
    at = _where(path, node)
    if not isinstance(node, yaml.MappingNode):
        raise ConfigError(f"{at}: {name}: an entry must hold 'key: value' pairs")
    values: dict[str, Any] = {}
    places: dict[str, str] = {}
    for key, value in _pairs(path, node, name):
        place = _where(path, key)
        if key.value in values:
            raise ConfigError(f"{place}: {name}: {key.value} is given twice in one entry")
        of = f"{name}: {key.value}"
        if isinstance(value, yaml.SequenceNode):
            values[key.value] = [_scalar(place, of, item) for item in value.value]
        else:
            values[key.value] = _scalar(place, of, value)
        places[key.value] = place
    return Entry(at, values, places)


def _scalar(where: str, name: str, node: yaml.Node) -> Any:
    if not isinstance(node, yaml.ScalarNode):
        raise ConfigError(f"{where}: {name} takes a single value")
    try:
        return _Loader("").construct_object(node)
    except _Misread as error:
        raise ConfigError(f"{where}: {name}: {error}") from None
    except NOT_YAML:
        value = reprlib.repr(node.value)
        raise ConfigError(f"{where}: {name}: {value} is not a valid YAML value") from None


def _where(path: Path, node: yaml.Node) -> str:
    return f"{path}:{node.start_mark.line + 1}"
