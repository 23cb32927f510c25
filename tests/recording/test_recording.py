"""Performances written down and played once more, to the tick."""

import inspect
import json
import re
import shutil
from collections.abc import Callable
from itertools import cycle
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from segued.errors import ConfigError, DataError
from segued.generation.context import PrimedModel
from segued.midi.files import read_events
from segued.midi.tracks import read_tracks
from segued.player import commands
from segued.player.active_notes import MODEL
from segued.player.commands import RELEASE_KEYS, RESTART, Apply, Do, Hear, Receive, Set
from segued.player.player import Command, Player
from segued.recording import journal_file
from segued.recording.journal import Journal, replay
from segued.recording.journal_file import main as convert
from segued.recording.journal_file import read
from segued.recording.performance import (
    APPLY,
    JOURNAL,
    RECEIVE,
    SENT,
    TEMPO_HEARD,
    TICK,
    TICKS,
    Encoder,
    Entry,
    Recording,
    decode,
    read_recording,
    write_recording,
)
from segued.recording.recorder import Recorder
from segued.recording.replay import difference, replay_file
from segued.recording.score import command_of, entry_of
from segued.settings.config import Config, describe

from ..player.test_sync import clocked
from ..player.test_sync import perform as perform_clocked
from ..support.fakes import FoldingModel, Session, settings
from ..support.performers import PERFORMANCES, SETTINGS
from ..support.waiting import wait_for

FOLDING = FoldingModel()


def recorded(*lines: str, seed: int = 0, **how: Any) -> tuple[Session, list[Entry]]:
    """A session whose player notes down what is asked of it."""
    session = Session(FOLDING, settings(*lines), seed, **how)
    journal: list[Entry] = []
    session.player = Player(
        FOLDING, session.config, session._send, seed, journal=Journal(journal.append)
    )
    return session, journal


def no_other_model(config: Config, about: dict[str, str]) -> FoldingModel:
    raise AssertionError("none was taken")


def played_again(session: Session, journal: list[Entry]) -> Recording:
    """The recording of a session, after a look at whether its replay is the same."""
    recording = Recording.of({}, journal)
    again = replay(FoldingModel(), session.config, session.seed, recording, no_other_model)
    assert difference(recording.played, again) == ""
    sent = [message for _, owner, message in session.log if owner == MODEL]
    assert [message for _, message in again] == sent
    return recording


KNOBS = st.sampled_from(
    [("mode", "duet"), ("mode", "solo"), ("temperature", 0.3), ("key", "D"), ("tempo", 90.0)]
)


