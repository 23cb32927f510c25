"""Scales as sets of pitch classes, and the key of what is played."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from segued.control.knobs import BY_NAME, NOTE_NAMES, SCALES
from segued.generation.scales import ENOUGH, KeyFollower, pitch_classes
from segued.tokens.events import NoteOn


def follow(*pitches: int) -> KeyFollower:
    follower = KeyFollower()
    for pitch in pitches:
        follower.hear(NoteOn(0.0, pitch, 80))
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
    assert not any(follower.hear(NoteOn(0, pitch, 80)) for pitch in (61, 66, 63))
    assert follower.tonic == 0
    for _ in range(3):
        for pitch in c_major:
            follower.hear(NoteOn(0, pitch + 6, 80))
    assert (follower.tonic, follower.minor) == (6, False)


@given(st.lists(st.builds(NoteOn, st.just(0.0), st.integers(0, 127), st.integers(1, 127))))
def test_whatever_is_played_the_key_changes_only_when_it_says_so(notes: list[NoteOn]) -> None:
    follower = KeyFollower()
    for note in notes:
        before = (follower.tonic, follower.minor)
        changed = follower.hear(note)
        assert changed == (before != (follower.tonic, follower.minor))
        assert follower.tonic is None or 0 <= follower.tonic < 12
