"""The whole daemon in a process of its own, through real ports: tcp sockets and a JACK server."""

import os
import random
import signal
from collections.abc import Iterator, Sequence

import pytest
from segued.tools.live_session import Arrived, LiveSession

from tests.support.jack import jack_server
from tests.support.waiting import wait_for

pytestmark = pytest.mark.live

SILENCE = 0.25
QUICK = (f"turns.silence={SILENCE}", "ports.reply_channel=16", "sampling.seed=1")
REPLY_ON, REPLY_OFF = 0x9F, 0x8F
PERIOD = 64 / 48000


class Synth:
    """An independent witness: what sounds, by what came over the wire."""

    def __init__(self, arrived: Sequence[Arrived] = ()) -> None:
        self.sounding: set[tuple[int, int]] = set()
        for _, message in arrived:
            self.take(message)

    def take(self, message: bytes) -> None:
        """Play one message."""
        kind, channel = message[0] & 0xF0, message[0] & 0x0F
        if kind == 0x90 and message[2]:
            self.sounding.add((channel, message[1]))
        elif kind in (0x80, 0x90):
            self.sounding.discard((channel, message[1]))
        elif kind == 0xB0 and message[1] in (120, 123):
            self.sounding = {key for key in self.sounding if key[0] != channel}


def phrase(start: float = 0.0, pitches: Sequence[int] = (60, 64, 67, 72)) -> list[Arrived]:
    """A short arpeggio on channel 1."""
    messages = []
    for i, pitch in enumerate(pitches):
        messages.append((start + 0.12 * i, bytes((0x90, pitch, 80))))
        messages.append((start + 0.12 * i + 0.1, bytes((0x80, pitch, 64))))
    return messages


def replied(arrived: Sequence[Arrived], notes: int = 1) -> bool:
    """Whether so many notes of a reply have come."""
    return sum(message[0] == REPLY_ON for _, message in arrived) >= notes


def after(rows: Sequence[Arrived], time: float) -> list[Arrived]:
    """What came after a time."""
    return [row for row in rows if row[0] > time]


@pytest.fixture(params=["tcp", "jack"])
def backend(request: pytest.FixtureRequest) -> Iterator[list[str]]:
    """Settings for one of the transports, with its server running."""
    if request.param == "tcp":
        yield ["ports.backend=tcp", "ports.tcp_port=0"]
        return
    with jack_server(period=64):
        yield ["ports.backend=jack"]


def test_a_phrase_is_passed_thru_and_answered(backend: list[str]) -> None:
    with LiveSession([*backend, *QUICK]) as stage:
        sent, arrived = stage.play(phrase(), lambda _, got: replied(got, 4), 10)
        thru = [message for _, message in arrived if message[0] in (0x90, 0x80)]
        assert thru == [message for _, message in sent]
        released = max(time for time, message in arrived if message[0] == 0x80)
        first = min(time for time, message in arrived if message[0] == REPLY_ON)
        assert first > released + SILENCE - 0.05, "the reply came before the turn was over"
        assert stage.stop() == 0
        _, rest = stage.play(seconds=0.3)
    assert not Synth([*arrived, *rest]).sounding


def test_the_next_key_silences_the_reply_at_once(backend: list[str]) -> None:
    with LiveSession([*backend, *QUICK, "turns.reply_length=endless"]) as stage:
        _, heard = stage.play(phrase(), lambda _, got: replied(got, 6), 10)
        interruption = [(0.0, bytes((0x90, 50, 90)))]
        _, arrived = stage.play(interruption, lambda _, got: False, 0.5)
        own = next(i for i, (_, m) in enumerate(arrived) if m == interruption[0][1])
        before = [*heard, *arrived[: own + 1]]
        assert not [key for key in Synth(before).sounding if key[0] == 15]
        assert not [m for _, m in arrived[own:] if m[0] == REPLY_ON], "it played on while I held"
        assert stage.stop() == 0
        _, rest = stage.play(seconds=0.3)
    assert not Synth([*heard, *arrived, *rest]).sounding


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_in_the_midst_of_everything_leaves_silence(
    backend: list[str], number: int
) -> None:
    with LiveSession([*backend, *QUICK, "turns.reply_length=endless"]) as stage:
        _, first = stage.play(phrase(), lambda _, got: replied(got, 6), 10)
        held = [(0.0, bytes((0x92, pitch, 90))) for pitch in (40, 47, 52)]
        held.append((0.0, bytes((0xB2, 64, 127))))
        _, second = stage.play(held, lambda _, got: len(got) >= 3, 0.5)
        assert stage.stop(number) == 0
        _, last = stage.play(seconds=0.3)
        everything = [*first, *second, *last]
        assert not Synth(everything).sounding
        assert (0xB2, 64, 0) in [tuple(message) for _, message in last], "the pedal stayed down"


