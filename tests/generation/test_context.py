"""The memory holds what was heard: its state is that of a model that heard the same ids."""

from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from segued.generation.context import CHUNK, MAX_BACKLOG, Context
from segued.tokens.events import MODEL_PART, Event, NoteOff, NoteOn, Pedal
from segued.tokens.tokenizer import encode

from ..support.fakes import FoldingModel, tokens, words

MODEL = FoldingModel()


def note(start: float, end: float, pitch: int, part: int = 0) -> list[Event]:
    return [NoteOn(start, pitch, 80, part), NoteOff(end, pitch, part)]


def hearing(*events: Event) -> tuple[Context, list[int]]:
    heard: list[int] = []
    context = Context(MODEL, heard)
    for event in events:
        context.hear(event)
    return context, heard


def settle(context: Context) -> None:
    while context.step():
        pass


def test_at_first_there_is_nothing() -> None:
    context = Context(MODEL)
    assert context.settled
    assert context.logits is None
    assert not context.step()
    assert np.array_equal(context.state, MODEL.initial_state())


def test_what_is_heard_waits_until_it_is_taken_in() -> None:
    context, heard = hearing(*note(0, 0.5, 60))
    assert context.encoder.holds
    assert list(context.backlog) == heard == tokens("v19 on60")
    context.advance(0.6)
    assert not context.settled
    settle(context)
    assert context.settled
    assert words(heard) == "v19 on60 t50 off60"
    logits, state = MODEL.step(heard, MODEL.initial_state())
    assert np.array_equal(context.state, state)
    assert np.array_equal(context.logits, logits)


def test_hearing_says_whether_anything_changed() -> None:
    context = Context(MODEL)
    assert context.hear(NoteOn(0, 60, 80))
    context.advance(0.1)
    assert not context.hear(Pedal(0.2, True))
    assert not context.hear(NoteOff(0.3, 60))  # the pedal holds it
    assert not context.hear(NoteOff(0.4, 61))
    assert context.hear(Pedal(0.5, False))
    assert context.hear(Pedal(0.9, True))  # it shows that the step of the last one is over


def test_a_step_takes_in_a_few_ids_only() -> None:
    context, heard = hearing(*[e for i in range(20) for e in note(i, i + 0.5, 60)])
    waiting = len(context.backlog)
    before = MODEL.steps
    assert context.step()
    assert MODEL.steps == before + 1
    assert len(context.backlog) == waiting - CHUNK
    settle(context)
    assert np.array_equal(context.state, MODEL.state_after(heard))


def test_silence_is_heard() -> None:
    context, heard = hearing(*note(0, 0.5, 60))
    context.advance(2.7)
    assert words(heard) == "v19 on60 t50 off60 t100 t100"


def test_a_planned_token_is_adopted_with_its_state() -> None:
    context, heard = hearing(*note(0, 0.5, 60))
    context.advance(0.6)
    settle(context)
    ids = tokens("t50 on64 t20 off64")
    state = context.state
    for id in ids:
        logits, state = MODEL.step([id], state)
        context.commit(id, state, logits)
    assert context.state is state
    assert context.logits is logits
    assert heard[-4:] == ids
    assert np.array_equal(context.state, MODEL.state_after(heard))
    assert not context.step()
    assert context.encoder.written == 120


def test_a_token_whose_state_is_not_known_yet_is_taken_in_later() -> None:
    context, heard = hearing(*note(0, 0.5, 60))
    context.advance(0.6)
    settle(context)
    context.commit(tokens("t50")[0], None, None)
    assert not context.settled
    settle(context)
    assert np.array_equal(context.state, MODEL.state_after(heard))


def test_a_later_state_makes_up_for_an_unknown_one() -> None:
    context, heard = hearing(*note(0, 0.5, 60))
    context.advance(0.6)
    settle(context)
    first, second = tokens("t50 on64")
    state = MODEL.step([first, second], context.state)[1]
    context.commit(first, None, None)
    context.commit(second, state, np.zeros(388, np.float32))
    assert context.settled
    assert np.array_equal(context.state, MODEL.state_after(heard))


def test_cutting_ends_the_models_notes_and_no_others() -> None:
    context, heard = hearing(NoteOn(0, 48, 80))
    context.advance(0.1)
    for id in tokens("t50 on64 on67"):
        context.commit(id, None, None)
    context.end_model_notes(0.8)
    context.advance(0.9)
    assert words(heard) == "v19 on48 t50 on64 on67 t30 off64 off67"
    assert context.encoder.sounding == [48]
    context.end_model_notes(1.0)
    context.advance(1.1)
    assert words(heard).endswith("off67")


def test_silence_ends_all_notes_and_pedals() -> None:
    context, heard = hearing(Pedal(0, True), *note(0, 0.1, 48))
    context.advance(0.2)
    for id in tokens("t50 on64"):
        context.commit(id, None, None)
    context.silence(0.8)
    context.advance(0.9)
    assert words(heard) == "v19 on48 t50 on64 t30 off48 off64"
    assert context.encoder.sounding == []
    for event in note(1.0, 1.1, 50):
        context.hear(event)
    context.advance(1.2)
    assert words(heard).endswith("t20 on50 t10 off50")


def test_far_behind_the_oldest_ids_are_skipped() -> None:
    """The newest count; and memory is bounded."""
    context, heard = hearing(*[e for i in range(900) for e in note(0.1 * i, 0.1 * i + 0.05, 60)])
    assert len(heard) > MAX_BACKLOG
    assert len(context.backlog) == MAX_BACKLOG
    assert context.skipped == len(heard) - MAX_BACKLOG
    settle(context)
    assert np.array_equal(context.state, MODEL.state_after(heard[-MAX_BACKLOG:]))


@given(
    st.lists(st.tuples(st.integers(0, 3000), st.integers(0, 500), st.integers(50, 70)), max_size=9),
    st.lists(st.integers(0, 3), min_size=1),
)
def test_the_state_is_that_of_all_that_was_heard(notes: list[Any], steps: list[int]) -> None:
    """However often it could take some of it in."""
    heard: list[int] = []
    context, events, time = Context(MODEL, heard), [], 0.0
    for i, (gap, length, pitch) in enumerate(notes):
        for event in note(time + gap / 1000, time + (gap + length) / 1000, pitch):
            events.append(event)
            context.advance(event.time)
            context.hear(event)
            for _ in range(steps[i % len(steps)]):
                context.step()
        time += (gap + length) / 1000
    context.advance(time + 0.05)
    settle(context)
    assert heard == encode(events)
    assert np.array_equal(context.state, MODEL.state_after(heard))


def test_without_a_record_nothing_is_recorded() -> None:
    context = Context(MODEL)
    for event in note(0, 1, 60, MODEL_PART):
        context.hear(event)
    context.advance(1.5)
    assert words(list(context.backlog)) == "v19 on60 t100 off60"


def test_the_model_is_never_asked_with_no_ids() -> None:
    class Strict(FoldingModel):
        def step(self, ids: Any, state: Any) -> Any:
            assert 1 <= len(ids) <= CHUNK
            return super().step(ids, state)

    context = Context(Strict())
    for event in [e for i in range(7) for e in note(i, i + 0.5, 60)]:
        context.hear(event)
        settle(context)
    context.advance(7.0)
    settle(context)
    assert context.settled
