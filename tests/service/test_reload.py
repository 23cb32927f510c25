"""A reload: what its thread finds and teaches, and when the hot loop takes it."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import cast

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from segued.errors import ConfigError, DataError
from segued.generation.context import RECENT, Context, PrimedModel
from segued.model.session import Model
from segued.player.commands import RELEASE_ALL, THINK, TICK, Receive, Set
from segued.recording import recorder
from segued.recording.journal_file import read
from segued.recording.recorder import Recordings
from segued.service import loader
from segued.service import reload as service
from segued.service.engine import Engine
from segued.service.loader import ContextSnapshot
from segued.service.reload import Reload, State
from segued.service.setup import Setup, changes, stamp_of
from segued.service.state_file import StateFile
from segued.settings.config import Config
from segued.settings.repertoire import pieces_of

from tests.service.test_engine import Clock, MemoryTransport
from tests.settings.test_repertoire import midi
from tests.support.fakes import FoldingModel, Synth, note_off, note_on, settings
from tests.support.waiting import wait_for

IDS = st.lists(st.integers(0, 387), max_size=40)


def memory_of(model: FoldingModel, ids: list[int]) -> Context:
    memory = Context(model)
    memory._add(ids)
    return memory


def taught_by(memory: Context, model: FoldingModel) -> PrimedModel:
    return PrimedModel.by(model, memory.recent.last(), memory.count, {})


# --- another model


@given(before=IDS, while_taught=IDS, steps=st.integers(0, 20))
def test_another_model_remembers_what_was_heard_also_meanwhile(
    before: list[int], while_taught: list[int], steps: int
) -> None:
    memory = memory_of(FoldingModel(), before)
    pupil = taught_by(memory, FoldingModel())
    for _ in range(steps):
        memory.step()
    memory._add(while_taught)
    memory.change_model(pupil)
    while memory.step():
        pass
    assert np.array_equal(memory.state, FoldingModel().state_after(before + while_taught))


@given(before=IDS, while_taught=IDS)
def test_what_was_forgotten_meanwhile_is_not_remembered(
    before: list[int], while_taught: list[int]
) -> None:
    memory = memory_of(FoldingModel(), before)
    pupil = taught_by(memory, FoldingModel())
    memory.forget()
    memory._add(while_taught)
    memory.change_model(pupil)
    while memory.step():
        pass
    assert np.array_equal(memory.state, FoldingModel().state_after(while_taught))


def test_more_music_than_it_was_taught_begins_with_the_last_of_it() -> None:
    memory = memory_of(FoldingModel(), [60])
    pupil = taught_by(memory, FoldingModel())
    memory.backlog.clear()
    ids = [i % 388 for i in range(RECENT + 100)]
    for id in ids:
        memory._remember([id])
    memory.change_model(pupil)
    while memory.step():
        pass
    assert np.array_equal(memory.state, FoldingModel().state_after(ids[-RECENT:]))


@given(before=IDS, while_loading=IDS, while_waiting=IDS, forgets=st.booleans())
def test_it_takes_in_what_came_while_it_waited(
    before: list[int], while_loading: list[int], while_waiting: list[int], forgets: bool
) -> None:
    """All but what comes in the last moment is heard beside the music."""
    memory, model = memory_of(FoldingModel(), before), FoldingModel()
    pupil = taught_by(memory, model)
    if forgets:
        memory.forget()
    for ids in (while_loading, while_waiting):
        memory._add(ids)
    late = ContextSnapshot.by(memory, pupil.count)
    assert len(late.ids) <= len(while_loading + while_waiting)
    expected = [*([] if forgets else before), *while_loading, *while_waiting]
    pupil = late.feed(pupil)
    assert pupil.count == memory.count and [*pupil.ids] == expected
    assert np.array_equal(pupil.state, model.state_after(expected))


# --- the machine


class Loadable(FoldingModel):
    """A model with what the daemon tells of one."""

    device = "cpu"

    def __init__(self) -> None:
        super().__init__()
        self.info = {"precision": "fake"}


class Scheduler:
    """An engine under a clock that jumps, with a reload that reads `wanted`."""

    def __init__(self, folder: Path, *lines: str) -> None:
        self.wanted: Config | ConfigError = settings(*lines)
        self.model = Loadable()
        config = settings(*lines)
        clock = Clock()
        self.transport = MemoryTransport(clock, [], 1e9)
        self.told: list[str] = []
        self.recordings = Recordings(self.told.append)
        first = self.recordings.open(config, cast(Model, self.model), 1)
        self.setup = Setup(config, cast(Model, self.model), stamp_of(config), 1, first)
        self.state_file = StateFile()
        self.engine = Engine(self.transport, self.setup.player, clock, self.state_file)
        self.changed: list[Config] = []
        self.reload = Reload(
            self.setup,
            self.read,
            self.recordings,
            self.state_file,
            lambda setup, now: self.changed.append(setup.config),
        )
        self.now = 0.0

    def read(self) -> Config:
        if isinstance(self.wanted, ConfigError):
            raise self.wanted
        return self.wanted

    def look(self) -> State:
        self.reload.advance(self.engine, self.now)
        return self.reload.state

    def until(self, state: State) -> None:
        wait_for(lambda: self.look() is state)

    def play(self, seconds: float) -> None:
        """A key, and time that passes."""
        self.engine.player.perform(self.now, Receive(note_on(60)))
        self.engine.player.perform(self.now + 0.1, Receive(note_off(60)))
        self.now += seconds
        self.engine.player.perform(self.now, TICK)

    @property
    def last(self) -> str:
        return str(self.state_file.facts.get("last_reload"))


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Scheduler]:
    stage = Scheduler(tmp_path)
    yield stage
    stage.recordings.close()


def test_settings_are_read_and_taken(stage: Scheduler) -> None:
    assert stage.look() is State.IDLE and not stage.reload.under_way
    stage.wanted = settings("turns.silence=0.2", "ports.name=Other", "sampling.seed=5")
    player = stage.engine.player
    stage.reload.ask()
    assert stage.reload.under_way
    stage.until(State.IDLE)
    assert stage.reload.applied == 1 and not stage.reload.refused
    assert stage.last == ("reloaded: sampling.seed, turns.silence; ports.name needs a restart")
    assert stage.setup.config.turns.silence == 0.2 and stage.setup.seed == 5
    assert stage.setup.config.ports.name == "Segue"
    assert stage.changed == [stage.setup.config]
    assert stage.engine.player is player and player.turns.rule.span == 0.2


def test_what_is_wrong_is_refused_with_its_line(stage: Scheduler) -> None:
    stage.wanted = ConfigError("config.yaml:3: turns.silence must be more")
    stage.reload.ask()
    stage.until(State.IDLE)
    assert stage.reload.refused == 1 and not stage.reload.applied and not stage.changed
    assert stage.last == (
        "reload refused, the old settings stay: config.yaml:3: turns.silence must be more"
    )


def test_it_waits_for_a_moment_in_which_nobody_plays_but_not_for_ever(stage: Scheduler) -> None:
    stage.wanted = settings("turns.silence=0.2")
    stage.engine.player.perform(0.0, Receive(note_on(60)))
    stage.reload.ask()
    stage.until(State.WAITING)
    stage.now = 1.0
    assert stage.look() is State.WAITING
    stage.now = service.GRACE
    stage.until(State.IDLE)
    assert stage.reload.applied


def test_another_model_catches_up_before_it_is_taken(
    stage: Scheduler, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = Loadable()
    monkeypatch.setattr(loader, "load_model", lambda config: other)
    stage.play(0.2)
    stage.wanted = settings("inference.device=cpu")
    stage.engine.player.perform(stage.now, Receive(note_on(64)))
    stage.reload.ask()
    stage.until(State.WAITING)
    stage.play(0.3)
    stage.now += service.GRACE
    stage.until(State.IDLE)
    assert stage.last == "reloaded: inference.device, the model (fake)"
    memory = stage.engine.player.improviser.context
    assert stage.engine.player.improviser.model is other
    assert cast(object, stage.setup.model) is other
    while memory.step():
        pass
    assert np.array_equal(memory.state, other.state_after(memory.recent.last()))


def test_a_model_is_chosen_while_it_plays(
    stage: Scheduler, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It stays over reloads until another is chosen, or `model.path` itself is changed."""
    loaded: list[str] = []

    def load(config: Config) -> Loadable:
        if config.model.path == "broken":
            raise DataError("broken: no model")
        loaded.append(config.model.path)
        return Loadable()

    monkeypatch.setattr(loader, "load_model", load)
    monkeypatch.setattr("segued.service.setup.model_path", lambda c, device: Path(c.model.path))
    monkeypatch.setattr("segued.service.setup.model_name", lambda c: c.model.path)
    control = stage.engine.player.control

    def choose(name: str) -> str:
        control.wanted_model = name
        stage.look()
        stage.until(State.IDLE)
        assert not control.wanted_model and not stage.reload.under_way
        return stage.last

    stage.wanted = ConfigError("nobody reads the file")
    stage.engine.player.perform(0.0, Receive(note_on(60)))  # nothing is waited for
    assert choose("folk") == "the model folk plays now (fake)"
    assert cast(object, stage.setup.model) is stage.engine.player.improviser.model
    assert (stage.setup.config.model.path, stage.setup.stamp.name) == ("folk", "folk")
    assert choose("folk") and stage.reload.applied == 1, "it plays already"
    assert choose("broken") == "the model stays: broken: no model"
    assert stage.setup.stamp.name == "folk" and stage.reload.refused == 1

    stage.engine.player.perform(0.0, RELEASE_ALL)
    stage.wanted = settings("turns.silence=0.2")
    stage.reload.ask()
    stage.until(State.IDLE)
    assert stage.last == "reloaded: turns.silence" and stage.setup.stamp.name == "folk"
    assert choose("default") == "the model default plays now (fake)"
    assert choose("default") == "the model default plays already"
    assert stage.setup.config.turns.silence == 0.2

    choose("folk")
    stage.wanted = settings("model.path=jazz")
    stage.reload.ask()
    control.wanted_model = "rag"
    control.wanted_model = "blues"
    wait_for(lambda: stage.look() is State.IDLE and "blues plays now" in stage.last)
    assert loaded == ["folk", "default", "folk", "jazz", "blues"], "settings first, the last wish"
    assert choose("default") == "the model jazz plays now (fake)"


