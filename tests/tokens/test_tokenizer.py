"""Notes in, ids out, and back. The expected ids are written as "v20 on60 t50 off60"."""

from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from segued.tokens.events import MODEL_PART, Event, NoteOff, NoteOn, Pedal
from segued.tokens.tokenizer import Decoder, Encoder, decode, encode
from segued.tokens.vocabulary import NOTE_ON, PERFORMANCE, TIME_SHIFT

from ..support.fakes import Piano, Sound, sounds_of, tokens, words

HALF = 0.005 + 1e-9


def note(start: float, end: float, pitch: int, velocity: int = 80, part: int = 0) -> list[Event]:
    return [NoteOn(start, pitch, velocity, part), NoteOff(end, pitch, part)]


def in_time(*groups: Sequence[Event]) -> list[Event]:
    return sorted((event for group in groups for event in group), key=lambda event: event.time)


# --- events that Hypothesis makes up

PITCHES = st.sampled_from([0, 60, 61, 64, 67, 127])
PARTS = st.sampled_from([0, 0, 1, 2])
GAPS = st.one_of(
    st.sampled_from([0.0, 0.0, 0.001, 0.004, 0.01, 0.0123, 0.1, 0.99, 1.0, 1.01, 2.0, 5.5]),
    st.floats(0, 3),
)
ACTIONS = st.one_of(
    st.builds(lambda p, v, part: NoteOn(0, p, v, part), PITCHES, st.integers(1, 127), PARTS),
    st.builds(lambda p, part: NoteOff(0, p, part), PITCHES, PARTS),
    st.builds(lambda down, part: Pedal(0, down, part), st.booleans(), PARTS),
)


def at(event: Event, time: float) -> Event:
    if isinstance(event, NoteOn):
        return NoteOn(time, event.pitch, event.velocity, event.part)
    if isinstance(event, NoteOff):
        return NoteOff(time, event.pitch, event.part)
    return Pedal(time, event.down, event.part)


@st.composite
def performances(draw: st.DrawFn) -> list[Event]:
    """Any events in order of time, of several parts."""
    events, time = [], draw(st.floats(0, 100))
    for gap, action in draw(st.lists(st.tuples(GAPS, ACTIONS), max_size=25)):
        time += gap
        events.append(at(action, time))
    return events


@st.composite
def finished_performances(draw: st.DrawFn) -> list[Event]:
    """The same, with every key and pedal up at the end."""
    events = draw(performances())
    end = (events[-1].time if events else 0.0) + draw(GAPS)
    for part in (0, 1, 2):
        events.append(Pedal(end, False, part))
        events += [NoteOff(end, pitch, part) for pitch in (0, 60, 61, 64, 67, 127)]
    return events


IDS = st.lists(
    st.one_of(
        st.sampled_from(tokens("on60 on61 off60 off61 t1 t30 t100 v0 v20")), st.integers(0, 387)
    )
)


def shifted(sounds: list[Sound]) -> list[Sound]:
    """From the first note on, as the ids have it."""
    first = sounds[0].start if sounds else 0
    return [Sound(s.start - first, s.pitch, s.end - first, s.bin) for s in sounds]


# --- by hand: the rules, one after the other


def test_a_note() -> None:
    assert words(encode(note(0, 0.5, 60, 80))) == "v19 on60 t50 off60"


def test_the_journey_of_a_note_in_the_design() -> None:
    ids = encode([NoteOn(12.0956, 59, 64), NoteOn(12.3456, 60, 100)])
    assert words(ids) == "v15 on59 t25 v24 on60"
    assert ids[2:] == [256 + 24, 356 + 24, 60]


def test_silence_before_the_first_event_is_not_encoded() -> None:
    assert words(encode(note(1000.0, 1000.5, 60))) == "v19 on60 t50 off60"


def test_a_pedal_before_the_first_note_is_no_beginning() -> None:
    assert words(encode([Pedal(1.0, True), *note(9.0, 9.5, 60)])) == "v19 on60 t50 off60"


