"""Faults of the daemon itself and of the machine it runs on, for `faults.py`."""

import os
import signal
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from segued.tools.live_session import Arrived

from tests.support.breaking import SLOW
from tests.tools.stage import Stage, burners, delays, replies, spread

BREAKING = ("tests.support.breaking", "run")
FLOOD, FLOOD_SECONDS = 3000, 60  # messages a second
SLEEP = 30.0  # seconds
MOST_GROWTH = 1.0  # MB
Row = tuple[str, str, str, Callable[[], tuple[bool, str]]]
"""The fault, how it was caused, what was promised, and what causes it: was it kept, what came."""


def kill() -> tuple[bool, str]:
    """kill -9 while a reply and two keys and a pedal sound, and a start after it."""
    with tempfile.TemporaryDirectory() as folder:
        with Stage(runtime=Path(folder)) as stage:
            stage.answered()
            held = [(0.0, b"\x92\x28\x50"), (0.0, b"\x92\x2f\x50"), (0.0, b"\xb2\x40\x7f")]
            stage.go(held, seconds=0.5)
            stage.stop(signal.SIGKILL)
            stage.go(seconds=0.2)
            synth, left = stage.synth, len(stage.synth.sounding)
        with Stage(runtime=Path(folder)) as again:
            again.synth = synth
            _, arrived = again.go(seconds=0.3)
            took = again.ready_after
            silence = len(synth.sounding)
            first = bool(arrived) and arrived[0][1][0] & 0xF0 == 0x80
            plays = again.answered() < 15
            hanging = again.hanging()
    kept = left > 0 and silence == 0 and first and plays and hanging == 0
    return kept, (f"{left} sounding at its death; notes hanging: {silence}; silence comes first: "
                  f"{'yes' if first else 'no'}; ready {took:.1f} s after its start")  # fmt: skip


def exception() -> tuple[bool, str]:
    """An error raised in the loop, and another one where the player would be silenced."""
    with Stage(module=BREAKING) as stage:
        stage.answered()
        stage.go([(0.0, b"\x93\x30\x50")], seconds=0.2)
        stage.process.send_signal(signal.SIGUSR1)
        began = time.perf_counter()
        status = stage.process.wait(15)
        ended = time.perf_counter() - began
        hanging = stage.hanging()
        summary = next((line for line in stage.log if "broken:" in line), "no line")
        trace = any("Traceback" in line for line in stage.log)
    return hanging == 0 and status == 70 and trace and "all notes were ended" in summary, (
        f"notes hanging: {hanging}; status {status} after {ended:.2f} s; one line and the "
        "traceback in the log"
    )


def load() -> tuple[bool, str]:
    """Twice as many processes that compute as there are cores."""
    return _pressed(lambda stage: burners(2 * (os.cpu_count() or 1)), 250.0)


def slow() -> tuple[bool, str]:
    """A model that takes 250 times as long for a step."""

    class Slowed:
        def __init__(self, stage: Stage) -> None:
            self._scheduler = stage

        def __enter__(self) -> None:
            self._scheduler.process.send_signal(signal.SIGUSR2)

        def __exit__(self, *_: object) -> None:
            self._scheduler.process.send_signal(signal.SIGUSR2)

    return _pressed(Slowed, 1000 * (2 * SLOW + 0.05))


def _pressed(pressure: Any, bound_ms: float) -> tuple[bool, str]:
    """Twenty seconds of a concert under pressure: thru stays within its bound, memory flat, and
    after it everything is as before."""
    with Stage("turns.reply_length=3", module=BREAKING) as stage:
        stage.answered(1)
        stage.go(concert(5.0), seconds=8.0)
        before = stage.memory()
        with pressure(stage):
            sent, arrived = stage.go(concert(20.0), seconds=22.0)
        after = stage.answered(1)
        late, lost = delays(sent, arrived)
        grown = stage.memory() - before
        skipped = stage.status()["counts"]["skipped_ids"]
        hanging = stage.hanging()
    worst = 1000 * late[int(0.99 * len(late))]
    kept = lost == 0 and hanging == 0 and grown < MOST_GROWTH + 1 and after < 15
    return kept and worst < bound_ms, (
        f"thru (median / p99 / most) {spread(late)} of {len(sent)} messages, none lost; the model "
        f"began {replies(arrived)} notes and left out {skipped} ids; notes hanging: {hanging}; "
        f"memory {grown:+.2f} MB; answers {after:.1f} s after it is over"
    )


