"""`python -m tests.fuzz [TARGET ...] [--share X] [--seed N]`: atheris looks for what breaks it.

Each target runs in a process of its own, guided by what code its inputs reach (libFuzzer), so that
a crash of a library is a find and not the end. The same seed and share give the same inputs. A find
is written to tests/fuzz/finds/ and makes the exit status 1; put it into tests/fuzz/known/ when it
is mended, and the test-suite plays it from then on.
"""

import argparse
import subprocess
import sys
import time
from pathlib import Path

FINDS = Path(__file__).parent / "finds"
PLAY = """
import sys, atheris
with atheris.instrument_imports(include=["segued", "mido", "yaml"]):
    from tests.fuzz.targets import TARGETS
check = TARGETS[sys.argv[1]].check
atheris.Setup([sys.argv[0], *sys.argv[2:]], lambda data: check(bytes(data)))
atheris.Fuzz()
"""


def main() -> int:
    """Run the chosen targets one after the other; 1 when any has a find."""
    from .targets import SCRATCH, TARGETS

    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=", ".join(TARGETS))
    parser.add_argument("--share", type=float, default=1.0, help="of a million inputs")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    unknown = set(options.targets) - set(TARGETS)
    if unknown:
        parser.error(f"no such target: {', '.join(sorted(unknown))}")
    FINDS.mkdir(exist_ok=True)
    failed = []
    total = 0
    for name in options.targets or TARGETS:
        corpus = SCRATCH / f"corpus-{name}"
        corpus.mkdir()
        for i, seed in enumerate(TARGETS[name].seeds()):
            (corpus / str(i)).write_bytes(seed)
        runs = max(1, round(TARGETS[name].runs * options.share))
        began = time.monotonic()
        flags = [
            f"-runs={runs}", f"-seed={options.seed}", "-max_len=8192", "-timeout=20",
            f"-artifact_prefix={FINDS}/{name}-", "-verbosity=0", str(corpus),
        ]  # fmt: skip
        done = subprocess.run([sys.executable, "-c", PLAY, name, *flags], check=False)
        seconds = time.monotonic() - began
        total += runs
        verdict = "nothing found" if done.returncode == 0 else "A FIND"
        print(f"{name:12}{runs:9} inputs {seconds:7.0f} s  {verdict}", flush=True)
        if done.returncode:
            failed.append(name)
    print(f"{total} inputs; finds in: {', '.join(failed) or 'none'}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
