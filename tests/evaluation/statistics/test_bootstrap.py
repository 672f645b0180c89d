"""Areas under the curve and the bootstrap over lens systems."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.stats import norm
from sklearn.metrics import roc_auc_score

from lensml.evaluation.statistics.bootstrap import (
    interval,
    resampled,
    system_weights,
    weighted_auc,
    weighted_mean,
)

pytestmark = pytest.mark.usefixtures("one_torch_thread")


# Areas under the curve


@given(st.data())
def test_weighted_areas_are_those_of_sklearn_with_ties(data):
    n = data.draw(st.integers(2, 30))
    score = np.array(data.draw(st.lists(st.integers(-3, 3), min_size=n, max_size=n)), float)
    positive = np.array(data.draw(st.lists(st.booleans(), min_size=n, max_size=n)))
    rows = st.lists(st.integers(0, 3), min_size=n, max_size=n)
    weights = np.array(data.draw(st.lists(rows, min_size=1, max_size=4)))
    assume(all(w[positive].sum() and w[~positive].sum() for w in weights))
    expected = [roc_auc_score(positive, score, sample_weight=w) for w in weights]
    np.testing.assert_allclose(weighted_auc(score, positive, weights), expected, rtol=1e-12)


def test_areas_of_many_resamplings_come_in_their_order():
    rng = np.random.default_rng(0)
    score, positive = rng.normal(size=40), np.arange(40) % 2 == 0
    weights = system_weights(np.arange(40), 300, seed=0)  # more than one chunk
    expected = [roc_auc_score(positive, score, sample_weight=w) for w in weights]
    np.testing.assert_allclose(weighted_auc(score, positive, weights), expected, rtol=1e-12)


def test_an_area_without_one_of_the_classes_is_not_a_number():
    score, positive = np.arange(4.0), np.array([True, True, False, False])
    weights = np.array([[1, 1, 0, 0], [0, 0, 2, 1], [1, 0, 1, 0]])
    found = weighted_auc(score, positive, weights)
    assert np.isnan(found[:2]).all()
    assert found[2] == 0.0


# Bootstrap


def test_the_bootstrap_draws_systems_as_a_whole():
    system_id = np.array([7, 3, 7, 5, 3, 7])
    weights = system_weights(system_id, 500, seed=0)
    assert weights.shape == (500, 6)
    for row in weights:
        per_system = {s: set(row[system_id == s].tolist()) for s in (3, 5, 7)}
        assert all(len(counts) == 1 for counts in per_system.values())
        assert sum(counts.pop() for counts in per_system.values()) == 3
    assert len(np.unique(weights, axis=0)) > 5


def test_every_system_is_drawn_once_on_average():
    weights = system_weights(np.arange(10), 4000, seed=0)
    # A count is binomial(10, 1/10): variance 0.9; ten of them within 5 standard errors.
    assert np.abs(weights.mean(0) - 1).max() < 5 * math.sqrt(0.9 / 4000)
    assert np.abs(weights.var(0) - 0.9).max() < 0.2


def test_the_bootstrap_follows_from_its_seed():
    ids = np.arange(10)
    assert np.array_equal(system_weights(ids, 20, seed=1), system_weights(ids, 20, seed=1))
    assert not np.array_equal(system_weights(ids, 20, seed=1), system_weights(ids, 20, seed=2))


def test_repeating_the_images_of_a_system_narrows_no_interval():
    rng = np.random.default_rng(0)
    score, positive = rng.normal(size=60), np.arange(60) % 2 == 0
    ids = np.arange(60)
    once = weighted_auc(score, positive, system_weights(ids, 300, seed=0))
    four = [np.repeat(x, 4) for x in (score, positive, ids)]
    repeated = weighted_auc(four[0], four[1], system_weights(four[2], 300, seed=0))
    np.testing.assert_allclose(repeated, once, rtol=1e-12)
    independent = weighted_auc(four[0], four[1], system_weights(np.arange(240), 300, seed=0))
    assert independent.std() < 0.7 * once.std()


def test_a_weighted_mean_is_the_mean_of_the_repeated_values():
    rng = np.random.default_rng(0)
    values, weights = rng.normal(size=12), system_weights(np.arange(12), 30, seed=0)
    by_hand = [
        np.mean([v for v, k in zip(values, w, strict=True) for _ in range(k)]) for w in weights
    ]
    np.testing.assert_allclose(weighted_mean(values, weights), by_hand)


def test_a_statistic_is_taken_of_the_repeated_images():
    weights = np.array([[2, 0, 1], [0, 3, 0], [1, 1, 1]])
    seen: list[list[int]] = []
    values = resampled(
        lambda index: float(seen.append(index.tolist()) or index.sum()), weights, limit=2
    )
    assert seen == [[0, 0, 2], [1, 1, 1]]
    assert values.tolist() == [2.0, 3.0]


def test_an_interval_leaves_equal_tails_and_ignores_what_is_not_a_number():
    samples = np.concatenate([np.arange(101.0), [np.nan] * 50])
    assert interval(samples, 0.9) == pytest.approx((5.0, 95.0))
    assert interval(samples, 0.5) == pytest.approx((25.0, 75.0))


def binormal(
    n: int, rng: np.random.Generator, *, shift: float = 1.0
) -> tuple[np.ndarray, np.ndarray]:
    """Scores of n negatives and n positives; the area is Phi(shift / sqrt 2)."""
    score = np.concatenate([rng.normal(0, 1, n), rng.normal(shift, 1, n)])
    return score, np.arange(2 * n) >= n


def bounds(score: np.ndarray, positive: np.ndarray, seed: int) -> tuple[float, float]:
    weights = system_weights(np.arange(len(score)), 200, seed)
    return interval(weighted_auc(score, positive, weights), 0.9)


def test_intervals_cover_the_true_area_as_often_as_they_say():
    true, trials = float(norm.cdf(1 / math.sqrt(2))), 500
    hits = 0
    for trial in range(trials):
        low, high = bounds(*binormal(100, np.random.default_rng(trial)), seed=trial)
        hits += low <= true <= high
    # Four binomial standard errors, and 0.015 for the percentile bootstrap's known shortfall of
    # order 1/n at n = 100 (it ignores bias and skewness).
    tolerance = 4 * math.sqrt(0.9 * 0.1 / trials) + 0.015
    assert abs(hits / trials - 0.9) < tolerance


def test_intervals_narrow_as_the_square_root_of_the_sample():
    rng = np.random.default_rng(0)
    widths = []
    for n in (100, 1600):
        found = [bounds(*binormal(n, rng), seed=k) for k in range(8)]
        widths.append(np.mean([high - low for low, high in found]))
    # sqrt(16) = 4. The 5 % quantiles of 200 samples scatter a width by about 8 %, eight by 3 %.
    assert widths[0] / widths[1] == pytest.approx(4, rel=0.15)
