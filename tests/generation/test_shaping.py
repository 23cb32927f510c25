"""Shaping the distribution: what it may not be and what it leans to, before anything is drawn."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from segued.generation import shaping
from segued.generation.sampling import Sampler
from segued.generation.scales import ALL, pitch_classes
from segued.generation.shaping import PITCH_SPREAD, Playing, Shape, nearest
from segued.tokens.vocabulary import NOTE_OFF, NOTE_ON, PERFORMANCE, TIME_SHIFT, VELOCITY

from tests.tools.measure_shaping import Heard, fitted

KINDS = (NOTE_ON, NOTE_OFF, TIME_SHIFT, VELOCITY)


def shaped(weights: np.ndarray, **playing: Any) -> np.ndarray:
    """Probabilities after shaping."""
    weights = weights.astype(np.float32)
    Shape(PERFORMANCE, Playing(**playing)).apply(weights)
    shares: np.ndarray = weights / weights.sum()
    return shares


def of(kind: str, weights: np.ndarray) -> np.ndarray:
    ids = PERFORMANCE.ids(kind)
    return weights[ids.start : ids.stop]


def test_as_learned_it_changes_nothing() -> None:
    shape = Shape(PERFORMANCE, Playing())
    assert shape.neutral
    assert shape.allowed.tolist() == [0.0] * 128


@given(
    st.integers(0, 127),
    st.integers(0, 127),
    st.sets(st.integers(0, 11)),
)
def test_allowed_is_what_is_in_range_and_scale(low: int, high: int, classes: set[int]) -> None:
    playing = Playing(lowest_pitch=low, highest_pitch=high, pitch_classes=frozenset(classes))
    allowed = Shape(PERFORMANCE, playing).allowed
    for pitch in range(128):
        assert (allowed[pitch] == 0.0) == (low <= pitch <= high and pitch % 12 in classes)
        assert allowed[pitch] in (0.0, -np.inf)


@pytest.mark.parametrize("by", [-24, -7, 7, 24])
def test_register_moves_normally_distributed_pitches_by_so_much(by: int) -> None:
    pitches = np.arange(128)
    weights = np.zeros(len(PERFORMANCE))
    of(NOTE_ON, weights)[:] = np.exp(-0.5 * ((pitches - 64) / PITCH_SPREAD) ** 2)
    after = of(NOTE_ON, shaped(weights, register=by))
    assert (after * pitches).sum() == pytest.approx(64 + by, abs=1.0)


def test_dynamics_lean_to_louder_velocities() -> None:
    bins = np.arange(32)
    weights = np.ones(len(PERFORMANCE))
    means = [
        (of(VELOCITY, shaped(weights, dynamics=by)) * bins).sum() for by in (-30, -5, 0, 5, 30)
    ]
    assert means == sorted(means)
    assert means[0] < means[-1] - 0.5


@given(st.integers(-36, 36), st.integers(-48, 48), st.integers(0, 99))
def test_register_and_dynamics_leave_what_kind_of_token_comes(
    by: int, loud: int, seed: int
) -> None:
    weights = np.exp(np.random.default_rng(seed).normal(0, 2, len(PERFORMANCE)))
    weights[::3] = 0.0
    after = shaped(weights, register=by, dynamics=loud)
    for kind in KINDS:
        assert of(kind, after).sum() == pytest.approx(
            of(kind, weights / weights.sum()).sum(), rel=1e-3
        )
    assert np.array_equal(after == 0.0, weights == 0.0)


def test_density_makes_notes_likelier_and_shifts_shorter() -> None:
    weights = np.ones(len(PERFORMANCE))
    notes, lengths = [], []
    for density in (0.25, 0.5, 1.0, 2.0, 4.0):
        after = shaped(weights, density=density)
        shifts = of(TIME_SHIFT, after)
        notes.append(of(NOTE_ON, after).sum())
        lengths.append((shifts * np.arange(1, 101)).sum() / shifts.sum())
    assert notes == sorted(notes)
    assert lengths == sorted(lengths, reverse=True)


@given(st.integers(0, 127), st.sets(st.integers(0, 11)))
def test_the_nearest_pitch_of_a_scale(pitch: int, classes: set[int]) -> None:
    shape = Shape(PERFORMANCE, Playing(pitch_classes=frozenset(classes)))
    found = nearest(pitch, shape.allowed)
    if not classes:
        assert found is None
        return
    assert found is not None and found % 12 in classes
    assert all(
        abs(other - pitch) >= abs(found - pitch) for other in range(128) if other % 12 in classes
    )


def test_the_temperature_is_the_models_and_the_leaning_comes_after_it() -> None:
    """So cold it takes the likeliest of what is left when the leaning has had its say."""
    logits = np.full(len(PERFORMANCE), -40.0, np.float32)
    logits[60], logits[61] = 1.0, 0.9
    free = np.zeros(len(PERFORMANCE), np.float32)
    shape = Shape(PERFORMANCE, Playing(register=36))
    assert Sampler(len(PERFORMANCE), 0.0).sample(logits, free, 0.5) == 60
    assert Sampler(len(PERFORMANCE), 0.0).sample(logits, free, 0.5, shape) == 61
    assert Sampler(len(PERFORMANCE), 0.01).sample(logits, free, 0.5, shape) == 60


@given(st.integers(0, 99), st.sampled_from([ALL, pitch_classes(2, "blues")]), st.floats(0, 0.999))
def test_what_is_forbidden_is_never_drawn(
    seed: int, classes: frozenset[int], uniform: float
) -> None:
    rng = np.random.default_rng(seed)
    playing = Playing(
        register=int(rng.integers(-36, 37)),
        dynamics=int(rng.integers(-48, 49)),
        density=float(rng.uniform(0.25, 4.0)),
        pitch_classes=classes,
    )
    shape = Shape(PERFORMANCE, playing)
    bias = np.zeros(len(PERFORMANCE), np.float32)
    bias[128:] = -np.inf
    bias[:128] = shape.allowed
    logits = rng.normal(0, 6, len(PERFORMANCE)).astype(np.float32)
    for temperature in (0.0, 0.3, 1.0, 4.0):
        sampler = Sampler(len(PERFORMANCE), temperature, float(rng.uniform(0.01, 1.0)))
        assert sampler.sample(logits, bias, uniform, shape) % 12 in classes


def test_constants_are_fitted_to_what_the_knobs_did() -> None:
    """Half of what was asked for: the leaning is to be twice as strong."""
    plain = Heard(4.0, 60.0, 64.0)
    heard = {
        "": plain,
        "steering.density=0.5": replace(plain, notes=4.0 / 2**0.5),
        "steering.density=2": replace(plain, notes=8.0),
        "steering.register=12": replace(plain, pitch=66.0),
        "steering.register=-12": replace(plain, pitch=54.0),
        "steering.dynamics=16": replace(plain, velocity=80.0),
        "steering.dynamics=-16": replace(plain, velocity=48.0),
    }
    found = fitted(heard)
    assert found["FEWER_NOTES"] == pytest.approx([2 * c for c in shaping.FEWER_NOTES], abs=0.01)
    assert found["MORE_NOTES"] == pytest.approx(shaping.MORE_NOTES, abs=0.01)
    assert found["PITCH_SPREAD"] == pytest.approx(shaping.PITCH_SPREAD / 2**0.5, abs=0.1)
    assert found["VELOCITY_SPREAD"] == pytest.approx(shaping.VELOCITY_SPREAD, abs=0.1)
    with pytest.raises(ValueError, match="density 2 does not"):
        fitted(heard | {"steering.density=2": plain})
