"""Other settings while it plays: nothing is lost, and each does what a start with it would do."""

from collections.abc import Sequence
from dataclasses import dataclass, fields

import hypothesis
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from segued.control.knobs import MODES
from segued.generation.context import PrimedModel, StepModel
from segued.player.active_notes import CLOCK, MODEL, PERFORMER
from segued.player.commands import Apply
from segued.player.player import Player
from segued.recording.journal import Journal, replay
from segued.recording.performance import Entry, Recording
from segued.recording.replay import difference
from segued.settings.config import SECTIONS, Config
from segued.tokens.tokenizer import decode

from ..support.fakes import (
    FoldingModel,
    Session,
    control,
    note_off,
    note_on,
    pedal,
    settings,
    sounds_of,
)
from ..support.performers import LITTLE, STEERED, TAPS, WAITS, Move, moves, what_sounded
from ..timing.test_clock import CONTINUE, START, STOP, TICK
from .test_sync import perform, roll

FOLDING = FoldingModel()
FEW = hypothesis.settings(max_examples=hypothesis.settings().max_examples // 6)
Parts = list[Move | bytes | float]
MELODY = st.one_of(TAPS, moves("wait", WAITS), moves("wait", LITTLE))

RULES = {
    "silence": ("turns.silence=0.3",),
    "expectation": ("turns.by=expectation",),
    "bars": ("turns.by=bars", "turns.bars=1", "steering.tempo=240"),
    "hand": ("turns.by=manual", "turns.reply_length=2 beats"),
}
CLOCKED = st.one_of(st.sampled_from([START, CONTINUE, STOP]), st.floats(0.1, 2.0))


@st.composite
def performances(draw: st.DrawFn) -> Parts:
    """Performances with and without a MIDI clock."""
    parts: Parts = [*draw(STEERED)]
    for thing in draw(st.lists(CLOCKED, max_size=5)):
        parts.insert(draw(st.integers(0, len(parts))), thing)
    return parts


def session_of(lines: Sequence[str], recorded: bool = False) -> tuple[Session, list[Entry]]:
    """A session, and where it is recorded what was noted."""
    session, journal = Session(FOLDING, settings(*lines), seed=1), list[Entry]()
    if recorded:
        note = Journal(journal.append)
        session.player = Player(
            FOLDING, session.config, session._send, 1, session.heard, journal=note
        )
    return session, journal


def apply(session: Session, *lines: str) -> None:
    """Apply other settings now, and let it plan at once, as the engine does."""
    session.config = settings(*lines)
    session.perform(Apply(session.config))
    session.think()


# --- nothing is lost


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("mode", MODES)
def test_a_reload_that_changes_nothing_leaves_the_next_minute_note_for_note_the_same(
    mode: str, rule: str
) -> None:
    lines = (*RULES[rule], f"steering.mode={mode}")

    @FEW
    @given(performances(), performances(), st.booleans())
    def always(before: Parts, after: Parts, recorded: bool) -> None:
        plain, reloaded = (session_of(lines, recorded)[0] for _ in range(2))
        for session in (plain, reloaded):
            perform(session, before, 120.0)
        apply(reloaded, *lines)
        for session in (plain, reloaded):
            perform(session, after, 120.0)
            session.until(session.now + 60.0)
        assert reloaded.log == plain.log
        assert reloaded.heard == plain.heard

    always()


def waiting_for_its_turn() -> Session:
    session, _ = session_of(("turns.silence=5",))
    session.tap(60, 100)
    session.until(session.now + 3.0)
    return session


def test_a_reply_that_was_due_comes() -> None:
    plain, reloaded = waiting_for_its_turn(), waiting_for_its_turn()
    apply(reloaded, "turns.silence=5", "sampling.longest_note=7.9")
    for session in (plain, reloaded):
        session.until(session.now + 30.0)
    assert reloaded.replies[0][0] == plain.replies[0][0]
    assert len(reloaded.replies) > 4


def test_the_key_that_was_followed_is_known() -> None:
    lines = ("steering.key=follow", "turns.silence=1")
    session, _ = session_of(lines)
    for pitch in (63, 67, 70, 75, 63, 65, 67, 68, 70, 72, 74, 75, 70, 67, 63):
        session.tap(pitch, 100)
    assert session.player._responder._steering.tonic == 3
    apply(session, *lines, "sampling.longest_note=3")
    assert session.player._responder._steering.tonic == 3


def test_after_a_panic_it_rests_on() -> None:
    session, _ = session_of(("steering.mode=solo",))
    session.until(3.0)
    session.do("panic")
    count = len(session.replies)
    apply(session, "steering.mode=solo", "sampling.longest_note=3", "turns.duet_tail=3")
    session.until(session.now + 20.0)
    assert session.player.rests and len(session.replies) == count


@pytest.mark.parametrize("recorded", [False, True])
def test_while_the_daw_is_stopped_it_is_silent(recorded: bool) -> None:
    session, _ = session_of(("turns.silence=0.3",), recorded)
    session.receive(START)
    session.receive(STOP)
    apply(session, "turns.silence=0.4", "sampling.longest_note=3")
    session.tap(60, 100)
    session.until(session.now + 5.0)
    assert not session.replies
    session.receive(START)
    session.tap(60, 100)
    session.until(session.now + 5.0)
    assert session.replies


def test_turns_are_counted_on_and_bars_are_traded_on() -> None:
    session, _ = session_of(RULES["bars"])
    for _ in range(3):
        session.tap(60, 100)
        session.until(session.now + 3.0)
    turn, rule = session.player.improviser._turn, session.player.turns.rule
    apply(session, *RULES["bars"], "sampling.longest_note=3", "turns.longest_key=100")
    assert session.player.improviser._turn == turn > 0
    assert session.player.turns.rule is rule


def test_what_was_learned_is_known_though_its_file_cannot_be_written() -> None:
    lines = ("control.learned=/proc/nope/learned.yaml", "control.map=[{cc: 9, learn: density}]")
    session, _ = session_of(lines)
    for message in (control(9, 127), control(33, 0), control(33, 127)):
        session.receive(message)
        session.wait(50)
    apply(session, *lines, "sampling.longest_note=3")
    assert [m.control for m in session.player.control.learning.learned] == ["cc 33 on channel 1"]


def test_what_was_taken_out_of_the_file_of_what_was_learned_is_forgotten() -> None:
    lines = ("control.map=[{cc: 9, learn: density}]",)
    session, _ = session_of(lines)
    for message in (control(9, 127), control(33, 0), control(33, 127)):
        session.receive(message)
        session.wait(50)
    learning = session.player.control.learning
    assert [m.name for m in learning.learned] == ["density"]
    learning.kept = learning.learned  # as whoever writes the file says
    apply(session, *lines)
    assert not learning.learned


def test_what_is_held_down_comes_up_when_it_is_no_longer_mapped() -> None:
    session, _ = session_of(("control.map=[{note: 30, knob: hold, momentary: true}]",))
    session.receive(note_on(30))
    assert session.player.knobs.hold
    apply(session)
    assert not session.player.knobs.hold
    session.receive(note_off(30))
    assert session.passed == []


# --- what a reload changes is as if it had been so from the start


@dataclass(frozen=True)
class Change:
    """A setting, `base` settings under which it matters, and what the performer does then.

    `quiet`: it is not to be heard in this performance.
    """

    line: str
    base: tuple[str, ...] = ()
    clock: bool = False
    wait: int = 1000  # ms at rest before it is taken
    quiet: bool = False

    @property
    def name(self) -> str:
        return self.line.partition("=")[0]


EXPECTATION = ("turns.by=expectation", "sync.launch_quantize=now")
MAPS = "control.map=[{cc: 20, knob: register}, {program: 5, preset: calm}]"
CALM = "control.presets=[{name: calm, density: 0.25}]"
WILD = "control.presets=[{name: calm, density: 4}]"
CHANGES = [
    Change("ports.thru=false"),
    Change("ports.listen_channel=1"),
    Change("ports.reply_channel=9"),
    Change("ports.zones=[{low: 66, high: 66, to: thru}]"),
    Change("ports.program=5", ("ports.reply_channel=9",)),
    Change("ports.bank=300", ("ports.reply_channel=9", "ports.program=5")),
    Change("ports.mpe=lower"),
    Change("ports.mpe_thru=flat", ("ports.mpe=lower",)),
    Change("ports.echo_filter=false", quiet=True),
    Change("sampling.temperature=0.2"),
    Change("sampling.top_p=0.1"),
    Change("sampling.lowest_pitch=80"),
    Change("sampling.highest_pitch=50"),
    Change("sampling.longest_note=0.1"),
    Change("sampling.candidates=1"),
    Change("sampling.max_notes_per_second=2"),
    Change("sampling.seed=7"),
    Change("turns.by=expectation", ("sync.launch_quantize=now",)),
    *(Change(f"turns.by={by}") for by in ("bars", "hand")),
    Change("turns.by=silence", EXPECTATION),
    Change("turns.silence=0.2", ("sync.launch_quantize=now",)),
    Change("turns.silence=auto", ("turns.silence=2",)),
    Change("turns.silence=3 beats"),
    Change("turns.bars=1", ("turns.by=bars", "turns.bars=2", "steering.tempo=240")),
    Change("turns.shortest_wait=1.5", (*EXPECTATION, "steering.sensitivity=1")),
    Change("turns.longest_wait=0.5", (*EXPECTATION, "steering.sensitivity=0")),
    Change("turns.longest_key=1"),
    Change("turns.reply_length=0.5"),
    Change("turns.shortest_reply=8"),
    Change("turns.longest_reply=2.0"),
    Change("turns.duet_tail=0.5", ("steering.mode=duet",)),
    Change("turns.forget_after=2", wait=5000),
    Change("turns.lookahead=0.1"),
    Change("turns.thinking_time=0.1", quiet=True),
    Change("sync.clock=ignore", clock=True),
    Change("sync.clock=send", quiet=True),
    Change("sync.stopped=free", clock=True),
    Change("sync.beats_per_bar=3", ("sync.launch_quantize=bar",)),
    Change("sync.launch_quantize=bar"),
    Change("sync.launch_quantize=now"),
    Change("sync.grid=quarter", ("steering.quantize_strength=1",)),
    Change("sync.output_latency_ms=50"),
    Change("sync.late_notes=drop", quiet=True),
    Change("sync.late_after_ms=500", quiet=True),
    Change("steering.mode=solo", wait=0),
    Change("steering.mode=duet"),
    Change("steering.mode=listen"),
    Change("steering.quoting=0", quiet=True),
    Change("steering.density=3"),
    Change("steering.register=20"),
    Change("steering.dynamics=-40"),
    Change("steering.key=F#"),
    Change("steering.scale=blues", ("steering.key=D",)),
    Change("steering.polyphony=1"),
    Change("steering.sensitivity=1", EXPECTATION),
    Change("steering.quantize_strength=1"),
    Change("steering.timekeeping=0"),
    Change("steering.ending=0"),
    Change("steering.focus=0"),
    Change("steering.motifs=0"),
    Change("steering.texture=1"),
    Change("steering.contrast=both"),
    Change("steering.swing=false", quiet=True),
    Change("steering.tempo=60", ("turns.silence=2 beats",)),
    Change("steering.hold=true"),
    Change("control.pick_up=false", (MAPS, CALM)),
    Change(MAPS, (CALM,)),
    Change(WILD, (MAPS, CALM, "control.pick_up=false")),
    Change("control.learned=null", quiet=True),
]
ELSEWHERE = {
    *("ports.backend", "ports.input", "ports.output", "ports.name", "ports.tcp_host"),
    *("ports.tcp_port", "model.path", "inference.device", "record.folder", "service.priority"),
    *("service.lock_memory", "service.metrics_port", "page.host", "page.port", "page.token"),
    *("osc.host", "osc.port", "osc.send", "control.feedback", "memory.hear"),
    "steering.gate",  # with it the test shuts out replies
}
"""Options that are the business of whoever drives the player."""


def test_every_option_is_looked_at() -> None:
    everything = {f"{s}.{f.name}" for s in SECTIONS for f in fields(getattr(Config(), s))}
    assert {change.name for change in CHANGES} | ELSEWHERE == everything


def heard_so_far(lines: Sequence[str], change: Change, model: StepModel = FOLDING) -> Session:
    """A phrase was heard, and not answered."""
    config = settings(*lines)
    seed = config.sampling.seed
    session = Session(model, config, seed=seed if isinstance(seed, int) else 1)
    session.set("gate", False)
    if change.clock:
        session.receive(START)
        roll(session, 4, 90.0)
        session.receive(STOP)
    for pitch in (60, 64, 67):
        session.tap(pitch, 200)
    session.wait(3000)
    session.set("gate", True)
    session.wait(change.wait)
    return session


def goes_on(session: Session) -> list[tuple[float, int | None, bytes]]:
    """The next phrase and what comes of it, to the microsecond."""
    session.until(session.now + 0.1)
    count = len(session.log)
    session.receive(control(20, 100))
    session.receive(bytes((0xC0, 4)))
    session.receive(bytes((0xE2, 0, 0x50)))  # a wheel, or an MPE note that begins bent
    session.receive(pedal(True))
    for pitch, channel in ((60, 0), (66, 0), (71, 2)):
        session.tap(pitch, 300, channel=channel)
        session.receive(control(20, 110, channel))
    session.receive(pedal(False))
    session.receive(note_on(48))
    session.wait(1800)
    session.receive(note_off(48))
    session.wait(13_000)
    log = session.log[count:]
    return [(round(t, 6), owner, m) for t, owner, m in log if owner in (None, MODEL, PERFORMER)]


@pytest.mark.slow
@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.line)
def test_a_setting_that_changes_does_what_a_start_with_it_would_do(change: Change) -> None:
    base, lines = change.base, (*change.base, change.line)
    reloaded, fresh, plain = (heard_so_far(some, change) for some in (base, lines, base))
    apply(reloaded, *lines)
    expected = goes_on(fresh)
    assert goes_on(reloaded) == expected
    assert (goes_on(plain) == expected) == change.quiet


