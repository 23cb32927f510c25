"""Measures the daemon through real ports, as a keyboard and a synth see it."""

import contextlib
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from ...midi.messages import NOTE_OFF, NOTE_ON, note_off, note_on
from ...ports.bindings import binding
from ...ports.port_names import NoBackend
from ..live_session import Arrived, LiveSession
from .report import Figure

THRU_NOTES = 1000
TURNS = 100
STARTS = 7
SILENCE = 0.15  # seconds; short, so that many turns can be measured
BEAT = 0.01  # seconds: the steps on which a reply's notes are
JITTER_SECONDS = 20.0
REPLY_CHANNEL = 15
REPLY_NOTE = NOTE_ON | REPLY_CHANNEL
MEGABYTE = 1024.0  # kB

Say = Callable[[str], None]


def measure(settings: Sequence[str], say: Say) -> tuple[str, list[Figure]]:
    """All figures of the live path, and the transport that they were measured on."""
    say("thru ...")
    with LiveSession(settings, "Segue Bench", module=("segued.tools.bench.relay", "pass")) as stage:
        where = stage.where
        bare = thru_delays(stage)
    with LiveSession([*settings, "turns.silence=5"], "Segue Bench") as stage:
        through = thru_delays(stage)
        memory = [resident(stage.process.pid)]
    figures = [
        Figure("thru, in to out", "ms", through, bare, 1.0, "p99", over_floor=True,
               note="floor: a process that only passes bytes on, in a busy loop")
    ]  # fmt: skip
    say("first reply note ...")
    turns = [*settings, f"turns.silence={SILENCE}", f"ports.reply_channel={REPLY_CHANNEL + 1}"]
    with LiveSession(turns, "Segue Bench", module=("segued.tools.bench.relay", "answer")) as stage:
        timer, _ = take_turns(stage)
    with LiveSession(turns, "Segue Bench") as stage:
        delays, silenced = take_turns(stage)
    figures.append(
        Figure("end of turn to first reply note", "ms", delays, timer, 3.0, "p99",
               note=f"after the {SILENCE:g} s of silence; floor: only a timer")
    )  # fmt: skip
    figures.append(
        Figure("key to silence of the reply", "ms", silenced, bare, 3.0, "p99", over_floor=True,
               note="interrupting a reply; floor: as for thru")
    )  # fmt: skip
    say("jitter ...")
    with LiveSession(settings, "Segue Bench", module=("segued.tools.bench.relay", "beat")) as stage:
        _, ticks = stage.play(seconds=5.0)
    endless = [*turns, "turns.reply_length=endless", "ports.listen_channel=1"]
    with LiveSession(endless, "Segue Bench") as stage:
        notes = reply_under_fire(stage)
        memory.append(resident(stage.process.pid))
    figures.append(
        Figure("scheduling jitter", "ms", off_grid(notes), off_grid(ticks), 1.0, "p99",
               note="distance from the 10 ms grid, with 20 notes/s of input; floor: only a timer")
    )  # fmt: skip
    say("start and memory ...")
    figures += [*_starts(settings), _memory(memory)]
    return where, figures


def thru_delays(stage: LiveSession) -> list[float]:
    """Milliseconds from sending each of many note-ons to its return, one at a time."""
    delays = []
    for i in range(THRU_NOTES):
        pitch = 30 + i % 60
        message = note_on(0, pitch, 1 + i % 127)
        sent, arrived = stage.play([(0.0, message)], _came_back(message), 1.0)
        back = [time for time, got in arrived if got == message]
        if back:
            delays.append(1000 * (back[0] - sent[0][0]))
        stage.play([(0.0, note_off(0, pitch))], seconds=0.0031 + 0.0001 * (i % 7))
    if len(delays) < THRU_NOTES:
        raise RuntimeError(f"{THRU_NOTES - len(delays)} of {THRU_NOTES} notes did not return")
    return delays


def take_turns(stage: LiveSession) -> tuple[list[float], list[float]]:
    """Milliseconds from the end of each turn to the reply's first note, and from each key that
    interrupts a reply until its thru has arrived and the reply is silent."""
    delays, silenced = [], []
    for i in range(TURNS):
        pitch = 55 + i % 12
        phrase = [(0.0, note_on(0, pitch, 80)), (0.05, note_off(0, pitch))]
        sent, arrived = stage.play(phrase, _replied_after(0.1), SILENCE + 2.0)
        early = [t for t, m in arrived if t < 0.1 and (m == phrase[0][1] or _is_silence(m))]
        if i and early:  # the key itself is passed thru after the reply's note-offs
            silenced.append(1000 * (early[-1] - sent[0][0]))
        first = next((time for time, m in arrived if m[0] == REPLY_NOTE and time > 0.1), None)
        released = [time for time, message in arrived if message[0] == NOTE_OFF]
        if first is not None and released:
            delays.append(1000 * (first - released[0] - SILENCE))
    if len(delays) < TURNS:
        raise RuntimeError(f"{TURNS - len(delays)} of {TURNS} phrases got no reply")
    return delays, silenced


