"""The state file: what a daemon publishes, and what the next one finds in it."""

import json
import struct
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from segued.control.mapping import mapped_of
from segued.errors import PortError
from segued.service import state_file
from segued.service.reporter import MAPPED, _controls
from segued.service.state_file import ERRORS, LONGEST_LINE, RING, SIZE, StateFile
from segued.service.state_numbers import NUMBERS
from segued.service.state_reader import Reader, Reading
from segued.service.status_text import metrics_of, page, status_of

from tests.support.fakes import note_on

WHERE = "Segue.board"


def numbers(**given: float) -> list[float]:
    return [given.get(number.name, 0.0) for number in NUMBERS]


def test_what_is_shown_can_be_read(tmp_path: Path) -> None:
    own = StateFile(tmp_path / WHERE)
    reader = Reader(tmp_path / WHERE)
    own.write(numbers(sent=7, planned=3, tempo=97.5))
    own.tell(name="Segue")
    for value in (0.003, 0.001, 0.002):
        own.lateness.add(value)
    own.ledger.before(note_on(60))
    seen = reader.read()
    assert seen.running and seen.numbers["sent"] == 7 and seen.numbers["tempo"] == 97.5
    assert seen.facts["name"] == "Segue"
    assert seen.rings == {"lateness": [0.001, 0.002, 0.003], "step": []}
    assert seen.ledger.sounding() == [(0, 60, 1)]
    own.close()
    assert not reader.read().running and reader.read().ledger.sounding() == []
    reader.close()


def test_a_ring_that_has_gone_round_shows_the_last(tmp_path: Path) -> None:
    own = StateFile(tmp_path / WHERE)
    for i in range(RING + 10):
        own.steps.add(float(i))
    own.write(numbers(steps=own.steps.count))
    reader = Reader(tmp_path / WHERE)
    assert reader.read().rings["step"] == [float(i) for i in range(10, RING + 10)]
    reader.close()
    own.close()


def test_the_next_one_finds_what_a_killed_one_left_sounding_and_its_last_words(
    tmp_path: Path,
) -> None:
    first = StateFile(tmp_path / WHERE)
    first.ledger.before(note_on(60, channel=3))
    first.error(3, "x" * 1000)
    first.release()  # as the kernel does for a process that was killed
    second = StateFile(tmp_path / WHERE)
    assert second.crashed and second.ledger.sounding() == [(3, 60, 1)]
    assert second.facts["errors"][-1][1:] == [3, "x" * LONGEST_LINE]
    second.close()
    third = StateFile(tmp_path / WHERE)
    assert not third.crashed and third.ledger.sounding() == []
    assert len(third.facts["errors"]) == 1
    third.close()


@pytest.mark.parametrize(
    ("state", "lived", "crashed", "failures"),
    [
        ("running", 5.0, True, 3),
        ("running", 500.0, True, 1),
        ("broken", 5.0, False, 3),
        ("stopped", 5.0, False, 0),
        ("starting", 0.0, True, 3),
    ],
)
def test_failures_in_a_row_are_counted(
    tmp_path: Path, state: str, lived: float, crashed: bool, failures: int
) -> None:
    own = StateFile(tmp_path / WHERE)
    own.tell(state=state, failures=2)
    own.write(numbers(started=100 if lived else 0, clock=100 + lived))
    if crashed:
        own.release()
    else:
        own.close()
    own = StateFile(tmp_path / WHERE)
    assert own.failures == failures
    own.close()


def test_a_daemon_runs_as_long_as_it_has_its_lock(tmp_path: Path) -> None:
    own = StateFile(tmp_path / WHERE)
    reader = Reader(tmp_path / WHERE)
    assert reader.read().running
    own.release()  # killed: nothing says that it ended
    assert not reader.read().running
    reader.close()


def test_who_asks_does_not_keep_a_daemon_from_starting(tmp_path: Path) -> None:
    """Asking whether one lives takes the lock for a moment."""
    StateFile(tmp_path / WHERE).release()
    done = threading.Event()

    def ask() -> None:
        reader = Reader(tmp_path / WHERE)
        while not done.is_set():
            reader.read()
            time.sleep(0.001)
        reader.close()

    asking = [threading.Thread(target=ask) for _ in range(2)]
    for thread in asking:
        thread.start()
    try:
        for _ in range(50):
            StateFile(tmp_path / WHERE).close()
    finally:
        done.set()
        for thread in asking:
            thread.join()


