"""Scales as sets of pitch classes, and the key of what is played."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from segued.control.knobs import BY_NAME, NOTE_NAMES, SCALES
from segued.generation.scales import ENOUGH, KeyFollower, pitch_classes
from segued.tokens.events import NoteOn


def follow(*pitches: int) -> KeyFollower:
    follower = KeyFollower()
    for number, pitch in enumerate(pitches):
        follower.hear(NoteOn(0.3 * number, pitch, 80))
    return follower


def test_every_scale_of_the_knob_is_known() -> None:
    assert set(BY_NAME["scale"].choices) == set(SCALES)
    assert all(
        degrees[0] == 0 and list(degrees) == sorted(set(degrees)) for degrees in SCALES.values()
    )


def test_scales_stand_on_their_tonic() -> None:
    names = [NOTE_NAMES[pitch] for pitch in sorted(pitch_classes(7, "major"))]
    assert names == ["C", "D", "E", "F#", "G", "A", "B"]
    assert pitch_classes(9, "minor") == pitch_classes(0, "major") == pitch_classes(2, "dorian")


@pytest.mark.parametrize("tonic", range(12))
def test_a_scale_played_from_tonic_to_tonic_is_its_key(tonic: int) -> None:
    major = [60 + tonic + degree for degree in (0, 2, 4, 5, 7, 9, 11, 12, 7, 4, 0)]
    minor = [60 + tonic + degree for degree in (0, 2, 3, 5, 7, 8, 11, 12, 7, 3, 0)]
    assert (follow(*major).tonic, follow(*major).minor) == (tonic, False)
    assert (follow(*minor).tonic, follow(*minor).minor) == (tonic, True)


def test_a_few_notes_have_no_key() -> None:
    assert follow(*[60] * (ENOUGH - 1)).tonic is None


def test_a_passing_note_does_not_change_the_key_and_another_key_does() -> None:
    c_major = [60, 64, 67, 72, 65, 69, 72, 67, 71, 74, 72, 67, 64, 60]
    follower = follow(*c_major)
    passing = [NoteOn(9 + 0.3 * i, pitch, 80) for i, pitch in enumerate((61, 66, 63))]
    assert not any(follower.hear(note) for note in passing)
    assert follower.tonic == 0
    for number, pitch in enumerate(3 * c_major):
        follower.hear(NoteOn(10 + 0.3 * number, pitch + 6, 80))
    assert (follower.tonic, follower.minor) == (6, False)


def test_the_bass_tells_a_key_from_its_dominant() -> None:
    """The same chords, with the roots of C or of G below."""
    chords = [(72, 76, 79), (71, 74, 79), (72, 76, 79), (69, 74, 77)] * 2
    roots = [48, 43, 48, 41] * 2
    notes = [[root, *chord] for root, chord in zip(roots, chords, strict=True)]
    follower = KeyFollower()
    for number, chord in enumerate(notes):
        for i, pitch in enumerate(reversed(chord)):  # the bass comes last
            follower.hear(NoteOn(0.6 * number + 0.01 * i, pitch, 80))
    assert (follower.tonic, follower.minor) == (0, False)
    assert follower.heard[1].argmax() == 0
    assert follower.heard[2].tolist() == pytest.approx([0.5 ** (28 / 192)] + 11 * [0.0], rel=0.05)


@given(st.lists(st.tuples(st.floats(0, 2), st.integers(24, 100)), min_size=1, max_size=60),
       st.integers(-12, 12))  # fmt: skip
def test_a_key_moves_with_the_music(played: list[tuple[float, int]], by: int) -> None:
    here, there, time = KeyFollower(), KeyFollower(), 0.0
    for gap, pitch in played:
        time += gap
        assert here.hear(NoteOn(time, pitch, 80)) == there.hear(NoteOn(time, pitch + by, 80))
    if here.tonic is not None:
        assert (there.tonic, there.minor) == ((here.tonic + by) % 12, here.minor)
        assert 0.0 < here.certainty <= 1.0
        assert there.certainty == pytest.approx(here.certainty)


@given(st.lists(st.builds(NoteOn, st.just(0.0), st.integers(0, 127), st.integers(1, 127))))
def test_whatever_is_played_the_key_changes_only_when_it_says_so(notes: list[NoteOn]) -> None:
    follower = KeyFollower()
    for note in notes:
        before = (follower.tonic, follower.minor)
        changed = follower.hear(note)
        assert changed == (before != (follower.tonic, follower.minor))
        assert follower.tonic is None or 0 <= follower.tonic < 12
