"""The examples that a musician can open show what they say, as they lie there and made anew."""

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from segued.generation.scales import pitch_classes
from segued.midi.files import read_tracks
from segued.midi.notes import Note, notes_of
from segued.model.loading import load_model
from segued.settings.yaml_file import load_settings

from ..tools.make_examples import EXAMPLES, FOLDER, Example, make

BY_NAME = {example.name: example for example in EXAMPLES}
ANEW = ("hand", "bars", "gate", "grid")  # those that are short
MS = 0.0015  # seconds: files hold whole milliseconds

Notes = Sequence[Note]


def starts(notes: Notes, begin: float = 0.0, end: float = 1e9) -> list[float]:
    return [note.start for note in notes if begin <= note.start < end]


def most_at_once(notes: Notes, begin: float = 0.0, end: float = 1e9) -> int:
    """Of the notes that begin in a span of time."""
    own = [note for note in notes if begin <= note.start < end]
    return max(
        sum(other.start <= note.start and other.end > note.start + MS for other in notes)
        for note in own
    )


def comes_in(notes: Notes, least: float, most: float, after: float, until: float) -> bool:
    """Whether its first note after a time comes within so many seconds."""
    first = min(starts(notes, after - MS, until))
    return after + least - MS <= first <= after + most + MS


SOON, LATE = 0.5, 1.6  # seconds of silence between which the minuet is answered, on a beat


def continues(you: Notes, it: Notes) -> bool:
    end = max(note.end for note in you)
    return not starts(it, 0, end) and comes_in(it, SOON, LATE, end, 1e9)


def interrupted(you: Notes, it: Notes) -> bool:
    again = min(starts(you, 13))
    last = max(note.end for note in you)
    silent = all(note.end <= again + MS or note.start > last for note in it)
    return silent and bool(starts(it, 0, again)) and comes_in(it, SOON, LATE, last, 1e9)


def expects(you: Notes, it: Notes) -> bool:
    turns = [max(n.end for n in you if n.start < 20), max(n.end for n in you)]
    return all(comes_in(it, 0.15, 3.0, end, end + 9) for end in turns)


def trades(you: Notes, it: Notes) -> bool:
    inside = starts(it, 8 - MS, 16) + starts(it, 24 - MS, 32)
    silent = all(not note.start < 16 < note.end - MS for note in it)
    return len(inside) == len(starts(it)) and min(inside) < 8.1 and silent


def handed(you: Notes, it: Notes) -> bool:
    return len(starts(it, 5, 12)) == len(it) > 5 and max(n.end for n in it) <= 12 + MS


def plays_along(you: Notes, it: Notes) -> bool:
    last = max(starts(you))
    return len(starts(it, 0, last)) > 10 and max(starts(it)) < last + 4 and not doubled(you, it)


def doubled(you: Notes, it: Notes) -> bool:
    return any(
        own.pitch == other.pitch and other.start < own.start < other.end - MS
        for own in it
        for other in you
    )


def alone(you: Notes, it: Notes) -> bool:
    spans = ((0, 12), (12, 17), (17, 36))
    return all(len(starts(it, *span)) > 5 for span in spans) and not doubled(you, it)


def modes(you: Notes, it: Notes) -> bool:
    return bool(
        starts(it, 12, 20) and starts(it, 21, 32) and starts(it, 40, 50) and not starts(it, 50 + MS)
    )


def in_key(you: Notes, it: Notes) -> bool:
    first, then = pitch_classes(2, "minor pentatonic"), pitch_classes(4, "major")
    return all(note.pitch % 12 in (first if note.start < 20 else then) for note in it)


def follows(you: Notes, it: Notes) -> bool:
    """G major and C major, and no more than those."""
    first = {note.pitch % 12 for note in it if note.start < 24}
    then = {note.pitch % 12 for note in it if note.start > 38}
    return first <= pitch_classes(7, "major") and then <= pitch_classes(0, "major")


def voices(you: Notes, it: Notes) -> bool:
    return most_at_once(it, 0, 24) == 1 and most_at_once(it, 24) <= 2


def shut(you: Notes, it: Notes) -> bool:
    again = min(starts(you, 20))
    return not starts(it, 15, again) and bool(starts(it, 0, 15)) and bool(starts(it, again))


def looped(you: Notes, it: Notes) -> bool:
    """What was played up to 18 s comes again at once, and again."""
    begin = min(starts(it))
    length = 18 - begin
    for again in (18.0, 18.0 + length):
        theirs = {n.pitch for n in you if n.start < again + length and n.end > again}
        was, comes = (
            sorted(
                note.pitch
                for note in it
                if -MS - 0.005 <= note.start - from_ < length - 0.02  # a loop lasts whole steps
                and note.pitch not in theirs
            )
            for from_ in (begin, again)
        )
        if was != comes:
            return False
    return not any(n.start < 34 < n.end - MS for n in it)


def gridded(you: Notes, it: Notes) -> bool:
    return starts(it)[0] == 6.0 and all(on_line(start, 0.125) for start in starts(it))


