"""One id from logits: what is forbidden is never drawn, and the rest as often as it should be."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from segued.arrays import Floats
from segued.generation.sampling import Sampler

UNIFORMS = st.one_of(
    st.sampled_from([0.0, 1e-300, 0.5, 1 - 1e-9, np.nextafter(1.0, 0.0)]),
    st.floats(0, 1, exclude_max=True),
)
VALUES = st.one_of(
    st.sampled_from([0.0, 1.0, -1.0, 100.0, -100.0, 1e30, -1e30]),
    st.floats(-50, 50, width=32),
)
TEMPERATURES = st.sampled_from([0.0, 1e-300, 1e-9, 1e-4, 0.01, 0.5, 0.95, 1.0, 4.0])
TOP_PS = st.sampled_from([0.01, 0.5, 0.95, 0.999, 1.0])


def floats(values: list[float]) -> Floats:
    return np.array(values, np.float32)


def no_bias(size: int) -> Floats:
    return np.zeros(size, np.float32)


def draws(logits: list[float], count: int = 2000, **how: float) -> list[float]:
    """How often each id comes, in shares, for uniforms spread evenly."""
    sampler = Sampler(len(logits), **how)
    uniforms = (np.arange(count) + 0.5) / count
    ids = [sampler.sample(floats(logits), no_bias(len(logits)), u) for u in uniforms]
    return list(np.bincount(ids, minlength=len(logits)) / count)


@st.composite
def choices(draw: st.DrawFn) -> tuple[Floats, Floats]:
    """Logits, and a bias that allows at least one of them."""
    logits = draw(st.lists(VALUES, min_size=1, max_size=30))
    allowed = draw(st.lists(st.booleans(), min_size=len(logits), max_size=len(logits)))
    allowed[draw(st.integers(0, len(logits) - 1))] = True
    return floats(logits), floats([0.0 if a else -np.inf for a in allowed])


@given(choices(), TEMPERATURES, TOP_PS, UNIFORMS)
def test_what_is_forbidden_is_never_drawn(
    choice: tuple[Floats, Floats], temperature: float, top_p: float, uniform: float
) -> None:
    logits, bias = choice
    sampler = Sampler(len(logits), temperature, top_p)
    id = sampler.sample(logits, bias, uniform)
    assert 0 <= id < len(logits)
    assert bias[id] == 0
    assert sampler.sample(logits, bias, uniform) == id


@given(choices(), TEMPERATURES, TOP_PS, UNIFORMS)
def test_the_arguments_are_not_changed(
    choice: tuple[Floats, Floats], temperature: float, top_p: float, uniform: float
) -> None:
    logits, bias = choice
    before = logits.copy(), bias.copy()
    Sampler(len(logits), temperature, top_p).sample(logits, bias, uniform)
    assert np.array_equal(before[0], logits)
    assert np.array_equal(before[1], bias)


@given(choices(), UNIFORMS)
def test_at_temperature_0_the_likeliest_comes(
    choice: tuple[Floats, Floats], uniform: float
) -> None:
    logits, bias = choice
    id = Sampler(len(logits), 0.0, 0.5).sample(logits, bias, uniform)
    assert logits[id] == max(logits[bias == 0])


@given(choices(), st.sampled_from([0.3, 1.0, 2.5]), st.floats(0.01, 0.999), UNIFORMS)
def test_top_p_keeps_the_nucleus(
    choice: tuple[Floats, Floats], temperature: float, top_p: float, uniform: float
) -> None:
    """The likelier ones than what was drawn do not reach top_p without it."""
    logits, bias = choice
    id = Sampler(len(logits), temperature, top_p).sample(logits, bias, uniform)
    scaled = (logits + bias).astype(np.float64) / temperature
    shares = np.exp(scaled - scaled.max())
    shares /= shares.sum()
    likelier = shares[shares > shares[id] * (1 + 1e-5)].sum()
    assert likelier < top_p + 1e-5


def test_the_nucleus_is_exact() -> None:
    logits = list(np.log([0.1, 0.4, 0.2, 0.3]))
    assert np.array(draws(logits, top_p=0.39)) == pytest.approx([0, 1, 0, 0])
    assert np.array(draws(logits, top_p=0.41)) == pytest.approx([0, 4 / 7, 0, 3 / 7], abs=1e-3)
    assert np.array(draws(logits, top_p=0.69)) == pytest.approx([0, 4 / 7, 0, 3 / 7], abs=1e-3)
    assert np.array(draws(logits, top_p=0.71)) == pytest.approx([0, 4 / 9, 2 / 9, 3 / 9], abs=1e-3)
    assert np.array(draws(logits, top_p=0.95)) == pytest.approx([0.1, 0.4, 0.2, 0.3], abs=1e-3)


def test_no_uniform_leaves_the_nucleus() -> None:
    """In single precision a uniform just under 1 rounds to the nucleus's very end."""
    logits = floats(list(np.log([0.5, 0.3, 0.15, 0.05])))
    sampler = Sampler(4, 1.0, 0.7)
    assert sampler.sample(logits, no_bias(4), np.nextafter(1.0, 0.0)) == 1


@pytest.mark.parametrize("top_p", [1.0, 0.999999])
@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0])
def test_ids_come_as_often_as_softmax_says(temperature: float, top_p: float) -> None:
    logits = [2.0, -1.0, 0.5, 0.0, 1.5, -3.0]
    weights = np.exp(np.array(logits) / temperature)
    shares = draws(logits, 5000, temperature=temperature, top_p=top_p)
    assert shares == pytest.approx(list(weights / weights.sum()), abs=1e-3)


def test_ids_come_as_often_as_softmax_says_with_a_real_generator() -> None:
    rng = np.random.default_rng(1)
    logits = floats(list(rng.normal(0, 1.5, 388)))
    sampler = Sampler(388)
    counts = np.zeros(388)
    for uniform in rng.random(20_000):
        counts[sampler.sample(logits, no_bias(388), uniform)] += 1
    expected = np.exp(logits) / np.exp(logits).sum() * 20_000
    chi_square = ((counts - expected) ** 2 / expected).sum()
    assert 388 - 4 * 28 < chi_square < 388 + 4 * 28  # its mean is 387, its deviation 28


def test_all_equal_is_even() -> None:
    assert draws([7.0] * 8, 800) == [1 / 8] * 8
    assert draws([1e30] * 8, 800) == [1 / 8] * 8


def test_a_lower_temperature_favours_the_likelier() -> None:
    shares = [draws([1.0, 0.0], temperature=t)[0] for t in (0.25, 0.5, 1.0, 2.0, 4.0)]
    assert shares == sorted(shares, reverse=True)
    assert shares[0] > 0.98
    assert shares[-1] < 0.57


def test_the_extremes_of_the_uniform() -> None:
    logits, bias = floats([0, 0, 0, 0]), floats([-np.inf, 0, 0, -np.inf])
    for top_p in (0.9, 1.0):
        sampler = Sampler(4, 1.0, top_p)
        ends = {sampler.sample(logits, bias, u) for u in (0.0, np.nextafter(1.0, 0.0))}
        assert ends == {1, 2}