def test_what_is_read_while_it_is_written_is_whole(tmp_path: Path) -> None:
    own = StateFile(tmp_path / WHERE)
    done = threading.Event()

    def write() -> None:
        number = 0
        while not done.is_set():
            number += 1
            own.write(numbers(sent=number, received=number))
            own.tell(name="x" * (number % 500), again="x" * (number % 500))
            time.sleep(0.0002)

    writing = threading.Thread(target=write)
    writing.start()
    reader = Reader(tmp_path / WHERE)
    try:
        for _ in range(300):
            seen = reader.read()
            assert seen.numbers["sent"] == seen.numbers["received"]
            assert seen.facts.get("name") == seen.facts.get("again")
    finally:
        done.set()
        writing.join()
        reader.close()
        own.close()


def test_one_that_was_killed_before_it_had_told_anything_is_no_trap(tmp_path: Path) -> None:
    StateFile(tmp_path / WHERE).release()
    head = (tmp_path / WHERE).read_bytes()[:64]
    (tmp_path / WHERE).write_bytes(head.ljust(SIZE, b"\0"))
    own = StateFile(tmp_path / WHERE)
    assert own.crashed and own.facts["errors"] == []
    own.close()


def test_two_of_one_name_are_one_too_many(tmp_path: Path) -> None:
    own = StateFile(tmp_path / WHERE)
    with pytest.raises(PortError, match=r"another segued \(process \d+\) is running as 'Segue'"):
        StateFile(tmp_path / WHERE, "Segue")
    own.ledger.before(note_on(60))
    own.close()
    StateFile(tmp_path / WHERE).close()


@pytest.mark.parametrize("content", [b"", b"nonsense", bytes(100_000), b"segue 1\0" + bytes(9)])
def test_a_file_that_is_none_of_ours_is_begun_anew(tmp_path: Path, content: bytes) -> None:
    (tmp_path / WHERE).write_bytes(content)
    own = StateFile(tmp_path / WHERE)
    assert not own.crashed and own.ledger.sounding() == []
    own.close()


@pytest.mark.parametrize("content", [b"", b"nonsense" * 20_000, b"segue 1\0"])
def test_a_reader_refuses_what_is_no_board(tmp_path: Path, content: bytes) -> None:
    (tmp_path / WHERE).write_bytes(content)
    with pytest.raises(ValueError, match="not a state file of this version"):
        Reader(tmp_path / WHERE)


def test_a_broken_text_does_not_keep_it_from_starting(tmp_path: Path) -> None:
    own = StateFile(tmp_path / WHERE)
    own.tell(name="Segue")
    own.release()
    data = (tmp_path / WHERE).read_bytes()
    (tmp_path / WHERE).write_bytes(data.replace(b'"Segue"', b'"Sogue"'))
    reader = Reader(tmp_path / WHERE)
    with pytest.raises(ValueError, match="last write is incomplete"):
        reader.read()
    reader.close()
    own = StateFile(tmp_path / WHERE)
    assert own.crashed and "name" not in own.facts
    own.close()


def test_the_text_has_an_end() -> None:
    own = StateFile()
    for i in range(100):
        own.error(4, f"{i} " + "\x1b\u2603" * 1000)
    assert len(own.facts["errors"]) == ERRORS
    with pytest.raises(ValueError, match="holds 32768 bytes"):
        own.tell(transport="x" * 40_000)


def reading(tmp_path: Path, *notes: bytes, **given: Any) -> Reading:
    own = StateFile(tmp_path / WHERE)
    turns_by = given.pop("turns_by", "silence")
    own.write(numbers(**{"connected": 1, "gate": 1, "peers_in": 1, "peers_out": 1, **given}))
    own.tell(name='My "Segue"\\', state="running", input="Segue In", output="Segue Out",
               transport="ALSA", turns_by=turns_by)  # fmt: skip
    for i in range(int(given.get("planned", 0))):
        own.lateness.add(i / 1000)
    for note in notes:
        own.ledger.before(note)
    reader = Reader(tmp_path / WHERE)
    seen = reader.read()
    reader.close()
    own.release()
    return seen


def test_metrics_are_prometheus_text(tmp_path: Path) -> None:
    seen = reading(tmp_path, note_on(60), planned=100, late=3, peers_out=-1, clock=50, started=1)
    text = metrics_of(seen, 52.0)
    samples = {}
    for line in text.splitlines():
        if line.startswith("#"):
            assert line.split()[1] in ("HELP", "TYPE")
            continue
        name, _, value = line.rpartition(" ")
        assert name not in samples, "a sample twice"
        samples[name] = float(value)
    label = r'{name="My \"Segue\"\\"}'
    assert samples[f"segue_late_total{label}"] == 3
    assert samples[f"segue_up{label}"] == 1
    assert samples[f"segue_sounding_notes{label}"] == 1
    assert samples[f"segue_loop_age_seconds{label}"] == 2
    quantile = label[:-1] + ',quantile="0.5"}'
    assert samples[f"segue_lateness_seconds{quantile}"] == 0.05
    assert samples[f"segue_lateness_seconds_count{label}"] == 100
    assert f"segue_peers_out{label}" not in samples, "what is not known is not told"
    assert not any(name.startswith("segue_step_seconds{") for name in samples)
    for name in samples:
        bare = name.split("{")[0].removesuffix("_count")
        assert f"# TYPE {bare} " in text, f"{name} has no type"


