"""config.yaml and `--set`: reading, with errors that name the file, the line and the key."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from .config import SECTIONS, Config, change, nearest
from .errors import ConfigError


def load(path: Path | None, settings: Sequence[str] = ()) -> Config:
    """The configuration of a file (None: all defaults) with `section.key=value` settings on top.

    Raises ConfigError, one line, status 78.
    """
    config = Config()
    if path is not None:
        for where, key, value in _entries(path):
            config = change(config, where, key, value)
    for setting in settings:
        key, equals, value_text = setting.partition("=")
        if not equals:
            raise ConfigError(f"--set {setting}: write it as section.key=value")
        try:
            value = yaml.safe_load(value_text)
        except yaml.YAMLError:
            raise ConfigError(f"--set {setting}: {value_text!r} is not a YAML value") from None
        config = change(config, f"--set {setting}", key.strip(), value)
    if config.sampling.lowest_pitch > config.sampling.highest_pitch:
        raise ConfigError(
            f"{path or '--set'}: sampling.lowest_pitch ({config.sampling.lowest_pitch}) is above "
            f"sampling.highest_pitch ({config.sampling.highest_pitch})"
        )
    return config


def _entries(path: Path) -> list[tuple[str, str, Any]]:
    """(file:line, section.key, value) of every entry of a file."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{path}: is not UTF-8 text") from None
    try:
        root = yaml.compose(text, yaml.SafeLoader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f":{mark.line + 1}" if mark else ""
        why = getattr(error, "problem", None) or str(error).splitlines()[0]
        raise ConfigError(f"{path}{line}: broken YAML: {why}") from None
    return [] if root is None else _walk(path, root)


def _walk(path: Path, root: yaml.Node) -> list[tuple[str, str, Any]]:
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
            entries.append(
                (_where(path, key), f"{section.value}.{key.value}", _plain(path, key, value))
            )
    seen: dict[str, str] = {}
    for where, name, _ in entries:
        if name in seen:
            raise ConfigError(f"{where}: {name} is given twice (first at {seen[name]})")
        seen[name] = where
    return entries


def _pairs(path: Path, node: yaml.Node, what: str) -> list[tuple[yaml.Node, yaml.Node]]:
    if not isinstance(node, yaml.MappingNode):
        raise ConfigError(f"{_where(path, node)}: {what} must hold 'key: value' lines")
    return list(node.value)


def _plain(path: Path, key: yaml.Node, node: yaml.Node) -> Any:
    if not isinstance(node, yaml.ScalarNode):
        raise ConfigError(f"{_where(path, key)}: {key.value} takes a single value")
    try:
        return yaml.safe_load(yaml.serialize(node))
    except (yaml.YAMLError, ValueError):
        raise ConfigError(f"{_where(path, node)}: {node.value!r} cannot be understood") from None


def _where(path: Path, node: yaml.Node) -> str:
    return f"{path}:{node.start_mark.line + 1}"
