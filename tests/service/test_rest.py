"""What the daemon costs while nobody plays, counted on a real JACK server."""

import os
import sys

import pytest
from segued.tools.bench.report import percentile
from segued.tools.bench.rest import RESTING, at_rest
from segued.tools.live_session import LiveSession

from tests.support.jack import jack_server

PERIOD = 1024  # frames: each of libjack's two threads wakes 47 times a second
MOST = 200  # wake-ups a second; it is some 115, and 1,900 when the input is polled


@pytest.mark.live
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_at_rest_it_hardly_wakes_and_hears_the_first_key() -> None:
    with (
        jack_server(PERIOD),
        LiveSession(["ports.backend=jack"], f"Segue {os.getpid()}") as stage,
    ):
        wakings, _ = at_rest(stage, RESTING)
        assert percentile(wakings, 0.5) < MOST
        key = b"\x90\x3c\x40"
        _, arrived = stage.play([(0.0, key)], lambda _, got: key in [m for _, m in got], 5.0)
        assert key in [message for _, message in arrived]
        assert stage.stop() == 0