@pytest.mark.parametrize(
    ("gap", "shifts"),
    [
        (0.01, "t1"),
        (1.0, "t100"),
        (1.01, "t100 t1"),
        (2.0, "t100 t100"),
        (2.5, "t100 t100 t50"),
        (10.0, "t100 " * 10),
    ],
)
def test_long_gaps_are_split_the_largest_first(gap: float, shifts: str) -> None:
    assert words(encode(note(0, gap, 60))) == f"v19 on60 {shifts.strip()} off60"


def test_a_velocity_is_sent_only_when_its_bin_changes() -> None:
    events = in_time(note(0, 1, 60, 80), note(0.1, 1, 61, 77), note(0.2, 1, 62, 81))
    assert words(encode(events)) == "v19 on60 t10 on61 t10 v20 on62 t80 off60 off61 off62"


@pytest.mark.parametrize(("velocity", "bin"), [(1, 0), (4, 0), (5, 1), (124, 30), (127, 31)])
def test_velocity_bins(velocity: int, bin: int) -> None:
    assert words(encode(note(0, 0.1, 60, velocity))) == f"v{bin} on60 t10 off60"


def test_a_note_lasts_at_least_a_step() -> None:
    assert words(encode(note(1.0, 1.0, 60))) == "v19 on60 t1 off60"
    assert words(encode(note(1.0, 1.004, 60))) == "v19 on60 t1 off60"


def test_times_are_quantized_before_they_are_subtracted() -> None:
    """Five notes 14 ms apart: 1.4 steps each, and no rounding adds up."""
    events: list[Event] = [e for i in range(5) for e in note(0.014 * i, 0.014 * i + 0.014, 60 + i)]
    assert words(encode(events)) == (
        "v19 on60 t1 off60 on61 t2 off61 on62 t1 off62 on63 t2 off63 on64 t1 off64"
    )


def test_within_a_step_note_offs_come_first() -> None:
    events: list[Event] = [
        NoteOn(0, 60, 80),
        NoteOn(1.0, 64, 80),
        NoteOff(1.001, 60),
        NoteOff(2, 64),
    ]
    assert words(encode(events)) == "v19 on60 t100 off60 on64 t100 off64"


def test_note_ons_keep_their_order_ties_go_by_pitch() -> None:
    events: list[Event] = [NoteOn(0.001, 67, 80), NoteOn(0.002, 64, 80), NoteOn(0.002, 60, 80)]
    assert words(encode(events)) == "v19 on67 on60 on64"


def test_note_offs_stand_in_the_order_in_which_their_notes_began() -> None:
    ons = [NoteOn(0, 67, 80), NoteOn(0.5, 64, 80), NoteOn(0.5, 60, 80)]
    offs = [NoteOff(1, 60), NoteOff(1, 64), NoteOff(1, 67)]
    assert words(encode([*ons, *offs])) == "v19 on67 t50 on60 on64 t50 off67 off60 off64"


def test_a_key_struck_again_ends_its_note() -> None:
    events: list[Event] = [
        NoteOn(0, 60, 80),
        NoteOn(0.5, 60, 80),
        NoteOff(0.8, 60),
        NoteOff(0.9, 60),
    ]
    assert words(encode(events)) == "v19 on60 t50 off60 on60 t30 off60"


def test_a_key_struck_twice_in_a_step_is_one_note_the_later() -> None:
    events: list[Event] = [NoteOn(0, 60, 20), NoteOn(0.001, 60, 80), NoteOff(0.5, 60)]
    assert words(encode(events)) == "v19 on60 t50 off60"
    events.insert(1, NoteOff(0.0005, 60))
    assert words(encode(events)) == "v19 on60 t50 off60"


def test_a_note_off_without_its_note_is_nothing() -> None:
    assert encode([NoteOff(0, 60), NoteOff(1, 61)]) == []
    assert words(encode([*note(0, 1, 60), NoteOff(2, 60)])) == "v19 on60 t100 off60"


def test_another_part_does_not_end_a_note() -> None:
    events: list[Event] = [NoteOn(0, 60, 80, 0), NoteOff(0.5, 60, 1), NoteOff(1, 60, 0)]
    assert words(encode(events)) == "v19 on60 t100 off60"