@given(clocked(), SETTINGS, st.lists(st.integers(0, 3), min_size=1, max_size=5), KNOBS)
def test_any_performance_is_replayed_however_slow_the_machine_was(
    parts: list[Any], lines: tuple[str, ...], thoughts: list[int], knob: tuple[str, object]
) -> None:
    ration = cycle([*thoughts, 1])
    session, journal = recorded(*lines, thoughts=lambda: next(ration), poll=0.02)
    perform_clocked(session, parts[: len(parts) // 2], 100.0)
    session.set(*knob)
    session.do("tap")
    perform_clocked(session, parts[len(parts) // 2 :], 100.0)
    session.perform(RELEASE_KEYS)
    session.until(session.now + 0.5)
    session.perform(RESTART)
    session.until(session.now + 1.0)
    session.silence()
    played_again(session, journal)


@given(PERFORMANCES, SETTINGS)
def test_a_recording_is_read_as_it_was_written(
    tmp_path_factory: pytest.TempPathFactory, performance: list[Any], lines: tuple[str, ...]
) -> None:
    session, journal = recorded(*lines)
    for move in performance:
        move(session)
    session.silence()
    recording = played_again(session, journal)
    recording.about = {"seed": "1", "settings": describe(session.config), "more": "a: b\nä♯"}
    path = tmp_path_factory.mktemp("recording") / "it.mid"
    write_recording(path, recording)
    assert read_recording(path) == recording


def test_the_times_of_both_parts_are_those_of_the_performance(tmp_path: Path) -> None:
    session, journal = recorded()
    session.until(0.123456)
    session.tap(60, 200)
    session.wait(3000)
    session.silence()
    path = tmp_path / "it.mid"
    write_recording(path, played_again(session, journal))
    events = read_events(path)
    assert events[0].time == pytest.approx(0.12346, abs=1e-9)
    assert events[2].time == pytest.approx(session.replies[0][0], abs=1e-5)
    assert [track.name for track in read_tracks(path)[1]] == ["", "Performer", "Segue"]


def test_a_player_at_rest_notes_little() -> None:
    session, journal = recorded(poll=0.01)
    session.tap(60, 200)
    session.until(100.0)
    before = len(journal)
    session.until(200.0)
    assert len(journal) - before <= 3 * 100  # a time shift of a second is a token
    session.tap(60, 200)
    session.until(300.0)
    played_again(session, journal)


def test_every_command_is_noted_and_read_again() -> None:
    config = settings("turns.silence=0.2")
    heard = PrimedModel.by(FOLDING, [60, 256], 7, {"model": "abc", "device": "cpu"})
    examples: dict[str, Command] = {
        "Receive": Receive(b"\x90\x3c\x40"),
        "Set": Set("key", "off"),
        "Do": Do("tap"),
        "Hear": Hear([0, 60, 387]),
        "Apply": Apply(config, heard),
    }
    every = {n: c for n, c in vars(commands).items() if inspect.isclass(c) and hasattr(c, "ask")}
    every.pop("Player", None)
    for name, command in every.items():
        given: Command = examples.get(name) or cast(Command, command())
        tick, kind, data = entry_of(5, given)
        again = command_of(kind, bytes(data), lambda config, about: FOLDING)
        assert type(again) is command and tick == 5
        if isinstance(given, Apply):
            assert isinstance(again, Apply) and again.primed is not None
            assert again.settings == config and again.primed.about == heard.about
            assert np.array_equal(again.primed.state, heard.state) and again.primed.count == 7
        else:
            assert again == given
    data = bytes(entry_of(5, Apply(config)).data)
    assert command_of(APPLY, data, lambda config, about: FOLDING) == Apply(config)


ENTRIES = st.lists(
    st.tuples(st.integers(0, 10**12), st.integers(0, SENT), st.binary(max_size=300)), max_size=20
)


@given(ENTRIES, st.integers(0, 50))
def test_a_score_that_is_cut_short_is_good_up_to_there(
    entries: list[tuple[Any, ...]], cut: int
) -> None:
    tick, given, encoder = 0, [], Encoder()
    for wait, kind, data in entries:
        tick += wait
        given.append(Entry(tick, kind, data if kind in (RECEIVE, SENT, 6, 7) else b""))
        encoder.add(given[-1])
    assert list(decode(bytes(encoder.data))) == given
    short = list(decode(bytes(encoder.data[: max(0, len(encoder.data) - cut)])))
    assert short == given[: len(short)]


def crotchets(session: Session, count: int = 12, gap: float = 0.5) -> None:
    begin = session.now
    for i in range(count):
        session.until(begin + i * gap)
        session.tap(60 + i % 3, 200)


def test_a_marker_tells_the_tempo_where_each_reply_begins(tmp_path: Path) -> None:
    session, journal = recorded()
    session.tap(60, 200)  # no tempo is heard in one note
    session.until(4.0)
    crotchets(session)
    session.wait(3000)
    session.silence()
    path = tmp_path / "it.mid"
    recording = played_again(session, journal)
    write_recording(path, recording)
    assert read_recording(path) == recording
    (first, none), *_, (last, heard) = recording.tempos
    begun = [at for at, _ in session.replies]
    assert none == "no tempo" and first / TICKS == pytest.approx(begun[0], abs=0.05)
    bpm, certainty = re.fullmatch(r"tempo ([\d.]+), certainty ([\d.]+)", heard).groups()  # type: ignore[union-attr]
    assert float(bpm) == pytest.approx(120, abs=1) and float(certainty) > 0.9
    assert any(at == pytest.approx(last / TICKS, abs=0.05) for at in begun)
    silent = [entry for entry in journal if entry.kind != TEMPO_HEARD]
    assert Recording.of({}, silent).score == recording.score, "a replay does not need them"


def test_under_a_clock_a_marker_tells_its_tempo() -> None:
    session, journal = recorded("sync.clock=follow")
    session.until(0.1)
    session.receive(b"\xfa")
    for i in range(24 * 8):
        session.until(0.2 + i * 60 / 90 / 24)
        session.receive(b"\xf8")
        if i == 24:
            session.tap(60, 200)
    recording = played_again(session, journal)
    assert [text for _, text in recording.tempos] == ["tempo 90.0, MIDI clock"]


def test_a_silence_of_a_day_is_no_hindrance(tmp_path: Path) -> None:
    day = 86_400 * TICKS
    messages = [(0, b"\x90\x3c\x40"), (day, b"\x80\x3c\x40")]
    entries = [Entry(tick, RECEIVE, message) for tick, message in messages]
    recording = Recording.of({"seed": "1"}, entries)
    recording.tempos = [(day - 5, "no tempo"), (2 * day, "no tempo")]
    write_recording(tmp_path / "it.mid", recording)
    assert read_recording(tmp_path / "it.mid") == recording


# --- the recorder


def note_all(recorder: Recorder, count: int = 1) -> None:
    for i in range(count):
        recorder.note(Entry(i, RECEIVE, b"\x90\x3c\x40"))


def test_what_is_noted_is_in_the_file(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path / "new" / "folder", {"seed": "5"}, pytest.fail)
    note_all(recorder, 1000)
    path = recorder.close()
    assert path is not None
    assert len(read_recording(path).performed) == 1000
    assert read_recording(path).about == {"seed": "5"}
    assert recorder.close() == path
    assert [*path.parent.iterdir()] == [path]


@given(PERFORMANCES)
def test_at_its_end_the_file_is_made_without_reading_the_journal(
    tmp_path_factory: pytest.TempPathFactory, performance: list[Any]
) -> None:
    """A month of it takes as long as a minute."""
    folder = tmp_path_factory.mktemp("takes")
    session, journal = recorded()
    session.tap(60, 100)
    for move in performance:
        move(session)
    session.perform(Apply(settings("turns.silence=0.2")))
    session.silence()
    recorder = Recorder(folder, {"seed": "0"}, pytest.fail)
    for entry in journal:
        recorder.note(entry)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("segued.recording.journal_file._read", pytest.fail)
        path = recorder.close()
    assert path is not None and read(path) == Recording.of({"seed": "0"}, journal)


def test_two_at_a_time_have_files_of_their_own(tmp_path: Path) -> None:
    recorders = [Recorder(tmp_path, {}, pytest.fail) for _ in range(3)]
    for recorder in recorders:
        note_all(recorder)
    assert len({recorder.close() for recorder in recorders}) == 3


def test_where_nothing_was_played_there_is_no_file(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path, {}, pytest.fail)
    recorder.note(Entry(1, 1))
    assert recorder.close() is None
    assert not [*tmp_path.iterdir()]


def test_a_full_disk_ends_the_recording_with_one_line(tmp_path: Path) -> None:
    said: list[str] = []
    recorder = Recorder(tmp_path, {}, said.append)
    note_all(recorder)
    recorder._journal = cast(BinaryIO, FullDisk(recorder._journal))
    note_all(recorder, 100_000)
    recorder.close()
    assert len(said) == 1
    assert "No space left on device" in said[0]
    note_all(recorder)
    assert not recorder._queue


class FullDisk:
    """A journal on a disk that has no room any more."""

    def __init__(self, journal: BinaryIO) -> None:
        self.name, self.close = journal.name, journal.close

    def write(self, data: bytes) -> None:
        with open("/dev/full", "wb", buffering=0) as full:
            full.write(data)


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match=r"record\.folder: cannot write to"):
        Recorder(tmp_path / "file", {}, pytest.fail)


def journal_left(folder: Path) -> Path:
    """A journal as kill -9 leaves it: in the midst of an entry."""
    entries = Entry(3, RECEIVE, b"\x90\x3c\x40"), Entry(9, RECEIVE, b"\x80\x3c\x40")
    path = folder / f"left{JOURNAL}"
    path.write_bytes(json.dumps({"seed": "3"}).encode() + b"\n" + journal_of(*entries)[:-1])
    return path


def journal_of(*entries: Entry) -> bytes:
    encoder = Encoder()
    for entry in entries:
        encoder.add(entry)
    return bytes(encoder.data)


def test_a_journal_that_was_left_behind_is_made_a_file(tmp_path: Path) -> None:
    journal = journal_left(tmp_path)
    assert read(journal).performed == [(3, b"\x90\x3c\x40")]
    convert(tmp_path)
    assert read(tmp_path / "left.mid").performed == [(3, b"\x90\x3c\x40")]
    assert not journal.exists()


def test_the_next_recording_converts_it_in_another_process_and_does_not_wait(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The journal of a month takes half a minute, which a service manager may not wait."""
    monkeypatch.setattr(journal_file, "finish", pytest.fail)  # in this process
    journal = journal_left(tmp_path)
    recorder = Recorder(tmp_path, {}, pytest.fail)
    wait_for(lambda: not journal.exists())
    assert read(tmp_path / "left.mid").performed == [(3, b"\x90\x3c\x40")]
    long = tmp_path / f"long{JOURNAL}"
    long.write_bytes(b"{}\n" + 5_000_000 * journal_of(Entry(1, TICK)))
    other = Recorder(tmp_path, {}, pytest.fail)
    assert other.close() is None and recorder.close() is None
    assert long.exists()


def test_a_journal_that_another_daemon_writes_is_left_alone(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path, {}, pytest.fail)
    note_all(recorder)
    convert(tmp_path)
    assert recorder.close() is not None


def test_a_broken_journal_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / f"bad{JOURNAL}").write_bytes(b"\xff\xfe")
    convert(tmp_path)
    assert capsys.readouterr().err.count("\n") == 1
    with pytest.raises(DataError, match="cannot be read as the journal"):
        read(tmp_path / f"bad{JOURNAL}")


# --- refusals of a replay


def refused(path: Path, *lines: str) -> str:
    with pytest.raises(DataError) as caught:
        replay_file(path, path.with_name("out.mid"), lines)
    return str(caught.value)


@pytest.fixture
def good(tmp_path: Path) -> Callable[..., Path]:
    """Writes a recording, with what it tells about itself changed."""
    from segued.model.loading import SHIPPED_MODEL
    from segued.recording.recorder import checksum

    def write(**about: str | None) -> Path:
        facts = {
            "version": "0", "seed": "1", "device": "cpu", "model": checksum(SHIPPED_MODEL),
            "settings": describe(settings()), **about,
        }  # fmt: skip
        entry = Entry(0, RECEIVE, b"\x90\x3c\x40")
        recording = Recording.of({k: v for k, v in facts.items() if v is not None}, [entry])
        write_recording(tmp_path / "it.mid", recording)
        return tmp_path / "it.mid"

    return write


def test_a_recording_is_replayed_by_the_shipped_model(good: Callable[..., Path]) -> None:
    path = good()
    assert replay_file(path, path.with_name("out.mid")) == 0
    assert path.with_name("out.mid").exists()


def test_what_cannot_be_replayed_says_why(good: Callable[..., Path], tmp_path: Path) -> None:
    assert "was played with another model than" in refused(good(model="0" * 64))
    assert "lacks its seed, settings or model" in refused(good(seed=None))
    assert "lacks its seed" in refused(good(seed="x"))
    assert "settings):1: unknown section 'foo'" in refused(good(settings="foo: 1"))
    assert "no such MIDI file" in refused(tmp_path / "no.mid")
    shutil.copy(
        Path(__file__).parents[2] / "daemon/segued/phrases/beethoven-ode.mid", tmp_path / "b.mid"
    )
    assert "not a recording by segued" in refused(tmp_path / "b.mid")


def test_a_part_that_differs_is_told_where(good: Callable[..., Path]) -> None:
    path = good()
    recording = read_recording(path)
    recording.played = [(150_000, b"\x90\x40\x40")]
    write_recording(path, recording)
    said = refused(path)
    assert "differs from the recording at 1.50000 s: recorded 90 40 40 at 1.50000, now" in said
    assert path.with_name("out.mid").exists()
    again = path.with_name("no") / "out.mid"
    with pytest.raises(DataError, match="cannot be written: No such file"):
        replay_file(path, again)


def test_settings_are_read_back_as_they_were(tmp_path: Path) -> None:
    from segued.settings.yaml_file import load_settings, load_text

    text = "control:\n  map:\n    - {cc: 20, knob: temperature, low: 0.5, high: 1.5}\n"
    (tmp_path / "it.yaml").write_text(text)
    for config in (settings(), load_settings(tmp_path / "it.yaml", ["record.folder=/tmp/ä b"])):
        assert load_text(describe(config), "it") == config