class OtherModel(FoldingModel):
    """Another network with other tastes."""

    def __init__(self) -> None:
        super().__init__()
        self._table = self._table[::-1].copy()


def primed(session: Session, model: FoldingModel) -> PrimedModel:
    """A model that has heard the same, as a reload teaches it."""
    context = session.player.improviser.context
    return PrimedModel.by(model, context.recent.last(), context.count, {"model": "another"})


@pytest.mark.parametrize("rule", RULES)
def test_another_model_plays_as_if_it_had_heard_it_all(rule: str) -> None:
    change, other = Change("", RULES[rule]), OtherModel()
    reloaded, fresh = (heard_so_far(change.base, change, m) for m in (FOLDING, other))
    reloaded.perform(Apply(reloaded.config, primed(reloaded, other)))
    assert goes_on(reloaded) == goes_on(fresh)


# --- in the midst of it


def playing(*lines: str) -> Session:
    session, _ = session_of(("turns.silence=0.2", *lines))
    session.tap(60, 100)
    session.until(session.now + 2.0)
    assert session.player.replying
    return session


def test_a_reply_goes_on_by_other_settings_and_nothing_is_cut_off() -> None:
    session = playing("turns.reply_length=endless", "sampling.longest_note=60")
    sounding, count = session.sounding(deaf=True), len(session.log)
    lines = ("turns.reply_length=endless", "sampling.longest_note=60", "sampling.highest_pitch=60")
    apply(session, "turns.silence=0.2", *lines)
    assert sounding and session.sounding(deaf=True) == sounding
    session.until(session.now + 3.0)
    later = [m[1] for _, _, m in session.log[count:] if m[0] & 0xF0 == 0x90]
    assert later and max(later) <= 60
    session.silence()
    assert not session.sounding(deaf=True)


