"""The memory holds what was heard: its state is that of a model that heard the same ids."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from segued.music.events import MODEL_PART, Event, NoteOff, NoteOn, Pedal
from segued.music.tokenizer import encode
from segued.musician.memory import CHUNK, MAX_BACKLOG, Memory

from .fakes import FoldingModel, tokens, words

MODEL = FoldingModel()


def note(start: float, end: float, pitch: int, part: int = 0) -> list[Event]:
    return [NoteOn(start, pitch, 80, part), NoteOff(end, pitch, part)]


def hearing(*events: Event) -> tuple[Memory, list[int]]:
    heard: list[int] = []
    memory = Memory(MODEL, heard)
    for event in events:
        memory.hear(event)
    return memory, heard


def settle(memory: Memory) -> None:
    while memory.step():
        pass


def test_at_first_there_is_nothing() -> None:
    memory = Memory(MODEL)
    assert memory.settled
    assert memory.logits is None
    assert not memory.step()
    assert np.array_equal(memory.state, MODEL.initial_state())


def test_what_is_heard_waits_until_it_is_taken_in() -> None:
    memory, heard = hearing(*note(0, 0.5, 60))
    assert memory.encoder.holds
    assert list(memory.backlog) == heard == tokens("v19 on60")
    memory.advance(0.6)
    assert not memory.settled
    settle(memory)
    assert memory.settled
    assert words(heard) == "v19 on60 t50 off60"
    logits, state = MODEL.step(heard, MODEL.initial_state())
    assert np.array_equal(memory.state, state)
    assert np.array_equal(memory.logits, logits)


def test_hearing_says_whether_anything_changed() -> None:
    memory = Memory(MODEL)
    assert memory.hear(NoteOn(0, 60, 80))
    memory.advance(0.1)
    assert not memory.hear(Pedal(0.2, True))
    assert not memory.hear(NoteOff(0.3, 60))  # the pedal holds it
    assert not memory.hear(NoteOff(0.4, 61))
    assert memory.hear(Pedal(0.5, False))
    assert memory.hear(Pedal(0.9, True))  # it shows that the step of the last one is over


def test_a_step_takes_in_a_few_ids_only() -> None:
    memory, heard = hearing(*[e for i in range(20) for e in note(i, i + 0.5, 60)])
    waiting = len(memory.backlog)
    before = MODEL.steps
    assert memory.step()
    assert MODEL.steps == before + 1
    assert len(memory.backlog) == waiting - CHUNK
    settle(memory)
    assert np.array_equal(memory.state, MODEL.state_after(heard))


def test_silence_is_heard() -> None:
    memory, heard = hearing(*note(0, 0.5, 60))
    memory.advance(2.7)
    assert words(heard) == "v19 on60 t50 off60 t100 t100"


def test_a_planned_token_is_adopted_with_its_state() -> None:
    memory, heard = hearing(*note(0, 0.5, 60))
    memory.advance(0.6)
    settle(memory)
    ids = tokens("t50 on64 t20 off64")
    state = memory.state
    for id in ids:
        logits, state = MODEL.step([id], state)
        memory.adopt(id, state, logits)
    assert memory.state is state
    assert memory.logits is logits
    assert heard[-4:] == ids
    assert np.array_equal(memory.state, MODEL.state_after(heard))
    assert not memory.step()
    assert memory.encoder.written == 120


def test_a_token_whose_state_is_not_known_yet_is_taken_in_later() -> None:
    memory, heard = hearing(*note(0, 0.5, 60))
    memory.advance(0.6)
    settle(memory)
    memory.adopt(*tokens("t50"), None, None)
    assert not memory.settled
    settle(memory)
    assert np.array_equal(memory.state, MODEL.state_after(heard))


def test_a_later_state_makes_up_for_an_unknown_one() -> None:
    memory, heard = hearing(*note(0, 0.5, 60))
    memory.advance(0.6)
    settle(memory)
    first, second = tokens("t50 on64")
    state = MODEL.step([first, second], memory.state)[1]
    memory.adopt(first, None, None)
    memory.adopt(second, state, np.zeros(388, np.float32))
    assert memory.settled
    assert np.array_equal(memory.state, MODEL.state_after(heard))


def test_cutting_ends_the_models_notes_and_no_others() -> None:
    memory, heard = hearing(NoteOn(0, 48, 80))
    memory.advance(0.1)
    for id in tokens("t50 on64 on67"):
        memory.adopt(id, None, None)
    memory.cut(0.8)
    memory.advance(0.9)
    assert words(heard) == "v19 on48 t50 on64 on67 t30 off64 off67"
    assert memory.encoder.sounding == [48]
    memory.cut(1.0)
    memory.advance(1.1)
    assert words(heard).endswith("off67")


def test_silence_ends_all_notes_and_pedals() -> None:
    memory, heard = hearing(Pedal(0, True), *note(0, 0.1, 48))
    memory.advance(0.2)
    for id in tokens("t50 on64"):
        memory.adopt(id, None, None)
    memory.silence(0.8)
    memory.advance(0.9)
    assert words(heard) == "v19 on48 t50 on64 t30 off48 off64"
    assert memory.encoder.sounding == []
    for event in note(1.0, 1.1, 50):
        memory.hear(event)
    memory.advance(1.2)
    assert words(heard).endswith("t20 on50 t10 off50")


def test_far_behind_the_oldest_ids_are_skipped() -> None:
    """The newest count; and memory is bounded."""
    memory, heard = hearing(*[e for i in range(900) for e in note(0.1 * i, 0.1 * i + 0.05, 60)])
    assert len(heard) > MAX_BACKLOG
    assert len(memory.backlog) == MAX_BACKLOG
    assert memory.skipped == len(heard) - MAX_BACKLOG
    settle(memory)
    assert np.array_equal(memory.state, MODEL.state_after(heard[-MAX_BACKLOG:]))


@given(
    st.lists(st.tuples(st.integers(0, 3000), st.integers(0, 500), st.integers(50, 70)), max_size=9),
    st.lists(st.integers(0, 3), min_size=1),
)
def test_the_state_is_that_of_all_that_was_heard(notes: list, steps: list[int]) -> None:
    """However often it could take some of it in."""
    heard: list[int] = []
    memory, events, time = Memory(MODEL, heard), [], 0.0
    for i, (gap, length, pitch) in enumerate(notes):
        for event in note(time + gap / 1000, time + (gap + length) / 1000, pitch):
            events.append(event)
            memory.advance(event.time)
            memory.hear(event)
            for _ in range(steps[i % len(steps)]):
                memory.step()
        time += (gap + length) / 1000
    memory.advance(time + 0.05)
    settle(memory)
    assert heard == encode(events)
    assert np.array_equal(memory.state, MODEL.state_after(heard))


def test_without_a_record_nothing_is_recorded() -> None:
    memory = Memory(MODEL)
    for event in note(0, 1, 60, MODEL_PART):
        memory.hear(event)
    memory.advance(1.5)
    assert words(list(memory.backlog)) == "v19 on60 t100 off60"


def test_the_model_is_never_asked_with_no_ids() -> None:
    class Strict(FoldingModel):
        def step(self, ids, state):
            assert 1 <= len(ids) <= CHUNK
            return super().step(ids, state)

    memory = Memory(Strict())
    for event in [e for i in range(7) for e in note(i, i + 0.5, 60)]:
        memory.hear(event)
        settle(memory)
    memory.advance(7.0)
    settle(memory)
    assert memory.settled
