"""Feedback to controllers, on a real MIDI system: they show their knobs, whoever turns them."""

import pytest
from segued.midi.messages import CONTROL_CHANGE
from segued.service import runtime_dirs
from segued.service.command_sender import ENDING, CommandSender
from segued.tools.live_session import LiveSession

from tests.support.jack import Peer, jack_server
from tests.support.waiting import wait_for

pytestmark = pytest.mark.live

NAME = "Segue Feedback Test"
SETTINGS = (
    *("ports.backend=jack", "sampling.seed=1", "control.learned=null"),
    "control.map=[{cc: 20, knob: density}, {note: 36, channel: 10, knob: gate}]",
    "control.feedback=Keys In",
)


def test_controllers_show_their_knobs() -> None:
    with (
        jack_server(),
        Peer(name="", own="Keys") as peer,
        LiveSession(SETTINGS, NAME) as session,
    ):
        heard: list[bytes] = []

        def shows(message: bytes) -> bool:
            heard.extend(peer.received(20, 0.05))
            return message in heard

        wait_for(lambda: shows(b"\xb0\x14\x19") and shows(b"\x99\x24\x7f"))  # as they are
        path = session.runtime / (runtime_dirs.stem(NAME) + runtime_dirs.STATE_SUFFIX)
        commands = CommandSender(path.with_suffix(ENDING))
        commands.send("set", "density", 4.0)
        commands.send("set", "gate", False)
        wait_for(lambda: shows(b"\xb0\x14\x7f") and shows(b"\x89\x24\x40"))
        commands.send("set", "quoting", 0.5)
        commands.send("do", "learn")
        session.play([(0.1, b"\xb0\x15\x7f"), (0.2, b"\xb0\x15\x20")], seconds=0.4)
        commands.send("set", "quoting", 0.25)
        wait_for(lambda: shows(b"\xb0\x15\x20"))  # one that was learned shows its knob, too
        commands.close()
        played = session.play(seconds=0.2)[1]
        assert not [m for _, m in played if m[0] & 0xF0 == CONTROL_CHANGE and m[1] in (20, 21)]
        assert session.stop() == 0