def test_a_reply_without_end_gets_one() -> None:
    session = playing("turns.reply_length=endless")
    apply(session, "turns.silence=0.2", "turns.reply_length=3")
    session.until(session.now + 5.0)
    assert not session.player.replying
    session.tap(60, 100)
    session.until(session.now + 10.0)
    assert not session.player.replying


def test_a_knob_that_was_turned_stays_unless_its_start_value_is_another() -> None:
    session = playing()
    session.set("density", 2.0)
    session.set("register", 12)
    apply(session, "turns.silence=0.2", "sampling.longest_note=3", "steering.register=-12")
    knobs = session.player.knobs
    assert (knobs.density, knobs.register, knobs.polyphony) == (2.0, -12, 16)
    apply(session, "turns.silence=0.2", "steering.density=3")
    assert (knobs.density, knobs.register) == (3.0, 0)


def test_keys_that_take_another_way_are_released() -> None:
    """And a pedal, whose lifting would no longer be passed on."""
    session, _ = session_of(())
    session.receive(pedal(True, 3))
    session.receive(note_on(60, channel=3))
    session.receive(note_on(62))
    apply(session, "ports.thru=false", "ports.listen_channel=1")
    for message in (note_off(60, channel=3), note_off(62), pedal(False, 3)):
        session.receive(message)
    assert not session.sounding(deaf=True)
    assert session.player.turns.held is None
    assert not session.player.improviser.context.encoder.pedals