def follows_tempo(you: Notes, it: Notes) -> bool:
    before, after = starts(it, 0, 12), starts(it, 15)
    on_time = all(on_line(start, 0.125) for start in before)
    return on_time and all(on_line(start - 12, 1 / 6, 0.02) for start in after) and len(after) > 8


def on_line(time: float, size: float, near: float = MS) -> bool:
    return abs(time - round(time / size) * size) <= near


def stops(you: Notes, it: Notes) -> bool:
    ended = all(note.end <= 10 + MS for note in it if note.start < 10)
    return ended and bool(starts(it, 0, 10)) and not starts(it, 10, 20) and bool(starts(it, 20))


def plays(you: Notes, it: Notes) -> bool:
    return len(it) > 20


def quotes(you: Notes, it: Notes) -> bool:
    tune = [note.pitch for note in you if 5.15 <= note.start < 11.5]
    return [note.pitch for note in it[:8]] == tune[:8]


def on_the_beat(you: Notes, it: Notes) -> bool:
    """Crotchets of half a second, from 0 on."""
    return continues(you, it) and on_line(starts(it)[0], 0.5, 0.03)


def keeps_to_new_tempo(you: Notes, it: Notes) -> bool:
    near = [on_line(start, 0.15, 0.035) for start in starts(it)]
    return continues(you, it) and sum(near) >= 0.8 * len(near)


def answers_each(you: Notes, it: Notes) -> bool:
    ends = [note.end for note in you]
    nexts = [*starts(you)[1:], 1e9]
    answered = [starts(it, end, again) for end, again in zip(ends, nexts, strict=True)]
    over = all(note.end <= again + MS or note.start > again for note in it for again in nexts)
    return all(answered) and over


def past_the_drums(you: Notes, it: Notes) -> bool:
    tune = [note for note in you if note.pitch not in (36, 38)]
    beating = max(note.end for note in you) > max(note.end for note in tune) + 5
    return beating and continues(tune, it) and not {36, 38} & {note.pitch for note in it}


def answers_a_cluster(you: Notes, it: Notes) -> bool:
    """With no more keys at once than `steering.polyphony` allows."""
    return continues(you, it) and most_at_once(it) <= load_settings(None, ()).steering.polyphony


def past_a_lost_key(you: Notes, it: Notes) -> bool:
    stuck = max(starts(you))
    return comes_in(it, 4.0, 4.0 + LATE, stuck, 1e9) and not starts(it, 0, stuck)


SHOWN: dict[str, Callable[[Notes, Notes], bool]] = {
    "continue": continues,
    "waits": continues,
    "interrupted": interrupted,
    "quoting": quotes,
    "expectation": expects,
    "bars": trades,
    "hand": handed,
    "duet": plays_along,
    "solo": alone,
    "modes": modes,
    "key": in_key,
    "follow": follows,
    "density": plays,
    "register": plays,
    "dynamics": plays,
    "polyphony": voices,
    "gate": shut,
    "hold": looped,
    "grid": gridded,
    "tempo": follows_tempo,
    "stop": stops,
    "off-beat": on_the_beat,
    "double": keeps_to_new_tempo,
    "sparse": answers_each,
    "drums": past_the_drums,
    "forearm": answers_a_cluster,
    "lost-note-off": past_a_lost_key,
    "other-clock": on_the_beat,
    "forget": plays,
}


def parts(path: Path) -> tuple[Notes, Notes]:
    tracks = [messages for _, messages in read_tracks(path) if messages]
    return notes_of(tracks[0]), notes_of(tracks[1])


def test_each_example_is_there_and_looked_at() -> None:
    assert set(BY_NAME) == set(SHOWN) <= {path.stem for path in FOLDER.glob("*.mid")}


@pytest.mark.parametrize("name", BY_NAME)
def test_it_shows_what_it_says(name: str) -> None:
    you, it = parts(FOLDER / f"{name}.mid")
    assert SHOWN[name](you, it)


@pytest.mark.parametrize("name", BY_NAME)
def test_every_note_ends_and_what_was_played_is_the_script(name: str) -> None:
    example: Example = BY_NAME[name]
    performer, model = [messages for _, messages in read_tracks(FOLDER / f"{name}.mid") if messages]
    script = [message for _, message in example.performance if message[0] < 0xF0]
    assert [message for _, message in performer] == script
    sounding: set[int] = set()
    for _, message in model:
        if message[0] & 0xF0 == 0x90:
            assert message[1] not in sounding
            sounding.add(message[1])
        elif message[0] & 0xF0 == 0x80:
            sounding.discard(message[1])
    assert not sounding


@pytest.mark.slow
@pytest.mark.parametrize("name", ANEW)
def test_made_anew_it_shows_the_same(name: str, tmp_path: Path) -> None:
    """With the model that is shipped now, whatever notes it chooses."""
    make(load_model(load_settings(None, ())), BY_NAME[name], tmp_path)
    assert SHOWN[name](*parts(tmp_path / f"{name}.mid"))
