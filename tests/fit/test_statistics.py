"""Statistics of residuals, one by one against numpy."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from lensml.fit.statistics import LAGS, SCALES, STATISTICS, TAPS, residual_statistics

SIZE = 40


@pytest.fixture(scope="module")
def image():
    """A residual with structure, a model and weights."""
    rng = np.random.default_rng(0)
    residual = rng.standard_normal((SIZE, SIZE)).astype(np.float32)
    residual[20, 5:30] += 1.5
    y, x = np.indices((SIZE, SIZE)) - SIZE / 2
    arcs = (np.exp(-((np.hypot(x, y) - 10) ** 2) / 8) * 3 - 0.05).astype(np.float32)
    weights = rng.uniform(2, 4, (SIZE, SIZE)).astype(np.float32)
    return residual, arcs, weights


@pytest.fixture(scope="module")
def found(image):
    return dict(zip(STATISTICS, residual_statistics(*image), strict=True))


def test_low_passes_are_means_of_squares_of_smoothed_residuals(image, found):
    residual, arcs, weights = (a.astype(float) for a in image)
    arc = np.clip(arcs * weights / 5, 0, 1)
    for sigma in SCALES:
        smoothed = gaussian_filter(residual, sigma, mode="reflect", truncate=4)
        # White noise, smoothed: the sum of squares of the weights of a point.
        point = np.zeros((61, 61))
        point[30, 30] = 1
        low = smoothed**2 / np.square(gaussian_filter(point, sigma)).sum()
        assert found[f"low_{sigma:g}"] == pytest.approx(low.mean(), rel=1e-4)
        assert found[f"max_{sigma:g}"] == pytest.approx(np.sqrt(low.max()), rel=1e-4)
        weighted = (low * arc).sum() / arc.sum()
        assert found[f"arc_low_{sigma:g}"] == pytest.approx(weighted, rel=1e-4)


def test_correlations_are_means_of_products_of_neighbours(image, found):
    residual, arcs, weights = (a.astype(float) for a in image)
    arc = np.clip(arcs * weights / 5, 0, 1)
    for lag in LAGS:
        along, across = residual[:, lag:] * residual[:, :-lag], residual[lag:] * residual[:-lag]
        assert found[f"correlation_{lag}"] == pytest.approx(along.mean() + across.mean(), rel=1e-4)
        weighted = (along * arc[:, lag:]).sum() + (across * arc[lag:]).sum()
        assert found[f"arc_correlation_{lag}"] == pytest.approx(weighted / arc.sum(), rel=1e-4)


def test_moments_and_brightness_are_numpys(image, found):
    residual, arcs, weights = (a.astype(float) for a in image)
    snr = arcs * weights
    arc = np.clip(snr / 5, 0, 1)
    excess = (arc * (residual**2 - 1)).sum() / np.sqrt(2 * (arc**2).sum())
    assert found["arc_chi2"] == pytest.approx(excess, rel=1e-4)
    assert found["skewness"] == pytest.approx((residual**3).mean(), rel=1e-4)
    assert found["kurtosis"] == pytest.approx((residual**4).mean(), rel=1e-4)
    assert found["log_snr2"] == pytest.approx(
        np.log(np.square(np.maximum(snr, 0)).sum()), rel=1e-5
    )
    assert found["arc_area"] == pytest.approx(arc.mean(), rel=1e-5)


def test_white_noise_has_the_values_of_white_noise(image):
    rng = np.random.default_rng(1)
    _, arcs, weights = image
    noise = rng.standard_normal((300, SIZE, SIZE)).astype(np.float32)
    measured = np.array([residual_statistics(r, arcs, weights) for r in noise])
    mean, error = measured.mean(0), measured.std(0) / np.sqrt(len(noise))
    expected = {"arc_chi2": 0, "skewness": 0, "kurtosis": 3}
    expected |= {f"correlation_{k}": 0 for k in LAGS} | {f"arc_correlation_{k}": 0 for k in LAGS}
    for k, name in enumerate(STATISTICS):
        if name in expected:
            assert abs(mean[k] - expected[name]) < 4 * error[k], name
        if "arc_low" in name:  # the ring does not reach the border, where mirrored noise adds up
            assert abs(mean[k] - 1) < 4 * error[k], name


def test_an_image_without_arcs_has_finite_statistics():
    nothing = np.zeros((SIZE, SIZE), np.float32)
    assert np.isfinite(residual_statistics(nothing, nothing, nothing + 1)).all()


def test_smoothing_weights_sum_to_one():
    for taps in TAPS:
        assert taps.sum() == pytest.approx(1, abs=1e-6)
        assert taps.size % 2 == 1