def test_as_the_master_it_starts_and_stops_with_the_setting() -> None:
    session, _ = session_of(())
    apply(session, "sync.clock=send")
    session.until(1.0)
    sent = [message for _, owner, message in session.log if owner == CLOCK]
    assert sent[0] == START and sent[1:] == [TICK] * (len(sent) - 1) and len(sent) > 40
    apply(session, "sync.clock=send", "turns.silence=0.4")
    session.until(2.0)
    apply(session)
    session.until(3.0)
    sent = [message for _, owner, message in session.log if owner == CLOCK]
    assert sent.count(START) == sent.count(STOP) == 1 and sent[-1] == STOP


LINES = st.sampled_from([(*change.base, change.line) for change in CHANGES])


@given(performances(), performances(), LINES, LINES)
def test_whatever_changes_whenever_nothing_hangs(
    before: Parts, after: Parts, first: tuple[str, ...], then: tuple[str, ...]
) -> None:
    session, _ = session_of(first)
    perform(session, before, 120.0)
    apply(session, *then)
    perform(session, after, 120.0)
    session.silence()
    assert not session.sounding(deaf=True)
    context = session.player.improviser.context
    assert np.array_equal(context.state, FOLDING.state_after(session.heard))


HEARING = ("ports.", "sync.output_latency", "steering.hold", "turns.forget")
SAME_EARS = st.sampled_from([c for c in CHANGES if not c.line.startswith(HEARING)]).map(
    lambda change: (*change.base, change.line)
)