def test_a_model_that_breaks_while_it_waits_is_refused(
    stage: Scheduler, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = Loadable()
    monkeypatch.setattr(loader, "load_model", lambda config: other)
    stage.wanted = settings("inference.device=cpu")
    stage.engine.player.perform(stage.now, Receive(note_on(64)))
    stage.reload.ask()
    stage.until(State.WAITING)
    monkeypatch.setattr(other, "step", lambda ids, state: 1 // 0)
    stage.play(0.3)
    stage.now += service.GRACE
    stage.until(State.IDLE)
    assert "the old settings stay: ZeroDivisionError" in stage.last
    assert stage.reload.refused == 1
    assert stage.engine.player.improviser.model is stage.model


def test_ports_are_reopened_outside_of_the_loop_and_may_be_refused(stage: Scheduler) -> None:
    stage.wanted = settings("ports.input=Keys", "turns.silence=0.2")
    for refused in (True, False):
        stage.reload.ask()
        stage.until(State.REOPENING)
        assert stage.engine._leaving and stage.reload.loaded.config == stage.wanted
        stage.engine._leaving = False
        if refused:
            stage.reload.refuse("no such port")
        else:
            stage.reload.apply(stage.engine, stage.now)
        stage.until(State.IDLE)
        assert (stage.setup.config.turns.silence == 0.2) == (not refused)
    assert (stage.reload.applied, stage.reload.refused) == (1, 1)


def test_while_there_are_no_ports_others_are_taken_at_once(stage: Scheduler) -> None:
    """There is nothing to go back to; whether they are there is the main loop's business."""
    stage.wanted = settings("ports.input=Keys", "turns.silence=0.2")
    stage.engine.player.perform(0.0, Receive(note_on(60)))
    stage.engine.disconnect()
    stage.reload.ask()
    stage.until(State.IDLE)
    assert stage.now < service.GRACE, "nobody plays: nothing is waited for"
    assert stage.reload.applied == 1 and stage.changed == [stage.wanted]


def test_ports_that_are_lost_just_when_others_were_to_be_opened(stage: Scheduler) -> None:
    stage.wanted = settings("ports.input=Keys")
    stage.reload.ask()
    stage.until(State.REOPENING)
    assert stage.look() is State.REOPENING, "while it has the old ones the main loop opens them"
    stage.engine.disconnect()
    stage.until(State.IDLE)
    assert stage.reload.applied == 1 and stage.changed == [stage.wanted]


def test_changes_are_named() -> None:
    assert changes(settings(), settings()) == []
    assert changes(settings(), settings("ports.thru=false", "steering.tempo=90")) == [
        "ports.thru", "steering.tempo",
    ]  # fmt: skip


# --- recordings


def test_music_that_is_new_is_heard_and_goes_with_the_player(
    stage: Scheduler, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "GRACE", 0.0)
    first, second = midi(tmp_path / "a.mid", 60), midi(tmp_path / "b.mid", 62, 64)
    one, two = (piece.tolist() for piece in pieces_of([first, second]))
    calm = f"control.presets=[{{name: calm, hear: {second}}}]"
    for lines, heard in (
        ((f"memory.hear=[{first}]",), one),
        ((f"memory.hear=[{second}, {first}]",), one + two),
        ((f"memory.hear=[{second}]", f"record.folder={tmp_path / 'takes'}"), one + two),
        ((calm, f"record.folder={tmp_path / 'takes'}"), one + two),
    ):
        stage.wanted = settings(*lines)
        stage.reload.ask()
        stage.until(State.IDLE)
        assert [*stage.engine.player.repertoire] == heard
    assert [*stage.reload.music.presets] == ["calm"]
    (tmp_path / "b.mid").unlink()
    stage.reload.ask()
    stage.until(State.IDLE)
    assert f"control.presets: hear: {second}: no such MIDI file" in stage.last
    assert [*stage.reload.music.presets] == ["calm"], "what is in use stays"


def test_a_folder_that_cannot_be_written_is_refused_and_it_plays_on(
    stage: Scheduler, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    stage.wanted = settings(f"record.folder={tmp_path / 'file'}", "turns.silence=0.2")
    player = stage.engine.player
    stage.reload.ask()
    stage.until(State.IDLE)
    assert "the old settings stay: record.folder: cannot write to" in stage.last
    assert stage.setup.config == settings() and stage.engine.player is player
    with pytest.raises(ConfigError, match=r"record\.folder: cannot write to"):
        recorder.check_folder(stage.wanted)


def test_checking_a_folder_leaves_nothing_behind(tmp_path: Path) -> None:
    recorder.check_folder(settings(f"record.folder={tmp_path / 'a' / 'b'}"))
    recorder.check_folder(settings())
    assert [*tmp_path.iterdir()] == []


def test_a_recording_begins_goes_on_and_ends_with_the_setting(
    stage: Scheduler, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "GRACE", 0.0)
    wanted = settings(f"record.folder={tmp_path}", "turns.silence=0.2")
    stage.engine.player.perform(0.0, Set("density", 2.0))
    players = []
    for config in (wanted, replace(wanted, turns=settings("turns.silence=0.4").turns), settings()):
        stage.wanted = config
        stage.reload.ask()
        stage.until(State.IDLE)
        stage.play(5.0)
        players.append(stage.engine.player)
    assert players[0] is players[1] is players[2]
    assert players[0].knobs.density == 2.0
    stage.recordings.close()
    recording = read(next(tmp_path.glob("*.mid")))
    assert len(recording.performed) == 4, "what was played after it ended is not in it"


def test_another_folder_is_another_recording_and_the_first_ends_in_silence(
    stage: Scheduler, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "GRACE", 0.0)
    for name in ("one", "two"):
        stage.wanted = settings(f"record.folder={tmp_path / name}", "steering.mode=duet")
        stage.reload.ask()
        stage.until(State.IDLE)
        stage.engine.player.perform(stage.now, Receive(note_on(60)))
        for _ in range(300):
            stage.now += 0.01
            stage.engine.player.perform(stage.now, TICK)
            while stage.engine.player.perform(stage.now, THINK):
                pass
    stage.engine.player.perform(stage.now, RELEASE_ALL)
    stage.recordings.close()
    for name in ("one", "two"):
        synth, recording = Synth(deaf=True), read(next((tmp_path / name).glob("*.mid")))
        for _, message in recording.played:
            synth.take(message)
        assert len(recording.played) > 4 and len(recording.performed) == 1
        assert not {key for key in synth.sounding if key[1] != 60}


def test_a_recording_that_a_reload_begins_is_quiet_while_the_daw_is_stopped(
    stage: Scheduler, tmp_path: Path
) -> None:
    stage.engine.player.perform(0.0, Receive(b"\xfa"))
    stage.engine.player.perform(0.1, Receive(b"\xfc"))
    stage.now = 0.2
    stage.wanted = settings(f"record.folder={tmp_path}")
    stage.reload.ask()
    stage.until(State.IDLE)
    assert stage.reload.applied and stage.setup.recorder is not None
    assert stage.engine.player.rests


def test_a_line_for_the_log_is_not_lost_when_a_recording_begins(
    stage: Scheduler, tmp_path: Path
) -> None:
    before = stage.engine.player
    before.notices.append("learn: cc 9 is density")
    stage.wanted = settings(f"record.folder={tmp_path}")
    stage.reload.ask()
    stage.until(State.IDLE)
    assert stage.engine.player is not before
    assert [*stage.engine.player.notices] == ["learn: cc 9 is density"]


def test_a_recording_that_ended_on_a_full_disk_is_followed_by_another(
    stage: Scheduler, tmp_path: Path
) -> None:
    stage.wanted = settings(f"record.folder={tmp_path}")
    recorders = []
    for _ in range(2):
        stage.reload.ask()
        stage.until(State.IDLE)
        recorders.append(stage.setup.recorder)
        assert stage.setup.recorder is not None
        stage.setup.recorder.end()
    assert recorders[0] is not recorders[1]


def test_a_recording_that_was_refused_leaves_no_file(stage: Scheduler, tmp_path: Path) -> None:
    stage.wanted = settings("ports.input=Keys", f"record.folder={tmp_path}")
    stage.reload.ask()
    stage.until(State.REOPENING)
    stage.reload.refuse("no such port")
    stage.until(State.IDLE)
    stage.recordings.close()
    assert [*tmp_path.iterdir()] == [] and stage.setup.recorder is None
