"""`segued bench`: each figure next to its floor, the best that this machine can do, measured in the
same run."""

import json
import sys
from collections.abc import Sequence

from ...settings.config import Config
from ..live_session import BESIDE
from . import core, full, live, pages, pressure, rest
from .report import table


def bench(config: Config, settings: Sequence[str], as_json: bool) -> int:
    """Measure everything and print a table, or one JSON object.

    This takes two minutes; the machine should be idle.
    """
    before = live.stolen_seconds()
    figures = core.measure(config)

    def say(text: str) -> None:
        print(text, file=sys.stderr, flush=True)

    settings = [*BESIDE, *settings]
    where, more = live.measure(settings, say)
    say("all features on ...")
    figures += [*more, *full.measure(settings), *pressure.measure(settings, say)]
    figures += pages.measure(settings, say)
    figures += rest.measure(settings, say)
    stolen = live.stolen_seconds() - before
    if as_json:
        rows = {figure.name: figure.as_dict() for figure in figures}
        print(json.dumps({"machine": live.machine(), "where": where, "stolen_s": stolen, **rows}))
    else:
        print(f"{live.machine()}; {where}; {stolen:.2f} s stolen by the hypervisor")
        print(table(figures))
    return 0