def test_another_part_strikes_the_same_string() -> None:
    events: list[Event] = [
        NoteOn(0, 60, 80, 0),
        NoteOn(0.5, 60, 80, 1),
        NoteOff(1, 60, 0),
        NoteOff(2, 60, 1),
    ]
    assert words(encode(events)) == "v19 on60 t50 off60 on60 t100 t50 off60"


# --- by hand: the pedal


def test_the_pedal_lengthens_a_note_until_it_lifts() -> None:
    events: list[Event] = [Pedal(0, True), *note(0, 0.5, 60), Pedal(1, False)]
    assert words(encode(events)) == "v19 on60 t100 off60"


def test_the_pedal_may_go_down_while_the_key_is_held() -> None:
    events: list[Event] = [NoteOn(0, 60, 80), Pedal(0.2, True), NoteOff(0.5, 60), Pedal(1, False)]
    assert words(encode(events)) == "v19 on60 t100 off60"


def test_a_held_key_outlasts_the_pedal() -> None:
    events: list[Event] = [Pedal(0, True), NoteOn(0, 60, 80), Pedal(0.5, False), NoteOff(1, 60)]
    assert words(encode(events)) == "v19 on60 t100 off60"


def test_a_note_on_the_pedal_ends_when_its_key_is_struck_again() -> None:
    events: list[Event] = [Pedal(0, True), *note(0, 0.2, 60), *note(0.5, 0.7, 60), Pedal(1, False)]
    assert words(encode(events)) == "v19 on60 t50 off60 on60 t50 off60"


def test_a_pedal_acts_in_its_own_part_only() -> None:
    events: list[Event] = [Pedal(0, True, 1), *note(0, 0.5, 60, part=0), Pedal(1, False, 1)]
    assert words(encode(events)) == "v19 on60 t50 off60"


def test_a_pedal_lifts_the_notes_of_its_own_part_only() -> None:
    one, other = note(0, 0.2, 60, part=0), note(0, 0.2, 64, part=1)
    pedals = [Pedal(0, True, 0), Pedal(0, True, 1), Pedal(1, False, 0), Pedal(2, False, 1)]
    assert words(encode(in_time(pedals[:2], one, other, pedals[2:]))) == (
        "v19 on60 on64 t100 off60 t100 off64"
    )


def test_a_repeated_pedal_is_one() -> None:
    events: list[Event] = [Pedal(0, True), Pedal(0.1, True), *note(0.2, 0.5, 60), Pedal(1, False)]
    assert words(encode([*events, Pedal(2, False)])) == "v19 on60 t80 off60"


def test_what_the_pedal_holds_at_the_end_ends_with_the_last_event() -> None:
    events: list[Event] = [Pedal(0, True), *note(0, 0.5, 60), *note(0.6, 1.0, 64)]
    assert words(encode(events)) == "v19 on60 t60 on64 t40 off60 off64"


# --- by hand: streaming


def test_a_step_is_held_until_it_is_over() -> None:
    encoder = Encoder()
    assert encoder.feed(NoteOn(1.0, 60, 80)) == []
    assert encoder.advance(1.004) == []
    assert encoder.holds
    assert words(encoder.advance(1.006)) == "v19 on60"
    assert not encoder.holds
    assert encoder.sounding == [60]


def test_silence_is_told_in_whole_longest_shifts() -> None:
    encoder = Encoder()
    encoder.feed(NoteOn(0, 60, 80))
    encoder.advance(0.01)
    assert encoder.advance(0.99) == []
    assert words(encoder.advance(1.0)) == "t100"
    assert words(encoder.advance(3.5)) == "t100 t100"
    encoder.feed(NoteOff(3.5, 60))
    assert words(encoder.flush()) == "t50 off60"


def test_before_anything_is_heard_silence_is_nothing() -> None:
    encoder = Encoder()
    assert encoder.advance(1e6) == []
    assert encoder.written is None


