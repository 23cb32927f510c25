"""A concert in real time: a real daemon on real ports, played to for twenty minutes.

`python -m tests.tools.soak [--minutes 20] [--backend tcp] [--load]` plays at concert density, 20
events a second in phrases with room for replies, looks at `segued status` each minute, and counts
at the end. With `--load` two processes eat both cores meanwhile; without it, what the daemon needs
must not change. Exit status 1 when a note hangs, memory grows, or it stays silent.
"""

import argparse
import itertools
import multiprocessing
import random
import sys

from segued.service.status import about, find
from segued.tools.live_session import Arrived, LiveSession

from tests.support.fakes import Synth

WARM_UP = 2  # minutes
MOST_GROWTH = 1.0  # MB after that
DENSITY = 20.0  # events a second while the performer plays
PHRASE, ROOM = 8.0, 4.0  # seconds of playing, and of leaving room
SETTINGS = ("turns.silence=0.4", "turns.reply_length=3")


def minute(rng: random.Random) -> list[Arrived]:
    """Timed messages of a minute: phrases at concert density, chords of ten notes among them."""
    played: list[Arrived] = []
    start = 0.0
    while start + PHRASE + ROOM <= 60.0:
        time = start
        while time < start + PHRASE:
            chord = rng.sample(range(36, 96), 10 if rng.random() < 0.03 else rng.choice([1, 1, 2]))
            length = 2 * len(chord) / DENSITY
            played += [(time, bytes((0x90, pitch, rng.randint(30, 110)))) for pitch in chord]
            played += [(time + 0.9 * length, bytes((0x80, pitch, 64))) for pitch in chord]
            time += length
        start += PHRASE + ROOM
    return sorted(played, key=lambda timed: timed[0])


def _burn() -> None:
    while True:
        sum(range(100_000))


def main() -> int:
    """Play, print a row a minute; 1 when a promise is broken."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--minutes", type=int, default=20)
    parser.add_argument("--backend", default="tcp")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--load", action="store_true", help="eat both cores meanwhile")
    options = parser.parse_args()
    rng = random.Random(options.seed)
    synth, rows = Synth(deaf=True), []
    burners = [multiprocessing.Process(target=_burn, daemon=True) for _ in range(2)]
    for burner in burners if options.load else ():
        burner.start()
    settings = (f"ports.backend={options.backend}", "ports.tcp_port=0", *SETTINGS)
    with LiveSession(settings, name="Segue Soak") as daemon:
        where = next(daemon.runtime.glob("*.board"), None) or find("Segue Soak")
        print(f"{'minute':>6}{'in':>8}{'out':>8}{'own':>7}{'MB':>8}{'step ms':>16}{'late ms':>16}")
        for number in range(options.minutes):
            _, arrived = daemon.play(minute(rng), lambda now, arrived: now >= 60.0, 70.0)
            for _, message in arrived:
                synth.take(message)
            status = about(where)
            counts = status["counts"]
            rows.append((status["memory_mb"], counts["notes_played"]))
            print(f"{number + 1:6}{counts['received']:8}{counts['sent']:8}"
                  f"{counts['notes_played']:7}{status['memory_mb']:8.2f}"
                  f"{_spread(status['step_ms']):>16}{_spread(status['late_ms']):>16}",
                  flush=True)  # fmt: skip
        sent = daemon.stop()
        _, arrived = daemon.play((), lambda now, arrived: now > 1.0, 2.0)
        for _, message in arrived:
            synth.take(message)
        lines, size = len(daemon.log), sum(map(len, daemon.log))
    for burner in burners if options.load else ():
        burner.kill()
    grown = rows[-1][0] - rows[min(WARM_UP, len(rows) - 1)][0]
    silent = any(after[1] == before[1] for before, after in itertools.pairwise(rows))
    print(f"exit status {sent}; notes hanging: {len(synth.sounding)}; memory grew by {grown:+.2f} "
          f"MB after warm-up; the log has {lines} lines, {size} bytes")  # fmt: skip
    broken = bool(sent or synth.sounding or silent) or grown > MOST_GROWTH
    print("a promise is broken" if broken else "all promises kept")
    return int(broken)


def _spread(values: dict[str, float | None]) -> str:
    return ", ".join("-" if values[k] is None else f"{values[k]:.2f}" for k in ("median", "p99"))


if __name__ == "__main__":
    sys.exit(main())