def reply_under_fire(stage: LiveSession) -> list[Arrived]:
    """The note-ons of a long reply, with 20 notes per second of input on another channel."""
    performance = [(0.0, note_on(0, 60, 80)), (0.1, note_off(0, 60))]
    for i in range(int(JITTER_SECONDS * 20)):
        pitch = 40 + i % 40
        performance.append((0.5 + 0.05 * i, note_on(1, pitch, 70)))
        performance.append((0.5 + 0.05 * i + 0.031, note_off(1, pitch)))
    performance.sort(key=lambda timed: timed[0])
    _, arrived = stage.play(performance, lambda now, _: True, JITTER_SECONDS + 2.0)
    return [timed for timed in arrived if timed[1][0] == REPLY_NOTE]


def off_grid(arrived: Sequence[Arrived]) -> list[float]:
    """The distance in milliseconds of each arrival from a 10 ms grid fitted to all of them."""
    if len(arrived) < 20:
        raise RuntimeError(f"only {len(arrived)} notes arrived")
    phases = sorted((time - arrived[0][0] + BEAT / 2) % BEAT - BEAT / 2 for time, _ in arrived)
    centre = phases[len(phases) // 2]
    return [1000 * abs(phase - centre) for phase in phases]


def _is_silence(message: bytes) -> bool:
    """Whether a message ends a note of the reply."""
    return message[0] == NOTE_OFF | REPLY_CHANNEL


def _came_back(message: bytes) -> Callable[[float, list[Arrived]], bool]:
    return lambda _, arrived: any(got == message for _, got in arrived)


def _replied_after(start: float) -> Callable[[float, list[Arrived]], bool]:
    return lambda _, arrived: any(m[0] == REPLY_NOTE and time > start for time, m in arrived)


def _imports() -> str:
    """A statement that imports the daemon's libraries; without MIDI ports, no binding for them."""
    libraries = ["mido", "numpy", "onnxruntime", "yaml"]
    with contextlib.suppress(NoBackend):
        libraries.append(binding().module.__name__)
    return f"import {', '.join(libraries)}"


def _starts(settings: Sequence[str]) -> list[Figure]:
    floor, starts = [], []
    for _ in range(STARTS):
        began = time.perf_counter()
        subprocess.run([sys.executable, "-c", _imports()], check=True)
        floor.append(time.perf_counter() - began)
        with LiveSession(settings, "Segue Bench") as stage:
            starts.append(stage.ready_after)
    note = "floor: importing its libraries"
    return [Figure("start to ready", "s", starts, floor, 1.0, "max", note=note)]


def _memory(values: Sequence[float]) -> Figure:
    code = f"{_imports()}; import time; print(flush=True); time.sleep(60)"
    child = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    assert child.stdout is not None
    child.stdout.readline()
    floor = resident(child.pid)
    child.kill()
    child.wait()
    child.stdout.close()
    note = "floor: its libraries"
    return Figure("resident memory", "MB", values, [floor], 150.0, "max", note=note)


def resident(pid: int, children: bool = True) -> float:
    """The resident memory in MB of a process and its `children`; NaN if it is not Linux.

    Shared memory is left out: JACK's server maps 105 MB into every client, but has them only once.
    """
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
        others = Path(f"/proc/{pid}/task/{pid}/children").read_text().split() if children else ()
    except OSError:
        return float("nan")
    own = sum(int(line.split()[1]) for line in lines if line.startswith(("RssAnon", "RssFile")))
    return own / MEGABYTE + sum(resident(int(child)) for child in others)


def stolen_seconds() -> float:
    """Seconds of CPU time that the hypervisor has stolen since boot."""
    try:
        ticks = int(Path("/proc/stat").read_text().split("\n", 1)[0].split()[8])
    except (OSError, IndexError):
        return 0.0
    return ticks / os.sysconf("SC_CLK_TCK")


def machine() -> str:
    """The machine, as text."""
    name = platform.processor() or platform.machine()
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        name = next(line.split(":")[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        pass
    return (
        f"{name}, {os.cpu_count()} cores, {platform.system()}, Python {platform.python_version()}"
    )
