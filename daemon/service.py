"""The daemon's life: start up, play, shut down. Signal handlers only set a flag."""

import signal
import sys
import time
from dataclasses import replace

from .config import Config
from .engine import Engine
from .errors import PortError
from .loading import choose_seed, load_model
from .player import Player
from .transport import Transport, open_transport

RETRY = 0.25  # seconds between looks at whether lost ports are back


def say(line: str) -> None:
    """One line for the log. journald and the terminal add what they need."""
    print(f"segued: {line}", file=sys.stderr, flush=True)


def connect(config: Config) -> Transport:
    """The MIDI ports that the settings name."""
    ports = config.ports
    return open_transport(
        ports.backend, ports.input, ports.output, ports.name, ports.tcp_host, ports.tcp_port
    )


def run(config: Config) -> int:
    """Play until a signal comes; every note is closed on the way out. Returns the exit status.

    When the ports go away (a server stops, a device is unplugged) it waits for them and goes on.
    """
    began = time.perf_counter()
    device: list[str] = []
    model = load_model(config, device.append)
    seed = choose_seed(config)
    transport = connect(config)
    engine = Engine(transport, lambda send: Player(model, config, send, seed))
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: engine.stop())
    say(device[0])
    say(f"ready on {transport.name} after {time.perf_counter() - began:.2f} s, seed {seed}")
    try:
        engine.run()
        while engine.lost and not engine.stopping:
            transport.close()
            say(f"{transport.name} went away; waiting for it to come back")
            back = _come_back(config, transport.backend, engine)
            if back is None:
                break
            transport = back
            say(f"back on {transport.name}")
            engine.take(transport)
            engine.run()
    finally:
        transport.close()
    late = ", ".join(f"{1000 * value:.2f}" for value in engine.lateness.at(0.5, 0.99, 1.0))
    if engine.lateness.count:
        say(f"sent {engine.sent} messages; the model's were late by (median, p99, most) {late} ms")
    say("stopped, every note closed")
    return 0


def _come_back(config: Config, backend: str, engine: Engine) -> Transport | None:
    """The same ports again, as soon as they are there; None when it is to stop instead."""
    same = replace(config, ports=replace(config.ports, backend=backend))
    while not engine.stopping:
        try:
            return connect(same)
        except PortError:  # still not there
            time.sleep(RETRY)
    return None
