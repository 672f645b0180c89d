"""Sums of Gaussians, and how one is turned into another."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lensml.data.harmonise.psf import (
    CLOSE,
    Gaussian,
    common_psf,
    matching_kernel,
    transfer,
    variance_of,
    widened,
)

WINGS = (Gaussian(0.75, 0.27), Gaussian(0.25, 0.6))
K = np.linspace(0, 8, 50)  # 1/arcsec

widths = st.floats(0.05, 0.8)


def through(own: tuple[Gaussian, ...], kernel) -> np.ndarray:
    """Transfer function of a PSF after a kernel."""
    parts = [s * np.exp(-2 * np.pi**2 * v * K**2) for s, v in kernel.parts]
    return transfer(own, K) * np.sum(parts, axis=0)


def test_a_gaussian_has_half_its_peak_at_half_its_width():
    part = Gaussian(1.0, 0.3)
    assert np.exp(-((0.15) ** 2) / (2 * part.variance)) == pytest.approx(0.5)
    assert Gaussian.of_variance(1.0, part.variance).fwhm == pytest.approx(0.3)


@given(own=widths, goal=st.lists(widths, min_size=1, max_size=3))
def test_the_kernel_from_one_gaussian_to_wider_ones_is_exact(own, goal):
    psf = tuple(Gaussian(1 / len(goal), max(own, w)) for w in goal)
    kernel = matching_kernel((Gaussian(1.0, own),), psf)
    np.testing.assert_allclose(through((Gaussian(1.0, own),), kernel), transfer(psf, K), atol=1e-9)
    assert all(v >= 0 for _, v in kernel.parts)


def test_the_kernel_from_wings_comes_as_close_as_it_says():
    goal = widened(WINGS, 0.05)
    kernel = matching_kernel(WINGS, goal)
    assert kernel.error < 2e-3
    np.testing.assert_allclose(through(WINGS, kernel), transfer(goal, K), atol=4e-3)
    assert sum(s for s, _ in kernel.parts) == pytest.approx(1)
    assert all(s > 0 for s, _ in kernel.parts)


def test_what_no_kernel_can_do_is_said():
    sharper = matching_kernel((Gaussian(1.0, 0.3),), (Gaussian(1.0, 0.2),))
    without_wings = matching_kernel(WINGS, (Gaussian(1.0, 0.3),))
    assert sharper.error > 0.1
    assert without_wings.error > 0.05


def test_a_psf_is_its_own_match():
    assert matching_kernel(WINGS, WINGS) == (((1.0, 0.0),), 0.0)


@given(one=widths, other=widths)
def test_the_common_psf_of_two_gaussians_is_the_wider(one, other):
    (found,) = common_psf((Gaussian(1.0, one),), (Gaussian(1.0, other),))
    assert found.fwhm == pytest.approx(max(one, other))


@pytest.mark.parametrize(
    "other",
    [
        (Gaussian(1.0, 0.16),),
        (Gaussian(1.0, 0.4),),
        (Gaussian(1.0, 0.9),),
        (Gaussian(0.6, 0.33), Gaussian(0.4, 0.5)),
    ],
)
def test_both_psfs_can_be_brought_to_the_common_one(other):
    common = common_psf(WINGS, other)
    for own in (WINGS, other):
        assert matching_kernel(own, common).error <= CLOSE
        assert variance_of(common) >= variance_of(own) - 1e-12


def test_a_psf_with_wings_that_is_wide_enough_is_kept():
    assert common_psf((Gaussian(1.0, 0.16),), WINGS) == WINGS
