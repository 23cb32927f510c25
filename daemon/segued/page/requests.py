"""What a page asks for by HTTP, checked. Pure.

Each function takes the body of a request and raises ValueError, whose text says what is allowed.
"""

import json
from typing import Any, NamedTuple

from ..control.presets import LONGEST_NAME, is_name

WAYS = ("input", "output")
MINUTES = (10, 30, 60, 120)


class LearnRequest(NamedTuple):
    """How long to learn, whether only from takes with a star, and consent to a download."""

    minutes: int
    starred: bool
    download: bool


class PresetRequest(NamedTuple):
    """The name of the preset to save, and whether to replace one of that name."""

    name: str
    replace: bool


def learn_request(body: bytes) -> LearnRequest:
    """From `{"minutes": 10, "starred": true, "download": true}`."""
    asked = _object(body, "minutes", "starred", "download")
    minutes = asked.get("minutes")
    if type(minutes) is not int or minutes not in MINUTES:
        raise ValueError(f"minutes must be one of {MINUTES}")
    return LearnRequest(minutes, _flag(asked, "starred"), _flag(asked, "download"))


def preset_request(body: bytes) -> PresetRequest:
    """From `{"name": NAME, "replace": true}`."""
    asked = _object(body, "name", "replace")
    name = asked.get("name")
    if not is_name(name):
        raise ValueError(f"a name has 1 to {LONGEST_NAME} printable characters")
    return PresetRequest(name, _flag(asked, "replace"))


def ports_request(body: bytes) -> dict[str, str]:
    """From `{"input": NAME, "output": NAME}`, or one of them. The names may be unknown."""
    asked = _object(body, *WAYS)
    return {way: name if isinstance(name, str) else "" for way, name in asked.items()}


def _object(body: bytes, *keys: str) -> dict[str, Any]:
    """The JSON object of a request, which has at least one of `keys` and no other."""
    try:
        asked = json.loads(body)
    except (ValueError, RecursionError):
        asked = None
    if not isinstance(asked, dict) or not asked or not {*asked} <= {*keys}:
        raise ValueError(f"expected: a JSON object with {', '.join(keys)}")
    return asked


def _flag(asked: dict[str, Any], key: str) -> bool:
    value = asked.get(key, False)
    if not isinstance(value, bool):
        raise ValueError(f"{key} must be true or false")
    return value
