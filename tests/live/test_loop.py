"""A daemon whose output is plugged into its own input, by a real JACK server."""

import subprocess
import time

import pytest
from segued.ports.echo_filter import HOLDS, SUSPECT
from segued.tools.live_session import LiveSession

from ..support.fakes import note_off, note_on
from ..support.jack import jack_server

pytestmark = pytest.mark.live

PERIOD = 256


def test_a_patch_cable_from_its_output_to_its_input_does_no_harm() -> None:
    settings = ["ports.backend=jack", "turns.silence=0.25", "turns.reply_length=2",
                "ports.reply_channel=16", "sampling.seed=1"]  # fmt: skip
    with jack_server(period=PERIOD) as server, LiveSession(settings, "Looped") as stage:
        ports = [port for port in server.ports() if "Looped" in port]
        out = next(port for port in ports if port.endswith("Looped Out"))
        into = next(port for port in ports if port.endswith("Looped In"))
        subprocess.run(["jack_connect", out, into], check=True, capture_output=True)
        time.sleep(0.1)
        stage.play([(0.0, note_on(50)), (0.05, note_off(50))], seconds=2.0)
        phrase = [
            timed
            for i, pitch in enumerate((60, 64, 67, 72))
            for timed in ((0.15 * i, note_on(pitch, 80 + i)), (0.15 * i + 0.1, note_off(pitch)))
        ]
        sent, arrived = stage.play(phrase, seconds=4.0)
        thru = [m for _, m in arrived if m[0] in (0x80, 0x90)]
        rest_of_thru = iter(thru)
        assert all(message in rest_of_thru for _, message in sent), "a key is missing"
        # nothing more comes, unless a hitch of the machine lets one go round once more
        assert len(thru) <= len(sent) + 2 * (SUSPECT + len(HOLDS))
        reply = [message for _, message in arrived if message[0] == 0x9F]
        assert len(reply) >= 3
        _, rest = stage.play(seconds=1.5)
        assert len(rest) < 20, "it goes round and round"
        assert stage.stop() == 0
    assert [line for line in stage.log if "MIDI feedback: the output returns" in line]
