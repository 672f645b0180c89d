"""Derivatives of an image by what makes it, and how wide that is in the population."""

from __future__ import annotations

import numpy as np
import pytest

from lensml.evaluation.limit.fisher import Noise
from lensml.simulate.response import NUISANCE, images_of, jacobian, nudged, prior_width
from lensml.simulate.systems import draw_systems

NORMAL_WITHIN_3 = 0.9866  # standard deviation of a normal deviate that is cut at 3


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
    step, width = 2e-3, prior_width(realistic)
    signal = images_of(nudged(smooth, "theta_E", step), realistic, precision="float64") - image
    for i in range(len(smooth)):
        rms, t = (smooth.truth[k][i] for k in ("background_rms", "exposure_time"))
        noise = Noise.of(rms**2 + image[i] / t, derivatives[i], width)
        known, free = noise.d_fixed(signal[i]), noise.d_marginal(signal[i])
        assert known > 1
        # what is left: second order, and the prior's own d' of step / 0.2 arcsec
        assert free < 0.05 * known


# What is unknown of lens and source


def widths(domain) -> dict[str, float]:
    return dict(zip(NUISANCE, prior_width(domain), strict=True))


def test_widths_are_those_of_the_population(domain):
    found = widths(domain("euclid"))
    # 5,000 draws: a width has a relative error of 1 %
    expected = {
        "theta_E": 0.1 * NORMAL_WITHIN_3,
        "gamma": 0.0,  # isothermal, all of them
        "center_x": 0.02,
        "center_y": 0.02,
        # modulus g of mean square 0.05^2 + 0.02^2 in any direction
        "gamma1": np.sqrt((0.05**2 + 0.02**2) / 2),
        "gamma2": np.sqrt((0.05**2 + 0.02**2) / 2),
        "flux": 0.4 * np.log(10) * 1.5 / np.sqrt(12),
        "source_R_sersic": 0.2 / np.sqrt(12),
        "source_n_sersic": 1.3 / np.sqrt(12),
        "source_center_x": 0.35 / 2,  # uniform in a disc
        "source_center_y": 0.35 / 2,
        "a3_cos": 0.0,
        "a4_sin": 0.0,
    }
    for name, width in expected.items():
        assert found[name] == pytest.approx(width, rel=0.05, abs=0), name


def test_what_a_population_fixes_has_no_width(domain):
    found = widths(domain("model_ii"))
    assert {name for name, width in found.items() if width > 0} == {
        "source_center_x",
        "source_center_y",
    }


def test_the_flux_is_known_where_the_magnitude_is(domain):
    population = {"source": {"magnitude": 23.0}}
    assert widths(domain("euclid_realistic", population=population))["flux"] == 0
    assert widths(domain("euclid_realistic"))["flux"] == pytest.approx(
        0.4 * np.log(10) * 3 / np.sqrt(12), rel=0.05
    )


def test_multipoles_have_the_width_of_their_components(domain):
    found = widths(domain("euclid_l3"))
    for name in ("a3_cos", "a3_sin", "a4_cos", "a4_sin"):
        assert found[name] == pytest.approx(0.01 / np.sqrt(2), rel=0.05)


def test_two_steps_of_a_multipole_are_one_of_both_components(domain):
    camera = domain("euclid_l3", num_pix=24, refinement_factor=1)
    systems = draw_systems(camera, "no_sub", seed=1, split="val", start=0, stop=3)
    turned = nudged(nudged(systems, "a3_cos", 0.03), "a3_sin", -0.02)
    before, after = (
        t["a3_a"] * np.exp(3j * t["delta_phi_m3"]) for t in (systems.truth, turned.truth)
    )
    np.testing.assert_allclose(after - before, 0.03 - 0.02j, atol=1e-12)
    there = nudged(nudged(turned, "a3_sin", 0.02), "a3_cos", -0.03)
    image, back = (images_of(s, camera, precision="float64") for s in (systems, there))
    np.testing.assert_allclose(back, image, rtol=1e-9, atol=1e-12)


def test_derivatives_are_taken_by_the_named_parameters_alone(domain):
    camera = domain("euclid", num_pix=16, supersampling_factor=1, refinement_factor=1)
    systems = draw_systems(camera, "no_sub", seed=1, split="val", start=0, stop=2)
    every = jacobian(systems, camera)
    some = jacobian(systems, camera, names=["flux", "e1"])
    chosen = [list(NUISANCE).index(name) for name in ("flux", "e1")]
    np.testing.assert_array_equal(some, every[..., chosen])
    assert jacobian(systems, camera, names=[]).shape == (2, 256, 0)