def test_silence_ends_all_keys_and_pedals() -> None:
    encoder = Encoder()
    events: list[Event] = [Pedal(0, True), *note(0, 0.1, 60), NoteOn(0.1, 64, 80, 1)]
    ids = [id for event in events for id in encoder.feed(event)]
    ids += encoder.silence(0.5)
    assert encoder.sounding == []
    ids += [id for event in note(0.6, 0.7, 67) for id in encoder.feed(event)]
    assert words(ids + encoder.flush()) == "v19 on60 t10 on64 t40 off60 off64 t10 on67 t10 off67"


def test_sounding_of_a_part() -> None:
    encoder = Encoder()
    for event in [NoteOn(0, 60, 80, 0), NoteOn(0, 64, 80, 1), NoteOn(1, 61, 80, 0)]:
        encoder.feed(event)
    assert encoder.sounding == [60, 64, 61]
    assert encoder.sounding_of(0) == [60, 61]
    assert encoder.sounding_of(2) == []


@pytest.mark.parametrize("gap", [0, 1, 99, 100, 101, 200, 250])
def test_shifts_to_a_step_change_nothing(gap: int) -> None:
    encoder = Encoder()
    encoder.feed(NoteOn(5.0, 60, 80))
    encoder.advance(5.01)
    ids = encoder.shifts_to(500 + gap)
    assert sum(PERFORMANCE.token(id)[1] for id in ids) == gap
    assert encoder.shifts_to(500 + gap) == ids
    assert encoder.written == 500
    assert encoder.shifts_to(400) == []


def test_a_note_adopted_and_cut_within_its_step_lasts_a_step() -> None:
    encoder = Encoder()
    encoder.feed(NoteOn(0, 48, 80))
    encoder.advance(0.01)
    for id in tokens("t50 on60"):
        encoder.follow(id)
    encoder.feed(NoteOff(0.502, 60, MODEL_PART))
    assert words(encoder.advance(0.6)) == "t1 off60"


def test_an_adopted_note_struck_again_within_its_step_leaves_no_note_off_behind() -> None:
    encoder = Encoder()
    encoder.feed(NoteOn(0, 48, 80))
    encoder.advance(0.01)
    for id in tokens("t50 on60"):
        encoder.follow(id)
    encoder.feed(NoteOff(0.502, 60, MODEL_PART))
    encoder.feed(NoteOn(0.502, 60, 80))
    assert words(encoder.feed(NoteOff(1.0, 60)) + encoder.flush()) == "on60 t50 off60"


def test_an_adopted_note_begins_where_time_is_written_not_where_nothing_was_heard() -> None:
    encoder = Encoder()
    encoder.feed(NoteOn(0, 48, 80))
    encoder.advance(0.01)
    encoder.feed(Pedal(0.7, True))  # nothing happens, but the clock was looked at
    encoder.follow(tokens("on60")[0])
    encoder.feed(NoteOff(0.7, 60, MODEL_PART))
    assert words(encoder.advance(0.8)) == "t70 off60"


def test_following_keeps_the_order_in_which_notes_began() -> None:
    encoder = Encoder()
    for id in tokens("v9 on60 on61 t5 off60 on60 t5 on61"):
        encoder.follow(id)
    assert encoder.sounding == [60, 61]


# --- by hand: decoding


def test_decoding_a_phrase() -> None:
    assert decode(tokens("v19 on60 t50 off60 on64 t25 off64")) == [
        NoteOn(0, 60, 79),
        NoteOff(0.5, 60),
        NoteOn(0.5, 64, 79),
        NoteOff(0.75, 64),
    ]


def test_decoding_ends_what_sounds() -> None:
    assert decode(tokens("on60 t50")) == [NoteOn(0, 60, 63), NoteOff(0.5, 60)]


def test_decoding_a_note_struck_again() -> None:
    assert decode(tokens("on60 t50 on60 t50 off60")) == [
        NoteOn(0, 60, 63),
        NoteOff(0.5, 60),
        NoteOn(0.5, 60, 63),
        NoteOff(1.0, 60),
    ]


def test_decoding_a_note_off_without_its_note() -> None:
    assert decode(tokens("off60 t50 off61")) == []


