from __future__ import annotations

import itertools
import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import bootstrap

import seer_bench
from seer_bench.stats import bootstrap_mean, chain_rates

scores = st.lists(st.integers(0, 5), min_size=1, max_size=50)


def test_rates_by_position() -> None:
    assert chain_rates(solved=[5, 5, 3, 0], length=5).tolist() == [0.75, 0.75, 0.75, 0.5, 0.5]
    assert chain_rates(solved=np.array([1, 0], np.int8), length=1).tolist() == [0.5]


@given(scores)
def test_rates_fall_and_sum_to_the_average_length(solved: list[int]) -> None:
    rates = chain_rates(solved=np.array(solved), length=5)
    assert rates.shape == (5,)
    assert rates.dtype == np.float64
    assert (np.diff(rates) <= 0).all()
    assert rates.sum() == pytest.approx(np.mean(solved))


def test_rates_without_chains_are_unknown() -> None:
    assert np.isnan(chain_rates(solved=[], length=3)).tolist() == [True] * 3


@pytest.mark.parametrize(
    ("solved", "length", "words"),
    [
        ([6], 5, "reaches from 6 to 6"),
        ([-1], 5, "reaches from -1"),
        ([0.5], 5, "expected integers"),
        ([[1]], 5, "expected integers"),
        ([1], 0, "at least 1"),
    ],
)
def test_rates_refuse_what_cannot_be(solved: list, length: int, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        chain_rates(solved=np.array(solved), length=length)


@pytest.mark.parametrize("kind", ["few scores", "many scores"])
def test_bootstrap_is_scipys_up_to_its_noise(kind: str) -> None:
    rng = np.random.default_rng(1)
    values = rng.integers(0, 6, 200) if kind == "few scores" else rng.gamma(2.0, size=200)
    ours = bootstrap_mean(values=values, resamples=20_000)
    theirs = bootstrap((values,), np.mean, n_resamples=20_000, method="percentile", rng=rng).confidence_interval
    error = np.std(values) / math.sqrt(200)
    assert ours == pytest.approx((theirs.low, theirs.high), abs=0.06 * error)


@pytest.mark.parametrize("confidence", [0.95, 0.8, 0.3])
@given(st.lists(st.integers(-3, 9), min_size=2, max_size=5))
def test_bootstrap_of_whole_scores_is_that_of_all_samples(confidence: float, solved: list[int]) -> None:
    means = np.array([np.sum(sample) for sample in itertools.product(solved, repeat=len(solved))]) / len(solved)
    tail = (1 - confidence) / 2
    ends = np.quantile(means, [tail, 1 - tail], method="inverted_cdf")
    assert bootstrap_mean(values=solved, confidence=confidence) == pytest.approx(ends, abs=1e-12)


@pytest.mark.parametrize("n", [50, 5000, 300_000])
def test_bootstrap_of_many_whole_scores_is_normal_but_for_its_steps(n: int) -> None:
    values = np.random.default_rng(n).choice(6, size=n, p=[0.1, 0.1, 0.1, 0.1, 0.1, 0.5]) + 1e6
    error = values.std() / math.sqrt(n)
    ends = (values.mean() - 1.96 * error, values.mean() + 1.96 * error)
    assert bootstrap_mean(values=values) == pytest.approx(ends, abs=0.3 * error / math.sqrt(n) + 1 / n)


@given(scores, st.randoms())
def test_bootstrap_depends_on_values_and_seed_alone(solved: list[int], random) -> None:
    first = bootstrap_mean(values=solved, resamples=50, seed=3)
    np.random.default_rng().random()
    random.shuffle(solved)
    second = bootstrap_mean(values=solved, resamples=50, seed=3)
    assert np.array_equal(first, second, equal_nan=True)
    if len(solved) > 1:
        assert min(solved) <= first.low <= first.high <= max(solved)


def test_another_seed_draws_other_samples() -> None:
    values = np.random.default_rng(0).normal(size=50)
    assert bootstrap_mean(values=values, seed=0) != bootstrap_mean(values=values, seed=1)


def test_blocks_of_bounded_memory_cover_all_resamples() -> None:
    """3,000 distinct values and 2,000 resamples make three blocks; a block left out would leave rubbish means."""
    values = np.random.default_rng(0).normal(10, 1, 3000)
    low, high = bootstrap_mean(values=values, resamples=2000)
    error = values.std() / math.sqrt(3000)
    assert low == pytest.approx(values.mean() - 1.96 * error, abs=0.2 * error)
    assert high == pytest.approx(values.mean() + 1.96 * error, abs=0.2 * error)


def test_bootstrap_at_its_limits() -> None:
    assert np.isnan(bootstrap_mean(values=[])).all()
    assert np.isnan(bootstrap_mean(values=[4])).all()
    assert bootstrap_mean(values=[5, 5, 5]) == (5, 5)


def test_bootstrap_covers_about_as_often_as_it_says() -> None:
    """600 runs of 100 chains: the share of intervals that hold the true mean."""
    weights = np.array([0.1, 0.1, 0.1, 0.1, 0.1, 0.5])
    rng = np.random.default_rng(5)
    runs = rng.choice(6, size=(600, 100), p=weights)
    truth = weights @ np.arange(6)
    ends = np.array([bootstrap_mean(values=run, resamples=1000, seed=i) for i, run in enumerate(runs)])
    coverage = ((ends[:, 0] <= truth) & (truth <= ends[:, 1])).mean()
    assert 0.92 < coverage < 0.97


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"values": [1, math.nan]}, "not finite"),
        ({"values": [[1, 2], [3, 4]]}, "shape"),
        ({"values": [1, 2], "resamples": 0}, "at least 1"),
        ({"values": [1, 2], "confidence": 0}, "between 0 and 1"),
    ],
)
def test_bootstrap_refuses_what_cannot_be(arguments: dict, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        bootstrap_mean(**arguments)


def test_importing_stats_stays_cheap() -> None:
    code = "import sys, seer_bench.stats; print([m for m in sys.modules if m.startswith(('scipy', 'pandas'))])"
    root = Path(seer_bench.__file__).parents[1]
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
