"""Every fault that Segue promises to survive, caused on purpose, and what came of it.

`python -m tests.tools.faults [FAULT ...]` breaks real daemons on real ports, one after the other
(8 minutes for all), and prints a row of docs/reliability.md for each; exit status 1 when a promise
is broken. The faults are `faults_inside.py` and `faults_outside.py`. `... faults jack --help`: a
JACK server that comes back a hundred times (`jack_restarts.py`).
"""

import argparse
import os
import sys
import time

from tests.tools import faults_inside, faults_outside, jack_restarts

FAULTS = {**faults_inside.FAULTS, **faults_outside.FAULTS}


def main() -> int:
    """Cause them, print the rows; 1 when a promise is broken."""
    if sys.argv[1:2] == ["jack"]:
        return jack_restarts.main(sys.argv[2:])
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("faults", nargs="*", metavar="FAULT", help=", ".join(FAULTS))
    options = parser.parse_args()
    unknown = set(options.faults) - set(FAULTS)
    if unknown:
        parser.error(f"no such fault: {', '.join(sorted(unknown))}; there are: {', '.join(FAULTS)}")
    load = ", ".join(f"{load:.1f}" for load in os.getloadavg())
    print(f"{time.strftime('%-d %B %Y, %H:%M')}, load {load} on {os.cpu_count()} cores\n")
    print("| fault | how it was caused | promised | measured | repeat: `... faults` |")
    print("|---|---|---|---|---|", flush=True)
    broken = []
    for name in options.faults or FAULTS:
        about, cause, promise, run = FAULTS[name]
        kept, measured = run()
        if not kept:
            broken.append(name)
            measured = f"**BROKEN:** {measured}"
        print(f"| {about} | {cause} | {promise} | {measured} | `{name}` |", flush=True)
    print(f"\npromises broken: {', '.join(broken) or 'none'}")
    return int(bool(broken))


if __name__ == "__main__":
    sys.exit(main())
