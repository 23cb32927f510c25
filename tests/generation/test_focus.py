"""Focus: likelier notes and loudness right after the performer has played, fading with time."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from segued.generation.focus import HALVED_AFTER, LEAST_SHARE, Focus, faded
from segued.generation.sampling import Sampler
from segued.tokens.vocabulary import NOTE_ON, PERFORMANCE, VELOCITY

SIZE = len(PERFORMANCE)
KINDS = [PERFORMANCE.ids(kind) for kind in (NOTE_ON, VELOCITY)]
OTHERS = [id for id in range(SIZE) if not any(id in kind for kind in KINDS)]


@st.composite
def weights(draw: st.DrawFn) -> np.ndarray:
    """Probabilities of a network with some ids forbidden, perhaps all of a kind."""
    seed = draw(st.integers(0, 2**32 - 1))
    random = np.random.default_rng(seed)
    logits = random.normal(0, draw(st.floats(0.1, 8)), SIZE)
    logits[random.random(SIZE) < draw(st.floats(0, 1))] = -np.inf
    for kind in KINDS:
        if draw(st.booleans()):
            logits[kind.start : kind.stop] = -np.inf
    logits[PERFORMANCE.ids("TIME_SHIFT").start] = 0.0  # one at least is allowed
    shares: np.ndarray = np.exp(logits - logits.max())
    return shares.astype(np.float32)


@given(weights(), st.floats(0, 1))
def test_each_kind_stays_as_likely_as_it_was(before: np.ndarray, strength: float) -> None:
    focus, after = Focus(PERFORMANCE), before.copy()
    focus.strength = strength
    focus.apply(after)
    assert np.array_equal(after[OTHERS], before[OTHERS])
    assert not after[before == 0].any() and np.isfinite(after).all()
    for kind in KINDS:
        part = slice(kind.start, kind.stop)
        assert np.isclose(after[part].sum(), before[part].sum(), rtol=1e-4)
        kept = after[part] > 0
        if kept.sum() > 1:  # what was likelier is likelier still
            order = before[part][kept].argsort(kind="stable")
            assert (np.diff(after[part][kept][order]) >= -1e-12).all()
            assert after[part].max() >= before[part].max() * (1 - 1e-4)


def test_the_tail_of_a_kind_is_not_drawn() -> None:
    focus, after = Focus(PERFORMANCE), np.full(SIZE, 1e-3, np.float32)
    after[60] = 1.0
    focus.strength = 1.0
    focus.apply(after)
    assert np.flatnonzero(after[:128]).tolist() == [60] and LEAST_SHARE > 1e-3
    assert (after[128:256] > 0).all()  # note-offs are drawn as learned


def test_of_no_strength_it_is_not_there() -> None:
    focus = Focus(PERFORMANCE)
    logits = np.random.default_rng(3).normal(0, 2, SIZE).astype(np.float32)
    bias, sampler = np.zeros(SIZE, np.float32), Sampler(SIZE, 1.0, 0.99)
    for uniform in np.linspace(0, 0.999, 40):
        free = sampler.sample(logits, bias, float(uniform))
        assert sampler.sample(logits, bias, float(uniform), focus=focus) == free


@given(st.floats(0, 1), st.floats(-5, 4000), st.floats(0, 60))
def test_it_fades(strength: float, alone: float, longer: float) -> None:
    assert 0 <= faded(strength, alone + longer) <= faded(strength, alone) <= strength
    assert np.isclose(faded(strength, HALVED_AFTER), strength / 2)