def test_all_sound_off_is_a_panic(backend: list[str]) -> None:
    with LiveSession([*backend, *QUICK, "turns.reply_length=endless"]) as stage:
        _, first = stage.play(phrase(), lambda _, got: replied(got, 5), 10)
        _, second = stage.play([(0.0, bytes((0xB0, 120, 0)))], seconds=0.5)
        assert {m[0] & 0x0F for _, m in second if m[1] == 120} == set(range(16))
        assert not Synth([*first, *second]).sounding


def test_a_flood_loses_no_note_off(backend: list[str]) -> None:
    rng = random.Random(1)
    flood: list[Arrived] = []
    for i in range(6000):
        pitch, velocity = rng.randrange(128), rng.randrange(0, 128)
        flood.append((i / 3000, bytes((0x90 | rng.randrange(4), pitch, velocity))))
    flood += [(2.0, bytes((0x80 | c, p, 64))) for c in range(4) for p in range(128)]
    with LiveSession([*backend, *QUICK]) as stage:
        sent, arrived = stage.play(flood, lambda now, _: now > 3.5, 10)
        thru = [m for _, m in arrived if m[0] & 0x0F < 4]
        assert thru == [message for _, message in sent]
        assert not [key for key in Synth(arrived).sounding if key[0] < 4]
        _, reply = stage.play(phrase(), lambda _, got: replied(got), 10)
        assert replied(reply), "after the flood it did not play any more"
        assert stage.stop() == 0


def test_a_jack_server_that_dies_in_the_midst_of_a_reply_and_comes_back() -> None:
    name = f"Segue {os.getpid()}"
    with jack_server(period=128) as server:
        settings = ["ports.backend=auto", *QUICK, "turns.reply_length=endless"]
        with LiveSession(settings, name) as stage:
            _, arrived = stage.play(phrase(), lambda _, got: replied(got, 4), 10)
            assert replied(arrived, 4)
            stage.client.close()
            server.kill()
            wait_for(lambda: any("went away" in line for line in stage.log))
            server.start()
            wait_for(lambda: any("back on JACK" in line for line in stage.log))
            stage.client = stage.connect()
            _, arrived = stage.play(phrase(), lambda _, got: replied(got, 4), 10)
            assert replied(arrived, 4)
            assert stage.stop() == 0
            _, rest = stage.play(seconds=0.3)
            assert not Synth([*arrived, *rest]).sounding


def test_a_signal_while_it_waits_for_a_server_ends_it() -> None:
    name = f"Segue {os.getpid()}"
    with jack_server(period=128) as server, LiveSession(["ports.backend=jack"], name) as stage:
        stage.client.close()
        server.kill()
        wait_for(lambda: any("went away" in line for line in stage.log))
        assert stage.stop() == 0


def test_random_bytes_and_endless_sysex_do_no_harm() -> None:
    rng = random.Random(2)
    with LiveSession(["ports.backend=tcp", "ports.tcp_port=0", *QUICK]) as stage:
        for _ in range(50):
            stage.client.send(bytes(rng.randrange(256) for _ in range(400)))
        stage.client.send(b"\xf0" + bytes(300_000))
        stage.client.send(b"\xf7")
        stage.client.send(bytes((0xB0, 120, 0)))
        stage.play(seconds=0.5)
        _, arrived = stage.play(phrase(), lambda _, got: replied(got, 2), 10)
        assert replied(arrived, 2)
        assert stage.stop() == 0


def test_two_daemons_with_one_seed_play_the_same(backend: list[str]) -> None:
    """Not the times, which are real, but the first pitches: the reply depends on what was heard."""
    firsts = []
    for _ in range(2):
        with LiveSession([*backend, *QUICK, "sampling.temperature=0"]) as stage:
            _, arrived = stage.play(
                [(0.0, b"\x90\x3c\x50"), (0.1, b"\x80\x3c\x40")],
                lambda _, got: replied(got, 1), 10,
            )  # fmt: skip
            firsts.append(next(m[1] for _, m in arrived if m[0] == REPLY_ON))
    assert firsts[0] == firsts[1]
