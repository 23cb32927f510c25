"""The ring of events: written, read, overrun; and what the tap tells of the music."""

from segued.control.knobs import KNOBS
from segued.service.event_ring import (
    KEY,
    KNOB,
    MARGIN,
    NOTE,
    PEDAL,
    PLANNED,
    RECORDS,
    REPLANNED,
    SILENCED,
    SIZE,
    TEMPO,
    TURN,
    Event,
    EventReader,
    EventRing,
)
from segued.service.event_tap import EventTap

from tests.support.fakes import FoldingModel, Session, control, note_off, note_on, settings

BEGAN = 1000.0  # when the engine was made, on the clock of the events


def ring() -> tuple[EventRing, EventReader]:
    memory = memoryview(bytearray(SIZE))
    return EventRing(memory), EventReader(memory)


def test_what_is_written_is_read_in_order_and_once() -> None:
    writer, reader = ring()
    assert reader.read() == []
    writer.add(1.5, NOTE, 2, 60, 80, 3.0)
    writer.add(-2.0, PLANNED, 127, 0)
    assert reader.read() == [Event(1.5, NOTE, 2, 60, 80, 3.0), Event(-2.0, PLANNED, 127)]
    assert reader.read() == [] and reader.missed == 0


def test_a_reader_begins_with_what_comes_after_it() -> None:
    memory = memoryview(bytearray(SIZE))
    EventRing(memory).add(1.0, SILENCED)
    reader = EventReader(memory)
    EventRing(memory).add(2.0, SILENCED)  # the writer that comes after a crash goes on
    assert reader.read() == [Event(2.0, SILENCED)]


def test_a_reader_that_was_away_for_too_long_knows_what_it_missed() -> None:
    writer, reader = ring()
    for number in range(3 * RECORDS):
        writer.add(float(number), NOTE)
    events = reader.read()
    assert [event.time for event in events] == [
        float(number) for number in range(2 * RECORDS + MARGIN, 3 * RECORDS)
    ]
    assert reader.missed == 2 * RECORDS + MARGIN
    writer.add(7.0, NOTE)
    assert reader.read() == [Event(7.0, NOTE)]


class Watched:
    """A session that somebody watches."""

    def __init__(self, *lines: str) -> None:
        self.ring, self.reader = ring()
        self.tap = EventTap(self.ring, BEGAN)
        self.session = Session(FoldingModel(), settings(*lines), seed=3)
        self.session.until(1.0)

    def see(self) -> list[Event]:
        """What is told now."""
        self.tap.update(self.session.player, self.session.now)
        return self.reader.read()


def kinds(events: list[Event]) -> set[int]:
    return {event.kind for event in events}


def test_whoever_begins_to_watch_is_told_how_all_stands() -> None:
    watched = Watched("steering.mode=duet")
    watched.tap.watch(watched.session.now, 3.0)
    told = watched.see()
    assert kinds(told) == {TURN, KNOB, KEY, TEMPO}
    knobs = {KNOBS[event.a].name: event.value for event in told if event.kind == KNOB}
    assert len(knobs) == len(KNOBS) and knobs["mode"] == 1.0 and knobs["temperature"] == 1.0
    assert [e.value for e in told if e.kind == TEMPO] == [120.0]
    assert watched.see() == [], "and of what does not change nothing more"
    watched.session.wait(60)
    watched.tap.watch(watched.session.now, 3.0)
    assert watched.see() == [], "who watches on is not told again"
    watched.tap.watch(watched.session.now, 0.0, restate=True)
    assert kinds(watched.see()) == {TURN, KNOB, KEY, TEMPO}


def test_nothing_is_written_once_nobody_watches() -> None:
    watched = Watched()
    watched.tap.watch(watched.session.now, 0.5)
    assert watched.see()
    watched.session.wait(600)
    assert watched.see() == [] and not watched.tap.on


def test_a_turned_knob_is_told() -> None:
    watched = Watched()
    watched.tap.watch(watched.session.now, 9.0)
    watched.see()
    watched.session.set("key", "D")
    watched.session.set("density", 0.5)
    watched.session.wait(60)
    told = [(KNOBS[e.a].name, e.value) for e in watched.see() if e.kind == KNOB]
    choices = next(knob.choices for knob in KNOBS if knob.name == "key")
    assert told == [("density", 0.5), ("key", float(choices.index("D")))]


def test_notes_pedals_and_silence_are_told() -> None:
    watched = Watched()
    tap = watched.tap
    tap.watch(0.0, 9.0)
    tap.received(0.5, note_on(60, 70, 2))
    tap.received(0.6, note_off(60, channel=2))
    tap.received(0.7, control(64, 127))
    tap.received(0.8, control(1, 127))
    tap.sent(0.9, note_on(67, 50))
    tap.sent(0.9, b"\xbf\x78\x00")
    assert watched.reader.read() == [
        Event(BEGAN + 0.5, NOTE, 1, 60, 70, 2.0),
        Event(BEGAN + 0.6, NOTE, 1, 60, 0, 2.0),
        Event(BEGAN + 0.7, PEDAL, 1, 1),
        Event(BEGAN + 0.9, NOTE, 2, 67, 50),
        Event(BEGAN + 0.9, SILENCED),
    ]


def test_the_plan_is_told_before_it_sounds_and_vanishes_when_it_is_interrupted() -> None:
    watched = Watched("turns.silence=0.5", "turns.reply_length=4")
    session = watched.session
    for pitch in (60, 62, 64, 65):
        session.tap(pitch, 100)
    end = session.now
    watched.tap.watch(session.now, 9.0)
    session.wait(300)
    told = watched.see()
    turn = next(event for event in told if event.kind == TURN)
    assert turn[2:4] == (0, 0) and abs(turn.value - BEGAN - end - 0.5) < 0.02
    planned = [event for event in told if event.kind == PLANNED and event.b]
    assert planned and all(event.time >= BEGAN + end + 0.48 for event in planned)
    begun = len(session.log)
    session.until(end + 0.7)
    sounded = [
        (time, message[1])
        for time, owner, message in session.log[begun:]
        if owner == 2 and message[0] & 0xF0 == 0x90 and message[2]
    ]
    expected = {(round(event.time - BEGAN, 2), event.a) for event in planned}
    assert sounded and {(round(time, 2), pitch) for time, pitch in sounded} <= expected
    watched.see()
    session.receive(note_on(72))
    assert REPLANNED in kinds(watched.see()), "interrupted: what was planned is void"


def test_looking_changes_nothing_of_the_music() -> None:
    """The same performance with and without somebody who looks is the same, note for note."""

    def played(looks: bool) -> list[object]:
        watched = Watched("turns.silence=0.3", "turns.reply_length=2", "sync.launch_quantize=auto")
        watched.tap.watch(0.0, 99.0)
        for pitch in (60, 64, 67, 60, 64, 67, 72, 67) * 2:
            watched.session.tap(pitch, 125)
            if looks:
                watched.see()
        for _ in range(60):
            watched.session.wait(30)
            if looks:
                watched.see()
        return [(round(t, 6), owner, bytes(m)) for t, owner, m in watched.session.log if owner]

    assert played(True) == played(False)
