"""The floor of the live measurements: a process on the same ports that does as little as possible.

    python -m segued.tools.bench.relay MODE [--set KEY=VALUE ...]

It opens the ports that the daemon would open with the same settings. `pass` passes messages on in a
busy loop. `beat` sends a note every 10 ms on absolute deadlines. `answer` passes messages on and
sends a note on channel 16 when the silence that ends a turn has passed after a note-off. `sleep`
only keeps the ports open.
"""

import signal
import sys
import time
from collections.abc import Callable
from itertools import pairwise

from ...midi.messages import KIND_MASK, NOTE_OFF, note_off, note_on
from ...ports.transport import Transport, open_ports
from ...service.reporter import Reporter
from ...settings.config import Config
from ...settings.yaml_file import load_settings
from ...system import realtime
from ...timing.clock import Clock
from ...timing.durations import seconds_of

BEAT = 0.01  # seconds
NOTE, ANSWER, END_OF_ANSWER = note_on(0, 60, 64), note_on(15, 60, 64), note_off(15, 60)

Running = Callable[[], bool]


def spin(transport: Transport, config: Config, running: Running) -> None:
    """Pass messages on in a busy loop."""
    while running():
        message = transport.receive()
        if message is not None:
            transport.send(message)


def beat(transport: Transport, config: Config, running: Running) -> None:
    """Send a note every `BEAT`."""
    due = time.perf_counter() + BEAT
    while running():
        while transport.receive() is not None:
            pass
        pause = due - time.perf_counter()
        if pause > 0:
            transport.wait(pause)
            continue
        transport.send(NOTE)
        due += BEAT


def answer(transport: Transport, config: Config, running: Running) -> None:
    """Pass messages on, and send a note after each turn."""
    due, clock = float("inf"), Clock(config.steering.tempo)
    silence = seconds_of(config.turns.fixed_silence, clock, 0.0)
    while running():
        while (message := transport.receive()) is not None:
            transport.send(message)
            ended = message[0] & KIND_MASK == NOTE_OFF
            due = time.perf_counter() + silence if ended else float("inf")
        pause = due - time.perf_counter()
        if pause > 0:
            transport.wait(min(0.02, pause))
            continue
        transport.send(ANSWER)
        transport.send(END_OF_ANSWER)
        due = float("inf")


def sleep(transport: Transport, config: Config, running: Running) -> None:
    """Keep the ports open."""
    while running():
        time.sleep(1.0)


MODES = {"sleep": sleep, "pass": spin, "beat": beat, "answer": answer}


def main(arguments: list[str]) -> int:
    """Run until SIGTERM."""
    config = load_settings(None, [value for flag, value in pairwise(arguments) if flag == "--set"])
    if arguments[0] != "pass":  # a busy loop with real-time priority is throttled by Linux
        realtime.real_time(config.service.priority)  # the same as the daemon's
    transport = open_ports(config.ports)
    stopped = False

    def stop(*_: object) -> None:
        nonlocal stopped
        stopped = True

    signal.signal(signal.SIGTERM, stop)
    reporter = Reporter(config)
    reporter.connected(transport)
    MODES[arguments[0]](transport, config, lambda: not stopped)
    transport.close()
    reporter.close()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
