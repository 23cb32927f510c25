"""Performers that Hypothesis makes up: they play, interrupt, fall silent and send nonsense."""

from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st
from segued.control.knobs import BY_NAME, MODES
from segued.midi.files import event_of
from segued.player.active_notes import MODEL
from segued.tokens.events import MODEL_PART, NoteOff, NoteOn, Pedal

from .fakes import Piano, Session, Sound, Timed, control, note_off, note_on, pedal

PITCHES = st.sampled_from([0, 60, 61, 62, 64, 67, 127])
CHANNELS = st.sampled_from([0, 0, 0, 1, 2])
WAITS = st.one_of(
    st.sampled_from([0, 1, 3, 8, 10, 20, 100, 300, 690, 700, 710, 1000, 1500, 4000]),
    st.integers(0, 3000),
)
LITTLE = st.sampled_from([0, 0, 1, 4, 6, 9, 11, 20, 80])


@dataclass(frozen=True)
class Move:
    """Something that a performer does: a method of Session and its arguments."""

    name: str
    arguments: tuple[Any, ...]

    def __call__(self, session: Session) -> None:
        getattr(session, self.name)(*self.arguments)


def moves(name: str, *arguments: st.SearchStrategy) -> st.SearchStrategy[Move]:
    return st.builds(Move, st.just(name), st.tuples(*arguments))


MESSAGES = st.one_of(
    st.builds(note_on, PITCHES, st.integers(0, 127), CHANNELS),
    st.builds(note_off, PITCHES, st.integers(0, 127), CHANNELS),
    st.builds(pedal, st.booleans(), CHANNELS),
    st.builds(control, st.integers(119, 127), st.sampled_from([0, 127]), CHANNELS),
    st.sampled_from([b"\xc0\x05", b"\xe1\x00\x40", b"\xd2\x40", b"\xf8", b"\xa0\x3c\x10"]),
)
TAPS = moves("tap", PITCHES, st.integers(0, 600), st.integers(1, 127), CHANNELS)
PLAYING = st.one_of(TAPS, moves("receive", MESSAGES), moves("wait", WAITS))
PERFORMANCES = st.lists(
    st.one_of(
        PLAYING,
        PLAYING,
        st.just(Move("await_note", ())),
        moves("wait", LITTLE),
        moves("echo", LITTLE, CHANNELS),
        moves("lift", PITCHES, LITTLE, CHANNELS),
    ),
    max_size=20,
)

WILD = (
    *("temperature", "top_p", "density", "register", "dynamics", "sensitivity", "scale"),
    *("quantize_strength", "tempo"),
)
TURNING = st.one_of(
    st.sampled_from(MODES).map(lambda mode: Move("set", ("mode", mode))),
    st.sampled_from(MODES).map(lambda mode: Move("set", ("mode", mode))),
    st.sampled_from(BY_NAME["key"].choices).map(lambda key: Move("set", ("key", key))),
    st.integers(1, 6).map(lambda most: Move("set", ("polyphony", most))),
    st.booleans().map(lambda on: Move("set", ("gate", on))),
    st.booleans().map(lambda on: Move("set", ("hold", on))),
    st.builds(
        lambda name, share: Move("set", (name, BY_NAME[name].at(share))),
        st.sampled_from(WILD),
        st.floats(0, 1),
    ),
)
ASKING = st.sampled_from(["take", "give", "take", "give", "panic"]).map(
    lambda action: Move("do", (action,))
)
STEERED = st.lists(
    st.one_of(
        PLAYING, PLAYING, st.just(Move("await_note", ())), moves("echo", LITTLE, CHANNELS),
        moves("wait", WAITS), moves("wait", LITTLE), TURNING, ASKING,
    ),
    max_size=25,
)  # fmt: skip
"""Performances in which knobs are turned and things are asked for, too."""


@st.composite
def performances(draw: st.DrawFn) -> list[Timed]:
    """Timed messages, as a file holds them."""
    time, performance = 0, []
    for wait, message in draw(st.lists(st.tuples(WAITS, MESSAGES), max_size=15)):
        time += wait
        performance.append((time / 1000, message))
    return performance


def what_sounded(session: Session) -> list[Sound]:
    """What one who listened at the instrument heard: the listened performer, and the model's wire.

    Channel mode messages and silencing end what they end. Times count from the first note.
    """
    piano, ports = Piano(), session.config.ports
    for time, owner, message in session.log:
        event = event_of(message, time)
        kind, channel = message[0] & 0xF0, message[0] & 0x0F
        if owner == MODEL and isinstance(event, NoteOn):
            piano.play(NoteOn(time, event.pitch, event.velocity, MODEL_PART))
        elif owner == MODEL and isinstance(event, NoteOff):
            piano.play(NoteOff(time, event.pitch, MODEL_PART))
        elif owner is not None:
            continue
        elif kind == 0xB0 and message[1] == 120:
            piano.finish(time)
        elif not ports.listens_to(channel):
            continue
        elif event is not None:
            piano.play(event)
        elif kind == 0xB0 and message[1] == 121:
            piano.play(Pedal(time, False, channel))
        elif kind == 0xB0 and message[1] >= 123:
            piano.keys_up(time, channel)
    return from_the_first(piano.finish(session.ended))


def from_the_first(sounds: list[Sound]) -> list[Sound]:
    """The same, with the first note at step 0, as the encoding has it."""
    first = sounds[0].start if sounds else 0
    return [Sound(s.start - first, s.pitch, s.end - first, s.bin) for s in sounds]


_RULED = [
    ("turns.by=expectation",),
    ("turns.by=expectation", "turns.longest_wait=0.5", "steering.sensitivity=1"),
    ("turns.by=bars", "turns.bars=1", "steering.tempo=240"),
    ("turns.by=manual", "turns.reply_length=2 beats"),
    ("turns.silence=1 beat", "turns.longest_key=1", "steering.hold=true"),
    ("steering.mode=duet", "turns.duet_tail=endless", "steering.polyphony=2"),
]
_FORGETFUL = [("turns.forget_after=2", "turns.silence=0.2", "steering.mode=duet")]
_ALONE = [
    (),
    ("turns.silence=0.1", "turns.reply_length=1"),
    ("turns.silence=1", "turns.reply_length=endless"),
    ("turns.silence=2.5", "turns.reply_length=0.5", "turns.lookahead=0.1"),
    ("sampling.lowest_pitch=60", "sampling.highest_pitch=67", "turns.silence=0.3"),
    ("sampling.longest_note=0.3", "turns.reply_length=4"),
    ("ports.listen_channel=2", "ports.reply_channel=16", "turns.silence=0.2"),
    ("ports.thru=false", "sampling.temperature=0", "turns.silence=0.5"),
]
_CROWDED = [
    ("sampling.lowest_pitch=60", "sampling.highest_pitch=60", "turns.silence=0.3"),
    ("ports.listen_channel=1", "ports.reply_channel=2", "turns.silence=0.2"),
    ("ports.listen_channel=2", "ports.reply_channel=1", "turns.silence=0.2"),
]
ALONE = st.sampled_from(_ALONE)
"""Settings under which the performer never holds a key that the model wants or holds, too."""
SETTINGS = st.sampled_from(_ALONE + _CROWDED)
"""Settings of all kinds."""
RULED = st.sampled_from(_ALONE + _RULED)
"""Settings as in ALONE, and those under which turns pass otherwise than after a silence."""
ANY = st.sampled_from(_ALONE + _CROWDED + _RULED + _FORGETFUL)
"""All of them."""
