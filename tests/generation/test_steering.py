"""From knobs and what is heard to how it plays."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from segued.control.knobs import BY_NAME, IN_SAMPLING, KNOBS, Knob, Knobs
from segued.generation.scales import ALL, pitch_classes
from segued.generation.steering import HARD, SHAPING, Steering
from segued.settings.config import Config
from segued.tokens.events import NoteOff, NoteOn

from ..support.fakes import settings

G_MINOR = (67, 69, 70, 72, 74, 75, 78, 79, 74, 70, 67)


def steered_by(config: Config, knobs: Knobs, seed: int) -> Steering:
    return Steering(config.sampling, config.turns.lookahead, config.sync, knobs, seed)


def steering(**values: object) -> Steering:
    return steered_by(Config(), Knobs(values), seed=1)


def play(steering: Steering, *pitches: int) -> list[bool]:
    return [steering.hear(NoteOn(0.0, pitch, 80)) for pitch in pitches]


def test_as_set_at_the_start() -> None:
    config = settings("sampling.temperature=0.5", "steering.register=-7", "steering.key=off")
    playing = steered_by(config, Knobs(config.knobs()), seed=3).playing
    assert (playing.temperature, playing.register, playing.seed) == (0.5, -7, 3)
    assert playing.pitch_classes == ALL
    assert (playing.lowest_pitch, playing.highest_pitch) == (21, 108)


@given(st.sampled_from([BY_NAME[name] for name in SHAPING]), st.floats(0, 1))
def test_every_knob_that_shapes_is_in_how_it_plays(knob: Knob, share: float) -> None:
    knobs = Knobs({"key": "C"})
    turned = steered_by(Config(), knobs, seed=1)
    value = knob.at(share)
    knobs.set(knob.name, value)
    playing = turned.playing
    if knob.name in ("key", "scale"):
        assert playing.pitch_classes == turned.pitch_classes
    else:
        assert getattr(playing, knob.name) == value


def test_a_key_that_is_set_is_not_that_of_the_performer() -> None:
    fixed = steering(key="E", scale="blues")
    assert not any(play(fixed, *G_MINOR))
    assert fixed.pitch_classes == pitch_classes(4, "blues")
    assert fixed.tonic == 4


def test_a_followed_key_is_free_until_it_is_heard() -> None:
    following = steering(key="follow")
    assert following.pitch_classes == ALL
    assert any(play(following, *G_MINOR))
    assert following.tonic == 7
    assert following.pitch_classes == pitch_classes(7, "minor")
    assert not following.hear(NoteOff(1.0, 67))
    following.forget()
    assert following.pitch_classes == ALL


def test_another_scale_stands_on_the_tonic_that_was_heard() -> None:
    following = steering(key="follow", scale="dorian")
    play(following, *G_MINOR)
    assert following.pitch_classes == pitch_classes(7, "dorian")


def test_without_a_lock_the_key_is_heard_all_the_same() -> None:
    """Turn-taking asks for it."""
    free = steering()
    assert not any(play(free, *G_MINOR))
    assert (free.tonic, free.pitch_classes) == (7, ALL)


def test_promises_are_among_what_shapes() -> None:
    assert set(HARD) < set(SHAPING) <= set(BY_NAME)


def test_knobs_start_at_their_defaults_and_are_checked() -> None:
    knobs = Knobs()
    assert knobs.values() == {knob.name: knob.default for knob in KNOBS}
    assert knobs.set("density", 2)
    assert not knobs.set("density", 2.0)
    assert knobs.density == 2.0
    with pytest.raises(ValueError, match="a number from"):
        knobs.set("density", 99)
    with pytest.raises(KeyError):
        knobs.set("loudness", 1)
    assert knobs.density == 2.0


def test_a_bare_off_in_yaml_is_the_word() -> None:
    assert settings("steering.key=off").steering.key == "off"
    assert settings("steering.gate=off").steering.gate is False


def test_each_knob_has_one_home_in_the_settings() -> None:
    config = Config()
    for name in BY_NAME:
        assert hasattr(config.sampling, name) == (name in IN_SAMPLING)
        assert hasattr(config.steering, name) != (name in IN_SAMPLING)
    assert config.knobs() == {knob.name: knob.default for knob in KNOBS}
