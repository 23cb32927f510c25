"""When it thinks about its reply: late enough to do little in vain, and always in time."""

from hypothesis import given, settings
from hypothesis import strategies as st

from ..support.fakes import FoldingModel, Session, note_off, note_on
from ..support.fakes import settings as configured

LATEST = 20.0  # seconds


def staccato(notes: int, gap: float, *lines: str) -> Session:
    """Short notes, each so many seconds after the one before is released; then a reply."""
    session = Session(FoldingModel(), configured("turns.silence=0.7", *lines))
    for i in range(notes):
        session.receive(note_on(60 + i % 5))
        session.until(session.now + 0.06)
        session.receive(note_off(60 + i % 5))
        session.until(session.now + gap)
    return session


def test_nothing_is_planned_while_the_next_note_comes_soon() -> None:
    session = staccato(40, 0.25)
    assert isinstance(session.model, FoldingModel)
    assert session.model.steps <= len(session.heard)
    session.await_note()
    assert session.player.replying


def test_more_thinking_time_plans_in_vain() -> None:
    session = staccato(40, 0.25, "turns.thinking_time=2")
    assert isinstance(session.model, FoldingModel)
    assert session.model.steps > 5 * len(session.heard)


@settings(max_examples=settings().max_examples // 2)
@given(
    gaps=st.lists(st.floats(0.02, 1.2), min_size=1, max_size=12),
    ahead=st.floats(0.1, 10),
    rule=st.sampled_from(("silence", "expectation", "bars")),
    latency=st.sampled_from((0, 50)),
)
def test_the_reply_is_the_same_however_soon_it_is_thought_of(
    gaps: list[float], ahead: float, rule: str, latency: int
) -> None:
    def replies(thinking_time: float) -> list[tuple[float, int | None, bytes]]:
        lines = (
            f"turns.by={rule}",
            "turns.reply_length=2",
            f"sync.output_latency_ms={latency}",
            f"turns.thinking_time={thinking_time}",
        )
        session = Session(FoldingModel(), configured(*lines))
        for i, gap in enumerate(gaps):
            session.receive(note_on(60 + i))
            session.until(session.now + 0.05)
            session.receive(note_off(60 + i))
            session.until(session.now + gap)
        session.until(LATEST + 14)
        return [(round(time, 6), owner, message) for time, owner, message in session.log]

    assert replies(ahead) == replies(2.0)