def test_a_decoder_resumes_where_another_stopped() -> None:
    decoder = Decoder(step=500, bin=31)
    decoder.resume({60: 480})
    assert decoder.feed(tokens("off60")[0], 7) == [NoteOff(5.0, 60, 7)]
    assert decoder.feed(tokens("on61")[0], 7) == [NoteOn(5.0, 61, 127, 7)]
    assert decoder.sounding == [61]


def test_a_decoder_knows_what_has_sounded_for_long() -> None:
    decoder = Decoder(step=500)
    decoder.resume({60: 500})
    for id in tokens("t50 on61 t50"):
        decoder.feed(id)
    assert decoder.longer_than(101) == []
    assert decoder.longer_than(100) == [60]
    assert decoder.longer_than(51) == [60]
    assert decoder.longer_than(50) == [60, 61]


def test_a_decoder_counts_from_where_a_note_began_before_it() -> None:
    decoder = Decoder(step=500)
    decoder.resume({60: 100, 61: 480})
    assert decoder.longer_than(400) == [60]
    assert decoder.longer_than(20) == [60, 61]


# --- always


@given(finished_performances())
@example([Pedal(0, True), *note(0, 0, 60), NoteOn(0.001, 60, 9), Pedal(0.002, False)])
def test_the_ids_are_what_sounded(events: list[Event]) -> None:
    """Against an oracle that works out the notes and the pedal the plain way."""
    assert shifted(sounds_of(decode(encode(events)))) == shifted(sounds_of(events))


@given(performances())
def test_a_performance_may_end_anywhere(events: list[Event]) -> None:
    """Keys that are still down when it ends are notes too, and get their end from the decoder."""
    ids = encode(events)
    piano = Piano()
    for event in events:
        piano.play(event)
    begun = [(sound.pitch, sound.bin) for sound in sounds_of(events)]
    assert sorted((s.pitch, s.bin) for s in sounds_of(decode(ids))) == sorted(begun)


@given(performances(), st.lists(st.floats(0, 1), max_size=60))
def test_the_clock_may_be_looked_at_at_any_moment(events: list[Event], looks: list[float]) -> None:
    if events:  # else a silence at the end would be told
        events = [*events, NoteOn(events[-1].time, 30, 80)]
    encoder, ids = Encoder(), []
    last = events[0].time if events else 0.0
    for event in events:
        between = [looks.pop() for _ in range(min(3, len(looks)))]
        for share in sorted(between):
            ids += encoder.advance(last + share * (event.time - last))
        ids += encoder.feed(event)
        last = event.time
    assert ids + encoder.flush() == encode(events)


@given(performances())
def test_ids_come_at_once_or_one_event_at_a_time(events: list[Event]) -> None:
    """What `feed` and `advance` have returned is always a beginning of the whole."""
    encoder, ids, whole = Encoder(), [], encode(events)
    for event in events:
        ids += encoder.advance(event.time) + encoder.feed(event)
        silence = words(ids[len(whole) :]).split()  # after the last thing that happened
        assert whole[: len(ids)] == ids[: len(whole)]
        assert set(silence) <= {"t100"}


@given(performances())
def test_the_order_within_a_step_is_canonical(events: list[Event]) -> None:
    """Note-offs, then note-ons; a velocity stands before a note-on and differs from the last; a
    shift below the longest is followed by something that happens."""
    line = [*words(encode(events)).split(), "end"]
    bin = None
    for word, following in pairwise(line):
        if word.startswith("on"):
            assert not following.startswith("off")
        elif word.startswith("v"):
            assert following.startswith("on")
            assert word != bin
            bin = word
        elif word.startswith("t") and word != "t100":
            assert following.startswith(("on", "off", "v"))


@given(IDS)
def test_any_ids_are_sound_music(ids: list[int]) -> None:
    """Every note-on gets its note-off, no pitch overlaps itself, time never goes back."""
    held: dict[int, float] = {}
    last = 0.0
    for event in decode(ids):
        assert event.time >= last
        last = event.time
        if isinstance(event, NoteOn):
            assert event.pitch not in held
            assert 1 <= event.velocity <= 127
            held[event.pitch] = event.time
        else:
            assert isinstance(event, NoteOff)
            del held[event.pitch]
    assert not held


