"""Former names of settings, values and knobs. They are accepted for one version, with a hint."""

import sys
from typing import Any

from ..control.knobs import FORMER_NAMES
from ..fields.entries import Entry

RENAMED = {
    "ports.loop_guard": "ports.echo_filter",
    "sampling.fastest": "sampling.max_notes_per_second",
    "steering.grid_strength": "steering.quantize_strength",
    "sync.late": "sync.late_notes",
    "sync.start_on": "sync.launch_quantize",
    "turns.alone": "turns.duet_tail",
}
"""Former name of a setting -> its present name."""
NO_FILE = {"none": None}
RENAMED_VALUES: dict[str, dict[str, Any]] = {
    "control.learned": NO_FILE,
    "ports.bank": NO_FILE,
    "ports.program": NO_FILE,
    "record.folder": NO_FILE,
    "turns.by": {"hand": "manual"},
}
"""Setting -> former values -> present values."""


def renamed(where: str, name: str, value: Any) -> tuple[str, Any]:
    """The key and value of a setting by their present names; prints a line for a former name."""
    key, values = RENAMED.get(name, name), RENAMED_VALUES.get(name, {})
    if key != name:
        _hint(where, name, key)
    if isinstance(value, str) and value in values:
        _hint(where, f"{name}: {value}", "null" if values[value] is None else str(values[value]))
        return key, values[value]
    if name in ("control.map", "control.presets") and isinstance(value, list):
        return key, [_knobs_renamed(item) if isinstance(item, Entry) else item for item in value]
    return key, value


def _knobs_renamed(entry: Entry) -> Entry:
    """An entry with the present names of knobs."""
    values, places = dict(entry.values), dict(entry.places)
    for old, new in FORMER_NAMES.items():
        if old in values:  # in a preset a knob is a key
            _hint(places.get(old, entry.where), old, new)
            values = {new if key == old else key: value for key, value in values.items()}
            places = {new if key == old else key: place for key, place in places.items()}
        if values.get("knob") == old:
            _hint(places.get("knob", entry.where), old, new)
            values["knob"] = new
    return Entry(entry.where, values, places)


def _hint(where: str, old: str, new: str) -> None:
    line = f"{where}: {old} is now called {new} (the old name works in this version)"
    print(f"segued: {line}", file=sys.stderr)
