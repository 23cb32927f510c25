"""The daemon's life: start up, play, shut down. Signal handlers only set a flag."""

import signal
import sys
import time

from .config import Config
from .engine import Engine
from .errors import PortError
from .loading import choose_seed, load_model
from .player import Player
from .transport import Transport, open_transport


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
    """Play until a signal comes; every note is closed on the way out. Returns the exit status."""
    began = time.perf_counter()
    model = load_model(config)
    seed = choose_seed(config)
    transport = connect(config)
    engine = Engine(transport, lambda send: Player(model, config, send, seed))
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: engine.stop())
    try:
        say(f"ready on {transport.name} after {time.perf_counter() - began:.2f} s, seed {seed}")
        engine.run()
    finally:
        transport.close()
    late = ", ".join(f"{1000 * value:.2f}" for value in engine.lateness.at(0.5, 0.99, 1.0))
    if engine.lateness.count:
        say(f"sent {engine.sent} messages; the model's were late by (median, p99, most) {late} ms")
    if engine.lost:
        raise PortError(f"{transport.name} is gone: start the MIDI system again, then segued")
    say("stopped, every note closed")
    return 0
