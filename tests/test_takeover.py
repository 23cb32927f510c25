"""Going on with other settings or another model: what is remembered, turned, and what sounds."""

from dataclasses import replace
from typing import cast

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from segued.inference.model import Model
from segued.music.vocabulary import PERFORMANCE
from segued.musician.memory import RECENT, Memory
from segued.player import Player
from segued.service.reload import Found, Heard, Reload, changes

from tests.fakes import FoldingModel, Session, control, note_off, note_on, settings
from tests.waiting import wait_for

IDS = st.lists(st.integers(0, 387), max_size=40)


def memory_of(model: FoldingModel, ids: list[int]) -> Memory:
    memory = Memory(model)
    memory._add(ids)
    return memory


@given(before=IDS, while_taught=IDS, steps=st.integers(0, 20))
def test_another_model_remembers_what_was_heard_also_meanwhile(
    before: list[int], while_taught: list[int], steps: int
) -> None:
    old = memory_of(FoldingModel(), before)
    pupil = Heard.by(old, PERFORMANCE).teach(FoldingModel())
    for _ in range(steps):
        old.step()
    old._add(while_taught)
    new = Memory(pupil.model)
    new.inherit(old, pupil)
    while new.step():
        pass
    assert np.array_equal(new.state, FoldingModel().state_after(before + while_taught))


@given(before=IDS, while_taught=IDS)
def test_what_was_forgotten_meanwhile_is_not_remembered(
    before: list[int], while_taught: list[int]
) -> None:
    old = memory_of(FoldingModel(), before)
    pupil = Heard.by(old, PERFORMANCE).teach(FoldingModel())
    old.forget()
    old._add(while_taught)
    new = Memory(pupil.model)
    new.inherit(old, pupil)
    while new.step():
        pass
    assert np.array_equal(new.state, FoldingModel().state_after(while_taught))


def test_more_music_than_it_was_taught_begins_with_the_last_of_it() -> None:
    old = memory_of(FoldingModel(), [60])
    pupil = Heard.by(old, PERFORMANCE).teach(FoldingModel())
    old.backlog.clear()
    ids = [i % 388 for i in range(RECENT + 100)]
    for id in ids:
        old._remember([id])
    new = Memory(pupil.model)
    new.inherit(old, pupil)
    while new.step():
        pass
    assert np.array_equal(new.state, FoldingModel().state_after(ids[-RECENT:]))


@given(before=IDS, while_loading=IDS, while_waiting=IDS, forgets=st.booleans())
def test_it_takes_in_what_came_while_it_waited(
    before: list[int], while_loading: list[int], while_waiting: list[int], forgets: bool
) -> None:
    """All but what comes in the last moment is heard beside the music."""
    memory, model = memory_of(FoldingModel(), before), FoldingModel()
    pupil = Heard.by(memory, PERFORMANCE).teach(model)
    if forgets:
        memory.forget()
    for ids in (while_loading, while_waiting):
        memory._add(ids)
    late = Heard.by(memory, PERFORMANCE, pupil.count)
    assert len(late.ids) <= len(while_loading + while_waiting)
    expected = [*([] if forgets else before), *while_loading, *while_waiting]
    pupil = late.teach(model, pupil)
    assert pupil.count == memory.count
    assert np.array_equal(pupil.state, model.state_after(expected))


class Loaded(Reload):
    """A reload that has its model at once."""

    model = FoldingModel()

    def _find(self) -> Found:
        return Found(settings(), (), cast(Model, self.model), self._heard.teach(self.model))


def test_it_is_taken_once_it_knows_what_came_while_it_waited() -> None:
    memory, told = memory_of(FoldingModel(), [60, 256]), []
    reload = Loaded(settings, (), Heard.by(memory, PERFORMANCE), lambda line, _: told.append(line))
    wait_for(lambda: reload.found is not None)
    assert reload.up_to_date(memory), "nothing came"
    memory._add([62, 257, 64])
    assert not reload.up_to_date(memory)
    wait_for(lambda: reload.up_to_date(memory))
    assert reload.found is not None and reload.found.taught is not None
    state = FoldingModel().state_after([60, 256, 62, 257, 64])
    assert np.array_equal(reload.found.taught.state, state)
    memory._add([258])
    assert reload.up_to_date(memory), "it is asked once: what comes after that is soon taken in"
    reload.answer("taken")
    wait_for(lambda: reload.over)
    assert told == ["taken"] and not reload.refused


