"""Derivatives of an image by what makes it."""

from __future__ import annotations

import numpy as np
import pytest

from lensml.evaluation.limit.fisher import Noise
from lensml.simulate.response import NUISANCE, PRIOR_WIDTH, images_of, jacobian, nudged
from lensml.simulate.systems import draw_systems


@pytest.fixture(scope="module")
def realistic(domain):
    """Euclid with coarse pixels and massive halos alone, so that a test takes seconds."""
    population = {
        "cdm": {"f_sub": 0.02, "m_min": 1.0e8},
        "source": {"magnitude": 22.0},
    }
    return domain("euclid_realistic", num_pix=48, supersampling_factor=2, population=population)


@pytest.fixture(scope="module")
def smooth(realistic):
    return draw_systems(realistic, "no_sub", seed=3, split="test", start=0, stop=4)


@pytest.fixture(scope="module")
def derivatives(smooth, realistic):
    return jacobian(smooth, realistic)


def test_derivative_by_flux_is_the_image(smooth, realistic, derivatives):
    image = images_of(smooth, realistic, precision="float64")
    column = derivatives[..., list(NUISANCE).index("flux")]
    np.testing.assert_allclose(column, image, rtol=1e-7, atol=1e-9 * image.max())


def test_derivatives_do_not_depend_on_the_step(smooth, realistic):
    # Without refinement: a cell that is refined on one side of a difference alone makes a jump
    # that does not shrink with the step (up to 9 % of a derivative's norm; d' does not notice).
    single = realistic.model_copy(update={"refinement_factor": 1})
    whole, half = (jacobian(smooth, single, step_scale=k) for k in (1.0, 0.5))
    scale = np.linalg.norm(whole, axis=1)
    difference = np.linalg.norm(half - whole, axis=1) / scale
    assert difference.max() < 0.03


def test_size_and_index_of_a_source_change_at_constant_flux(smooth, domain):
    # nothing but the source, seen whole: its flux is that of the image
    wide = domain("euclid_realistic", num_pix=160, supersampling_factor=2)
    off = dict.fromkeys(("theta_E", "gamma1", "gamma2"), np.zeros(len(smooth)))
    bare = type(smooth)(smooth.profile, {**smooth.truth, **off}, smooth.offset, smooth.perturbers)
    before = images_of(bare, wide, precision="float64").sum(1)
    for name, step in (("source_R_sersic", 0.05), ("source_n_sersic", 0.2)):
        after = images_of(nudged(bare, name, step), wide, precision="float64").sum(1)
        np.testing.assert_allclose(after, before, rtol=0.02)


def test_a_change_of_theta_E_alone_is_not_detectable(smooth, realistic, derivatives):
    image = images_of(smooth, realistic, precision="float64")
    step = 2e-3
    signal = images_of(nudged(smooth, "theta_E", step), realistic, precision="float64") - image
    for i in range(len(smooth)):
        rms, t = (smooth.truth[k][i] for k in ("background_rms", "exposure_time"))
        noise = Noise.of(rms**2 + image[i] / t, derivatives[i], PRIOR_WIDTH)
        known, free = noise.d_fixed(signal[i]), noise.d_marginal(signal[i])
        assert known > 1
        # what is left: second order, and the prior's own d' of step / 0.3 arcsec
        assert free < 0.05 * known
