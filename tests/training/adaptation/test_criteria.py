"""Criteria without labels, against closed forms."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lensml.training.adaptation.criteria import (
    entropy,
    information,
    logit_spread,
    mmd,
    predicted_shares,
    softmax,
)


def test_information_is_largest_where_sure_predictions_are_even():
    sure = np.eye(3)[[0, 1, 2, 0, 1, 2]]
    assert information(sure) == pytest.approx(np.log(3))
    assert information(np.eye(3)[[1, 1, 1, 1]]) == pytest.approx(0, abs=1e-9)
    assert information(np.full((5, 3), 1 / 3)) == pytest.approx(0, abs=1e-9)


@given(seed=st.integers(0, 1000))
def test_information_is_the_distance_of_predictions_from_their_mean(seed):
    p = np.random.default_rng(seed).dirichlet([0.3, 0.5, 1.0], 40)
    by_hand = (p * np.log(np.maximum(p, 1e-12) / p.mean(0))).sum(1).mean()
    assert information(p) == pytest.approx(by_hand, abs=1e-9)
    assert -1e-12 <= information(p) <= np.log(3)


def test_entropy_of_even_odds_is_the_logarithm_of_their_number():
    np.testing.assert_allclose(entropy(np.full((2, 4), 0.25)), np.log(4))


def test_shares_count_the_images_of_every_class():
    logits = np.array([[2.0, 1, 0], [3, 1, 0], [0, 0, 5], [1, 0, 0]])
    np.testing.assert_allclose(predicted_shares(softmax(logits)), [0.75, 0, 0.25])


def test_spread_of_logits_is_relative_and_ignores_what_softmax_does():
    rng = np.random.default_rng(0)
    reference = rng.normal(size=(500, 3))
    assert logit_spread(reference, reference) == pytest.approx(1)
    assert logit_spread(0.05 * reference + 7, reference) == pytest.approx(0.05)
    shifted = reference + 100 * rng.normal(size=(500, 1))  # the same probabilities
    np.testing.assert_allclose(softmax(shifted), softmax(reference))
    assert logit_spread(shifted, reference) == pytest.approx(1)


def test_mmd_is_that_of_the_sum_over_all_pairs():
    rng = np.random.default_rng(1)
    a, b = rng.normal(size=(7, 2)), rng.normal(1, 1, size=(5, 2))
    both = np.concatenate([a, b]) / a.std(0)
    square = np.array([[np.sum((x - y) ** 2) for y in both] for x in both])
    median = np.median([square[i, j] for i in range(12) for j in range(i)])
    total = 0.0
    for i in range(12):
        for j in range(12):
            weight = (1 / 7 if i < 7 else -1 / 5) * (1 / 7 if j < 7 else -1 / 5)
            kernel = [np.exp(-square[i, j] / (w * median)) for w in (0.25, 0.5, 1, 2, 4)]
            total += weight * np.mean(kernel)
    assert mmd(a, b) == pytest.approx(total, rel=1e-9)


def test_mmd_grows_with_the_distance_of_two_domains():
    rng = np.random.default_rng(2)
    source = rng.normal(size=(300, 4))
    found = [mmd(source, rng.normal(shift, 1, size=(300, 4))) for shift in (0, 0.5, 2)]
    assert found[0] < 0.02 < found[1] < found[2]
