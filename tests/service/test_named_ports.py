"""The daemon between a keyboard and a synth that it knows by name, on a real JACK server."""

import contextlib
import os
import time
from pathlib import Path

import pytest
from segued.tools.live_session import SETTLE

from tests.service.test_daemon import QUICK, daemon, status
from tests.support.jack import Peer, jack_server
from tests.support.waiting import wait_for

pytestmark = pytest.mark.live

LAST_OF_PANIC = bytes((0xBF, 120, 0))  # a named output is silenced at each start


def test_after_kill_9_a_named_output_is_silenced_before_anything_else(tmp_path: Path) -> None:
    with jack_server(period=128), Peer("") as peer:
        settings = ("ports.backend=jack", "ports.input=Peer Out", "ports.output=Peer In",
                    f"ports.name=Segue {os.getpid()}", *QUICK, "turns.silence=30")  # fmt: skip
        with daemon(tmp_path, *settings):
            peer.received_until(LAST_OF_PANIC)
            peer.send(b"\x91\x3c\x50", b"\x91\x40\x50", b"\x81\x3c\x40")
            assert b"\x91\x40\x50" in peer.received_until(b"\x81\x3c\x40")
        time.sleep(0.3)
        with daemon(tmp_path, *settings) as process:
            heard = peer.received_until(LAST_OF_PANIC)
            assert heard[0] == b"\x81\x40\x40"
            assert bytes((0xB1, 123, 0)) in heard
            process.terminate()
            assert process.wait(15) == 0


def test_a_keyboard_that_is_unplugged_leaves_silence_and_is_taken_back(tmp_path: Path) -> None:
    """The synth is still there, so it hears the note-offs; the keyboard comes back a new one."""
    with jack_server(period=128), Peer("", "Synth") as synth:
        settings = ("ports.backend=jack", "ports.input=Keys Out", "ports.output=Synth In",
                    f"ports.name=Segue {os.getpid()}", *QUICK, "turns.silence=30")  # fmt: skip
        with contextlib.ExitStack() as stack:
            with Peer("", "Keys") as keys:
                process = stack.enter_context(daemon(tmp_path, *settings))
                synth.received_until(LAST_OF_PANIC)
                keys.send(b"\x91\x3c\x50", b"\x91\x40\x50")
                synth.received_until(b"\x91\x40\x50")
            heard = synth.received(2)
            assert {message[:2] for message in heard} == {b"\x81\x3c", b"\x81\x40"}
            wait_for(lambda: "the ports are gone" in status(tmp_path)["why"][0])
            wait_for(lambda: "no MIDI input matches 'Keys Out'" in status(tmp_path)["why"][0])
            assert process.stderr is not None
            assert "went away" in process.stderr.readline()
            with Peer("", "Keys") as keys:
                came = time.monotonic()
                assert "back on JACK" in process.stderr.readline()
                assert time.monotonic() - came < 2.0
                time.sleep(SETTLE)
                keys.send(b"\x91\x3c\x50")
                synth.received_until(b"\x91\x3c\x50")
                assert status(tmp_path)["counts"]["ports_lost"] == 1
                process.terminate()
                assert process.wait(15) == 0