@pytest.mark.parametrize(
    ("given", "heard", "line"),
    [
        ({"heard_tempo": -1.0}, None, "120 BPM, internal clock; yours: none"),
        (
            {"heard_tempo": 96.42, "heard_tempo_certainty": 0.876},
            {"bpm": 96.4, "certainty": 0.88},
            "120 BPM, internal clock; yours: 96.4 BPM, 88% sure",
        ),
    ],
)
def test_the_tempo_that_is_heard(
    tmp_path: Path, given: dict[str, float], heard: dict[str, float] | None, line: str
) -> None:
    seen = reading(tmp_path, tempo=120.0, **given)
    status = status_of(seen, 1.0)
    assert status["heard_tempo"] == heard and line in page(status)
    told = "segue_heard_tempo{" in metrics_of(seen, 1.0)
    assert told is (heard is not None)


WHY = [
    ({"gate": 0}, "the gate is closed"),
    ({"rests": 1}, "stopped: after Stop"),
    ({"loop": 0.02}, "the output returns to the input after 20 ms"),
    ({"turns_by": "manual"}, "waiting for the action take"),
    ({"mode": 3}, "the mode is listen"),
    ({"peers_out": 0}, "nothing is connected to the output 'Segue Out'"),
    ({"peers_in": 0}, "nothing is connected to the input 'Segue In'"),
    ({"connected": 0}, "the ports are gone"),
    ({"clock": 40}, "the music loop has not moved for 10 s"),
    ({"replying": 1}, "Segue is playing"),
    ({"held_channel": 2, "held_pitch": 60}, "key 60 (C4) on channel 3 is held"),
    ({"reply_in": 0.25}, "the reply begins in 0.25 s"),
    ({"pedal_channel": 0, "last_received": 49}, "pedal on channel 1 is down"),
    ({}, "no input yet on 'Segue In'"),
    ({"last_received": 10}, "no input for 40 s"),
    ({"last_received": 49}, "listening"),
    ({"backlog_ids": 500}, "500 tokens behind"),
]


@pytest.mark.parametrize(("given", "answer"), WHY, ids=[answer for _, answer in WHY])
def test_why_nothing_sounds(tmp_path: Path, given: dict[str, Any], answer: str) -> None:
    idle = dict.fromkeys(("held_channel", "pedal_channel", "reply_in", "loop"), -1.0)
    idle |= {"clock": 49.9, "started": 1.0}
    status = status_of(reading(tmp_path, **{**idle, **given}), 50.0)
    assert any(answer in sentence for sentence in status["why"]), status["why"]
    assert answer in page(status)


def test_a_daemon_that_is_gone_says_only_that(tmp_path: Path) -> None:
    seen = reading(tmp_path)._replace(running=False)
    assert status_of(seen, time.monotonic())["why"] == ["segued is not running"]


def test_killed_between_its_head_and_its_text_at_its_very_first_start(tmp_path: Path) -> None:
    head = struct.pack("<8sIId", state_file.MAGIC, 123, 0, 1.0)
    (tmp_path / WHERE).write_bytes(head.ljust(state_file.SIZE, b"\0"))
    with pytest.raises(ValueError, match="last write is incomplete"):
        Reader(tmp_path / WHERE).read()
    own = StateFile(tmp_path / WHERE)
    assert own.crashed and own.facts["errors"] == []
    own.close()


def test_a_half_written_head_is_no_trap(tmp_path: Path) -> None:
    StateFile(tmp_path / WHERE).release()
    with open(tmp_path / WHERE, "r+b") as file:
        file.write(struct.pack("<8sI", b"segue 0\0", 1))
    own = StateFile(tmp_path / WHERE)
    assert not own.crashed
    own.close()


def test_the_controls_of_a_knob_are_told_as_far_as_there_is_room() -> None:
    mapped = [
        mapped_of({"cc": 20, "knob": "density"}),
        mapped_of({"cc": 21, "channel": 2, "knob": "density"}),
        mapped_of({"note": 36, "action": "panic"}),
        mapped_of({"note": 37, "learn": "density"}),
    ]
    told = {"density": "cc 20, cc 21 on channel 2", "panic": "note 36"}
    assert _controls(tuple(mapped)) == told
    many = tuple(mapped_of({"cc": 1, "preset": "x" * 190}) for _ in range(99))
    assert len(json.dumps(_controls(many))) < MAPPED