def test_a_model_that_breaks_while_it_waits_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    memory, told = memory_of(FoldingModel(), [60]), []
    reload = Loaded(settings, (), Heard.by(memory, PERFORMANCE), lambda line, _: told.append(line))
    wait_for(lambda: reload.found is not None)
    monkeypatch.setattr(FoldingModel, "step", lambda self, ids, state: 1 // 0)
    memory._add([62])
    assert not reload.up_to_date(memory)
    wait_for(lambda: reload.over)
    assert "the old settings stay" in reload.refused and told == [reload.refused]


def playing(*lines: str) -> Session:
    session = Session(FoldingModel(), settings("turns.silence=0.2", *lines), seed=1)
    session.tap(60, 100)
    session.until(session.now + 2.0)
    assert session.player.replying
    return session


def succeed(session: Session, *lines: str) -> Player:
    """What `Takeover` does."""
    config = settings("turns.silence=0.2", *lines)
    old = session.player
    new = Player(FoldingModel(), config, session._send, 1)
    new.inherit(old, session.now)
    session.player, session.config = new, config
    return new


def sounding(session: Session) -> set[tuple[int, int]]:
    return session.sounding(deaf=True)


def test_it_plays_on_from_what_it_remembers_and_all_that_sounded_has_ended() -> None:
    session = playing("turns.reply_length=endless")
    session.receive(note_on(40, channel=3))
    session.receive(note_off(40, channel=3))
    session.until(session.now + 1.0)
    heard = session.player.improviser.memory.recent.last()
    new = succeed(session, "turns.reply_length=endless", "sampling.highest_pitch=60")
    assert not sounding(session)
    assert new.improviser.memory.recent.last()[: len(heard)] == heard
    assert new.replying
    began = session.now
    session.until(session.now + 3.0)
    later = [m for t, m in session.replies if t > began and m[0] & 0xF0 == 0x90]
    assert later and max(m[1] for m in later) <= 60
    session.silence()
    assert not sounding(session)


def test_a_silent_one_stays_silent() -> None:
    session = Session(FoldingModel(), settings("turns.silence=0.2"), seed=1)
    new = succeed(session, "turns.silence=0.4")
    assert not new.busy and not new.replying


def test_a_knob_that_was_turned_stays_unless_its_start_value_is_another() -> None:
    session = playing()
    session.player.set(session.now, "density", 2.0)
    session.player.set(session.now, "register", 12)
    new = succeed(session, "sampling.longest_note=3", "steering.register=-12")
    assert new.knobs.density == 2.0
    assert new.knobs.register == -12
    assert new.knobs.polyphony == 16


def test_start_values_alone_turn_knobs_and_interrupt_nothing() -> None:
    session = playing("turns.reply_length=endless")
    player, reply = session.player, session.player.improviser.reply
    player.set(session.now, "density", 2.0)
    config = settings("turns.silence=0.2", "turns.reply_length=endless", "steering.register=5")
    player.steer(session.now, config)
    assert player.knobs.register == 5 and player.knobs.density == 2.0
    assert player.improviser.reply is reply and player.replying
    player.steer(session.now, replace(config, steering=settings("steering.density=3").steering))
    assert player.knobs.register == 0 and player.knobs.density == 3.0


def test_changes_are_named() -> None:
    assert changes(settings(), settings()) == []
    assert changes(settings(), settings("ports.thru=false", "steering.tempo=90")) == [
        "ports.thru", "steering.tempo",
    ]  # fmt: skip


def test_controls_are_what_they_were() -> None:
    """What is held down, picked up, learned and in which zones the keyboard plays."""
    lines = ("control.learned=none", "control.map=[{cc: 9, learn: density}, "
             "{note: 30, knob: hold, momentary: true}, {cc: 20, knob: temperature}]")  # fmt: skip
    session = Session(FoldingModel(), settings(*lines), seed=1)
    opening = [control(101, 0), control(100, 6), control(6, 3), control(9, 127), control(33, 0)]
    for message in (*opening, control(20, 30), control(20, 40), note_on(30)):
        session.receive(message)
        session.wait(50)
    assert session.player.knobs.hold
    new = succeed(session, *lines)
    assert new.knobs.hold
    for message in (note_off(30), control(33, 127), control(20, 41), note_on(60, channel=2)):
        session.receive(message)
        session.wait(50)
    assert not new.knobs.hold
    assert new.knobs.density == 4.0
    assert new.knobs.temperature == 41 / 127 * 4
    assert (0, 60) in new.turns._held, "channel 3 is a member of the zone"
