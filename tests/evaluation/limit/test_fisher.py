"""The physical limit: linear algebra in closed form."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from lensml.evaluation.limit.fisher import (
    Noise,
    auc,
    bank_evidence,
    gaussian_evidence,
    oracle_auc,
    pooled_oracle_auc,
)


def random_problem(rng, pixels=40, k=4):
    return rng.uniform(0.5, 2, pixels), rng.normal(size=(pixels, k)), rng.uniform(0.1, 3, k)


def test_detectability_of_a_linear_problem_is_the_closed_form():
    variance, J, width = random_problem(np.random.default_rng(0))
    signal = np.random.default_rng(1).normal(size=len(variance))
    noise = Noise.of(variance, J, width)
    covariance = np.diag(variance) + J @ np.diag(width**2) @ J.T
    expected = np.sqrt(signal @ np.linalg.solve(covariance, signal))
    np.testing.assert_allclose(noise.d_marginal(signal), expected, rtol=1e-10)
    np.testing.assert_allclose(noise.d_fixed(signal), np.sqrt(np.sum(signal**2 / variance)))
    # the formula as it is written in the literature
    information = J.T @ (J / variance[:, None]) + np.diag(width**-2.0)
    projected = J.T @ (signal / variance)
    squared = np.sum(signal**2 / variance) - projected @ np.linalg.solve(information, projected)
    np.testing.assert_allclose(noise.d_marginal(signal) ** 2, squared, rtol=1e-10)


def test_one_pixel_by_hand():
    # variance 1, derivative 2, prior 3: S = 1 + 36, so a signal of 1 has d'^2 = 1 / 37
    noise = Noise.of(np.array([1.0]), np.array([[2.0]]), np.array([3.0]))
    np.testing.assert_allclose(noise.d_marginal(np.array([1.0])) ** 2, 1 / 37)


@given(st.integers(0, 10_000))
def test_marginalising_never_raises_detectability(seed):
    rng = np.random.default_rng(seed)
    variance, J, width = random_problem(rng)
    signal = rng.normal(size=(5, len(variance))) * 10 ** rng.uniform(-3, 3)
    noise = Noise.of(variance, J, width)
    assert np.all(noise.d_marginal(signal) <= noise.d_fixed(signal) * (1 + 1e-12))
    wider = Noise.of(variance, J, 10 * width)
    assert np.all(wider.d_marginal(signal) <= noise.d_marginal(signal) * (1 + 1e-9))


def test_whitened_noise_is_white():
    rng = np.random.default_rng(2)
    variance, J, width = random_problem(rng, pixels=12)
    noise = Noise.of(variance, J, width)
    n = 40_000
    data = np.sqrt(variance) * rng.standard_normal((n, 12)) + noise.nuisance(n, rng)
    found = np.cov(noise.whiten(data).T)
    # a covariance of n samples has standard errors of sqrt(2 / n) or less
    np.testing.assert_allclose(found, np.eye(12), atol=5 * np.sqrt(2 / n))


def test_pooled_auc_is_that_of_an_observer_who_ranks_every_system():
    d = np.array([0.2, 1.0, 4.0])
    every = np.ones((1, 3))
    rng = np.random.default_rng(5)
    repeats = 20_000
    spread = rng.standard_normal((2, repeats, 3)) * d
    found = auc(*((spread[k] + sign * d**2 / 2).ravel() for k, sign in enumerate((-1, 1))))
    pooled = pooled_oracle_auc(d, every)[0]
    assert abs(found - pooled) < 5 * 0.41 / np.sqrt(3 * repeats)
    assert pooled > oracle_auc(d).mean() + 0.05
    same = np.full(4, 1.3)
    np.testing.assert_allclose(pooled_oracle_auc(same, np.ones((1, 4)))[0], oracle_auc(1.3))


def test_evidence_of_one_template_is_the_known_signal():
    rng = np.random.default_rng(3)
    signal = rng.normal(size=30) * 0.3
    noise = rng.standard_normal((20_000, 30))
    score = [bank_evidence(x, signal[None]) for x in (noise, noise[::-1] + signal)]
    expected = float(oracle_auc(np.linalg.norm(signal)))
    assert abs(auc(*score) - expected) < 5 * 0.41 / np.sqrt(20_000)


def test_gaussian_evidence_is_the_ratio_of_two_densities():
    rng = np.random.default_rng(4)
    templates = rng.normal(size=(7, 5)) + 0.3
    data = rng.normal(size=(6, 5))
    covariance = np.eye(5) + np.cov(templates.T, bias=True)
    off = data - templates.mean(0)
    expected = np.square(data).sum(1) - np.sum(off * np.linalg.solve(covariance, off.T).T, axis=1)
    expected = (expected - np.linalg.slogdet(covariance)[1]) / 2
    np.testing.assert_allclose(gaussian_evidence(data, templates), expected, rtol=1e-9)
