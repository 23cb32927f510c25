"""`segued bench --steps`: measures a model step for each file, device and batch size.

They take turns, a few steps at a time, so that other load affects all of them alike.
"""

import gc
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ...errors import DeviceError
from ...model.loading import SHIPPED_FOR_GPU, SHIPPED_MODEL
from ...model.session import Model
from ...settings.config import Config
from . import core, live
from .report import percentile

ROWS = (1, 2, 4, 8, 16)
ROUNDS, STEPS = 40, 50  # turns of each case, and steps per turn
WARM = 5  # steps at the beginning of each turn that are not counted


@dataclass
class Case:
    """A model that steps `rows` states at once; `seconds` of each call."""

    name: str
    precision: str
    device: str
    rows: int
    action: Callable[[], object]
    floor: Callable[[], object]
    seconds: list[float] = field(default_factory=list)
    floor_seconds: list[float] = field(default_factory=list)

    def as_dict(self) -> dict[str, object]:
        """Milliseconds, and the ratio of the medians."""
        median = percentile(self.seconds, 0.5)
        floor = percentile(self.floor_seconds, 0.5)
        return {
            "file": self.name,
            "precision": self.precision,
            "device": self.device,
            "rows": self.rows,
            "least": 1000 * min(self.seconds),
            "median": 1000 * median,
            "p99": 1000 * percentile(self.seconds, 0.99),
            "floor": 1000 * floor,
            "ratio": median / floor,
            "a_row": 1000 * median / self.rows,
        }


def cases(paths: Sequence[Path]) -> tuple[list[Case], list[str]]:
    """A case for each file, device and batch size; and the errors of devices that cannot run it."""
    found: list[Case] = []
    missing: list[str] = []
    for path in paths:
        for device in Model.devices():
            try:
                found += _cases(path, device)
            except DeviceError as error:
                missing.append(str(error))
    return found, missing


def _cases(path: Path, device: str) -> list[Case]:
    model = Model.load(path, device)
    if device == "cpu":
        size = path.stat().st_size  # of the file, which is weights and little else
        floors = dict.fromkeys(ROWS, core.reading(size))
    else:
        floors = {rows: model.transfers(rows) for rows in ROWS}
    return [
        Case(path.stem, model.info["precision"], device, rows, _stepping(model, rows), floors[rows])
        for rows in ROWS
    ]


def _stepping(model: Model, rows: int) -> Callable[[], object]:
    """A function that steps the states of its previous call."""
    states, ids = [model.initial_state()] * rows, [1] * rows

    def one() -> None:
        states[0] = model.step((1,), states[0])[1]

    def many() -> None:
        states[:] = model.step_many(ids, states)[1]

    return one if rows == 1 else many


def measure(found: Sequence[Case]) -> None:
    """Measure all cases, in turns."""
    gc.collect()
    gc.disable()
    for _ in range(ROUNDS):
        for case in found:
            case.seconds += _timed(case.action)
            case.floor_seconds += _timed(case.floor)
    gc.enable()


def _timed(action: Callable[[], object]) -> list[float]:
    for _ in range(WARM):
        action()
    seconds = []
    for _ in range(STEPS):
        began = time.perf_counter()
        action()
        seconds.append(time.perf_counter() - began)
    return seconds


def bench_steps(config: Config, files: Sequence[Path], as_json: bool) -> int:
    """Measure `files` and the shipped models, or the one of the settings, and print a table."""
    own = config.model.path
    shipped = [SHIPPED_MODEL, SHIPPED_FOR_GPU] if own == "default" else [Path(own)]
    found, missing = cases([*shipped, *files])
    before = live.stolen_seconds()
    measure(found)
    stolen = live.stolen_seconds() - before
    rows = [case.as_dict() for case in found]
    if as_json:
        machine = {"machine": live.machine(), "stolen_s": stolen, "missing": missing}
        print(json.dumps({**machine, "steps": rows}))
        return 0
    print(f"{live.machine()}; {stolen:.2f} s stolen by the hypervisor; milliseconds a call")
    heads = ("", "states", "least", "median", "p99", "floor", "ratio", "a state")
    print("{:34}{:>7}{:>9}{:>9}{:>9}{:>9}{:>7}{:>9}".format(*heads))
    for row in rows:
        print(
            f"{row['file']!s:18.18} {row['precision']!s:6} {row['device']!s:7} {row['rows']:7}"
            f"{row['least']:9.3f}{row['median']:9.3f}{row['p99']:9.3f}{row['floor']:9.3f}"
            f"{row['ratio']:7.2f}{row['a_row']:9.3f}"
        )
    print("floor: reading the weights once; on cuda only the copies to the device and back")
    for line in missing:
        print(line)
    return 0