@given(st.lists(MELODY, max_size=8), st.lists(MELODY, max_size=8), SAME_EARS, SAME_EARS)
def test_whatever_changes_the_memory_is_what_sounded(
    before: list[Move], after: list[Move], first: tuple[str, ...], then: tuple[str, ...]
) -> None:
    session, _ = session_of(first)
    for move in before:
        move(session)
    apply(session, *then)
    for move in after:
        move(session)
    session.silence()
    assert sounds_of(decode(session.heard)) == what_sounded(session)


@given(performances(), performances(), LINES, LINES, st.booleans())
def test_a_recording_goes_on_and_is_replayed(
    before: Parts, after: Parts, first: tuple[str, ...], then: tuple[str, ...], swaps: bool
) -> None:
    session, journal = session_of(first, recorded=True)
    other = OtherModel()
    perform(session, before, 120.0)
    session.config = settings(*then)
    model = primed(session, other) if swaps else None
    session.until(session.now + 0.3)
    session.perform(Apply(session.config, model))
    perform(session, after, 120.0)
    session.silence()
    recording = Recording.of({}, journal)
    again = replay(FoldingModel(), settings(*first), 1, recording, lambda *_: other)
    assert difference(recording.played, again) == ""
    sent = [message for _, owner, message in session.log if owner == MODEL]
    assert [message for _, message in again] == sent