@given(IDS)
def test_encoding_what_was_decoded_is_canonical(ids: list[int]) -> None:
    canonical = encode(decode(ids))
    assert encode(decode(canonical)) == canonical


@given(finished_performances())
def test_encoding_twice_changes_no_sound(events: list[Event]) -> None:
    once = encode(events)
    assert sounds_of(decode(encode(decode(once)))) == sounds_of(decode(once))


@given(st.lists(st.tuples(st.floats(0, 900), st.floats(0.02, 900)), max_size=12))
def test_quantization_never_adds_up(gaps: list[tuple[float, float]]) -> None:
    """Over hours, every event is within half a step of where it was (a leading silence apart)."""
    events: list[Event] = []
    time = 0.0
    for i, (gap, length) in enumerate(gaps):
        events += note(time + gap, time + gap + length, 40 + i)
        time += gap + length
    decoded = decode(encode(events))
    assert len(decoded) == len(events)
    start = PERFORMANCE.step_of(events[0].time) / 100 if events else 0.0
    key = lambda event: (event.pitch, event.time)  # noqa: E731
    for event, original in zip(sorted(decoded, key=key), sorted(events, key=key), strict=True):
        assert abs(start + event.time - original.time) <= HALF


@given(performances())
def test_time_never_goes_back(events: list[Event]) -> None:
    encoder, written = Encoder(), 0
    for event in events:
        encoder.feed(event)
        encoder.advance(event.time)
        assert (encoder.written or 0) >= written
        written = encoder.written or 0
        assert written <= PERFORMANCE.step_of(event.time)


@given(performances(), finished_performances())
def test_following_is_as_good_as_having_encoded(own: list[Event], rest: list[Event]) -> None:
    """One encoder hears the model's notes, another follows their ids; then both hear a performer,
    and give the same ids."""
    start = NoteOn(0.0, 30, 80)
    begun = own[0].time if own else 0.0
    own = [at(event, 1.0 + event.time - begun) for event in own if not isinstance(event, Pedal)]
    own = [on_a_step(event) for event in own]
    hearing, following = Encoder(), Encoder()
    for encoder in (hearing, following):
        encoder.feed(start)
        encoder.advance(0.5)
    ids = [id for event in own for id in hearing.feed(event)]
    end = (own[-1].time if own else 1.0) + 0.02
    ids += hearing.advance(end)
    for id in ids:
        following.follow(id)
    assert following.written == hearing.written
    assert following.velocity_bin == hearing.velocity_bin
    assert sorted(following.sounding) == sorted(hearing.sounding)
    assert sorted(following.sounding_of(MODEL_PART)) == sorted(hearing.sounding_of(MODEL_PART))
    begun = rest[0].time
    rest = [at(event, end + event.time - begun) for event in rest]
    rest += [NoteOff(rest[-1].time + 1, pitch, MODEL_PART) for pitch in following.sounding]
    tails = [[id for event in rest for id in e.feed(event)] for e in (hearing, following)]
    assert tails[0] == tails[1]
    assert hearing.flush() == following.flush()


def on_a_step(event: Event) -> Event:
    """The model's part and velocity; its times are whole steps."""
    time = PERFORMANCE.time_of(PERFORMANCE.step_of(event.time))
    if isinstance(event, NoteOn):
        velocity = PERFORMANCE.velocity_of(PERFORMANCE.bin_of(event.velocity))
        return NoteOn(time, event.pitch, velocity, MODEL_PART)
    assert isinstance(event, NoteOff)
    return NoteOff(time, event.pitch, MODEL_PART)


@given(st.integers(0, 31), st.integers(1, 100), st.integers(0, 127))
def test_every_token_means_itself(bin: int, shift: int, pitch: int) -> None:
    ids = tokens(f"v{bin} on{pitch} t{shift} off{pitch}")
    assert encode(decode(ids)) == ids
    assert [PERFORMANCE.token(id)[0] for id in ids][1:3] == [NOTE_ON, TIME_SHIFT]