def flooded() -> tuple[bool, str]:
    """Notes on and off, 3,000 messages a second for a minute."""
    with Stage() as stage:
        stage.answered(1)
        stage.go(flood(10), seconds=11.0)
        before = stage.memory()
        sent, arrived = stage.go(flood(FLOOD_SECONDS), lambda now, _: now > FLOOD_SECONDS + 1, 120)
        after = stage.answered()
        late, lost = delays(sent, arrived)
        grown = stage.memory() - before
        hanging = stage.hanging()
    kept = lost == 0 and hanging == 0 and grown < MOST_GROWTH and after < 15
    return kept, (f"{len(sent)} messages in {sent[-1][0]:.0f} s, thru {spread(late)}, lost: "
                  f"{lost}; notes hanging: {hanging}; memory {grown:+.2f} MB; answers again after "
                  f"{after:.1f} s")  # fmt: skip


def flood(seconds: int) -> list[Arrived]:
    """Notes on three channels, so many that no two alike follow each other soon."""
    rows: list[Arrived] = []
    for i in range(FLOOD * seconds // 2):
        pitch, channel = 24 + i * 7 % 80, i % 3
        at = 2.0 * i / FLOOD
        rows.append((at, bytes((0x90 | channel, pitch, 1 + i % 127))))
        rows.append((at + 1.0 / FLOOD, bytes((0x80 | channel, pitch, 64))))
    return rows


def sleep() -> tuple[bool, str]:
    """Every process of it stopped for 30 s in the midst of a reply: for it, time jumps."""
    with Stage() as stage:
        stage.answered()
        before = stage.memory()
        processes = [stage.process.pid, *_children(stage.process.pid)]
        for process in processes:
            os.kill(process, signal.SIGSTOP)
        stage.go(seconds=SLEEP)
        for process in processes:
            os.kill(process, signal.SIGCONT)
        _, burst = stage.go(seconds=0.25)
        _, arrived = stage.go(until=lambda _, arrived: replies(arrived) >= 4, seconds=15)
        plays = replies(arrived) >= 4
        grown = stage.memory() - before
        hanging = stage.hanging()
    kept = plays and hanging == 0 and grown < MOST_GROWTH and replies(burst) < 16
    return kept, (f"{replies(burst)} notes in the first 0.25 s, plays on {arrived[-1][0]:.1f} s "
                  f"later; notes hanging: {hanging}; memory {grown:+.2f} MB")  # fmt: skip


def _children(process: int) -> list[int]:
    text = Path(f"/proc/{process}/task/{process}/children").read_text()
    return [int(number) for number in text.split()]


def concert(seconds: float) -> list[Arrived]:
    """20 events a second in phrases of three seconds, a second of room after each."""
    rows: list[Arrived] = []
    for i in range(int(seconds * 10)):
        at = 0.1 * i
        if at % 4.0 < 3.0:
            pitch = 48 + i * 5 % 24
            rows += [(at, bytes((0x90, pitch, 80))), (at + 0.08, bytes((0x80, pitch, 64)))]
    return rows


FAULTS: dict[str, Row] = {
    "kill": ("killed", "`kill -9` in the midst of a reply, keys and a pedal down",
             "the next start silences it before anything else", kill),
    "exception": ("an error in the hot loop", "one raised there, one in what silences the player",
                  "notes closed, a line and a traceback, status 70", exception),
    "load": ("no time", "other processes eat all cores for 20 s, twice as many as there are",
             "thru and note-offs in time, back to normal", load),
    "slow": ("a model too slow", f"each step of it takes {1000 * SLOW:g} ms more, for 20 s",
             "thru waits for one step at most; what is late is left out; back to normal", slow),
    "flood": ("a flood", "3,000 messages a second for a minute",
              "all of them thru in order, memory flat, back to normal", flooded),
    "sleep": ("suspend and resume, the clock jumps", "all of it stopped for 30 s in a reply",
              "no burst of what was missed, it plays on", sleep),
}  # fmt: skip
