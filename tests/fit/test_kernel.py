"""The model and its derivatives against the simulator and lenstronomy."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.signal import fftconvolve
from toy.configuration import DOMAINS
from toy.fits import ALL, SEED, maps_of

from lensml.fit.kernel import LN_FLUX
from lensml.fit.parameters import NAMES, parameters_of, systems_of_parameters
from lensml.fit.ray_kernel import digamma
from lensml.simulate.lenstronomy_bridge import render_with_lenstronomy
from lensml.simulate.render import render
from lensml.simulate.systems import draw_systems

# Steps of central differences, in units of the parameters.
STEP = {
    **dict.fromkeys(("gamma", "e1", "e2", "source_e1", "source_e2"), 1e-3),
    **dict.fromkeys(("ln_flux", "ln_R_sersic", "ln_n_sersic"), 1e-3),
}
GALAXIES = "model_iv"


def lenses(camera, n=4, **changes):
    """Parameters and noise of smooth lenses."""
    systems = draw_systems(camera, "no_sub", seed=SEED, split="test", start=0, stop=n)
    x = parameters_of(systems.truth)
    for name, value in changes.items():
        x[:, NAMES.index(name)] = value
    return x, systems.truth["background_rms"]


def central_differences(x, images):
    """Derivatives of ``images`` of lens systems at x, (parameters, n, n)."""
    steps = np.array([STEP.get(name, 5e-4) for name in NAMES])
    up, down = (images(systems_of_parameters(x + s * np.diag(steps))) for s in (1, -1))
    return (up - down) / (2 * steps[:, None, None])


def relative_errors(found, expected):
    """Norm of the difference over that of the expected map, of every parameter."""
    difference = (found - expected).reshape(len(expected), -1)
    return np.linalg.norm(difference, axis=1) / np.linalg.norm(
        expected.reshape(len(expected), -1), axis=1
    )


@pytest.mark.parametrize("name", [name for name in DOMAINS if name != GALAXIES])
def test_models_are_the_simulators_images_in_every_domain_with_sersic_sources(domain, name):
    camera = domain(name)
    systems = draw_systems(camera, "no_sub", seed=SEED, split="test", start=0, stop=3)
    expected = render(systems, camera, engine="numba", precision="float64")
    x, rms = parameters_of(systems.truth), systems.truth["background_rms"]
    for i in range(3):
        model = maps_of(camera, x[i], background_rms=rms[i], wanted=ALL[:1])[0]
        # As far as the simulator's own float32 images lie from its float64 ones.
        assert np.abs(model - expected[i]).max() < 2e-6 * expected[i].max()


@pytest.mark.parametrize("name", ["euclid", "euclid_l3", "hst_l1"])
def test_derivatives_are_central_differences_of_the_simulator(domain, name):
    # One ray per cell, and sources that are flat in the middle: beside a cusp the kernel's
    # derivative is that of a source without one, as far as rays can tell.
    camera = domain(name, refinement_factor=1)
    x, rms = lenses(camera, ln_n_sersic=np.log(0.5), a3_sin=0.02, a4_cos=-0.03)
    for i in range(len(x)):
        expected = central_differences(
            x[i], lambda s: render(s, camera, engine="numba", precision="float64")
        )
        maps = maps_of(camera, x[i], background_rms=rms[i] * 1e-3)
        errors = relative_errors(maps[1:], expected)
        assert errors.max() < 1e-3, (NAMES[errors.argmax()], errors.max())


def test_derivatives_of_refined_cells_are_those_of_their_means(domain):
    camera = domain("euclid_l1", refinement_factor=5)
    finest = domain("euclid_l1", supersampling_factor=15, refinement_factor=1)
    x, rms = lenses(camera, ln_n_sersic=np.log(1.5))
    for i in range(len(x)):
        # Differences of an image whose cells are all as fine: refining some of them would jump.
        expected = central_differences(
            x[i], lambda s: render(s, finest, engine="numba", precision="float64")
        )
        errors = relative_errors(maps_of(camera, x[i], background_rms=rms[i])[1:], expected)
        assert errors.max() < 0.03, (NAMES[errors.argmax()], errors.max())


@pytest.mark.parametrize("gamma", [2.0, 2.2])
def test_derivatives_are_central_differences_of_lenstronomy(domain, gamma):
    camera = domain("euclid_l1", num_pix=40, refinement_factor=1)
    (x, *_), (rms, *_) = lenses(camera, n=1, ln_n_sersic=np.log(0.5), gamma=gamma)
    with_redshifts = {"z_lens": 0.5, "z_source": 1.5}

    def images(systems):
        truth = {
            **systems.truth,
            **{k: np.full(len(systems), z) for k, z in with_redshifts.items()},
        }
        return render_with_lenstronomy(replace(systems, truth=truth), camera)

    expected = central_differences(x, images)
    errors = relative_errors(maps_of(camera, x, background_rms=rms * 1e-3)[1:], expected)
    assert errors.max() < 3e-3, (NAMES[errors.argmax()], errors.max())


def test_derivatives_are_regular_where_lens_and_source_are_round(domain):
    camera = domain("euclid_l1", refinement_factor=1)
    round_ = dict.fromkeys(("e1", "e2", "source_e1", "source_e2"), 0.0)
    (x, *_), (rms, *_) = lenses(camera, n=1, ln_n_sersic=np.log(0.5), **round_)
    expected = central_differences(
        x, lambda s: render(s, camera, engine="numba", precision="float64")
    )
    errors = relative_errors(maps_of(camera, x, background_rms=rms * 1e-3)[1:], expected)
    assert errors.max() < 1e-3, (NAMES[errors.argmax()], errors.max())


def test_only_wanted_derivatives_are_worked_out_and_are_the_same(domain):
    camera = domain("euclid_l1")
    (x, *_), (rms, *_) = lenses(camera, n=1)
    whole = maps_of(camera, x, background_rms=rms)
    wanted = np.array([1, 13])
    some = maps_of(camera, x, background_rms=rms, wanted=wanted)
    for k in range(len(NAMES)):
        expected = whole[1 + k] if k in (*wanted, LN_FLUX) else 0 * whole[0]
        np.testing.assert_allclose(
            some[1 + k], expected, rtol=1e-6, atol=1e-6 * whole[1 + k].max()
        )


def test_derivatives_are_left_out_where_they_are_far_below_the_noise(domain):
    camera = domain("euclid_l1")
    (x, *_), (rms, *_) = lenses(camera, n=1)
    usual, full = (maps_of(camera, x, background_rms=rms * k) for k in (1, 1e-6))
    assert (usual[1] == 0).sum() > (full[1] == 0).sum()
    np.testing.assert_allclose(usual[0], full[0], rtol=1e-6)
    for k in range(1, len(usual)):
        assert np.abs(usual[k] - full[k]).max() < 0.02 * np.abs(full[k]).max()


def tilted_psf(n=9):
    """A PSF that no symmetry leaves as it is."""
    y, x = np.indices((n, n)) - n // 2
    psf = np.exp(-((x - 0.4 * y) ** 2) / 2.5 - (y + 0.3) ** 2 / 1.5)
    psf[n // 2, n // 2 + 3] += 0.2
    return psf / psf.sum()


def test_an_image_of_a_psf_is_convolved_with(domain):
    camera = domain("euclid_l1", num_pix=48, refinement_factor=1)
    (x, *_), (rms, *_) = lenses(camera, n=1)
    sharp = camera.model_copy(
        update={"instrument": camera.instrument.model_copy(update={"psf_fwhm": 1e-3})}
    )
    pixels = render(systems_of_parameters(x[None]), sharp, engine="numba", precision="float64")[0]
    expected = fftconvolve(pixels, tilted_psf(), mode="same")
    found = maps_of(camera, x, background_rms=rms, psf=tilted_psf())[0]
    inner = slice(6, -6)  # at the border edge values are repeated
    difference = np.abs(found - expected)[inner, inner].max()
    assert difference < 2e-5 * expected.max()


@pytest.mark.parametrize(
    ("psf", "reason"),
    [
        (np.ones((4, 4)), r"\(4, 4\) pixels; allowed are odd squares"),
        (np.ones((3, 5)), "odd squares"),
        (np.zeros((3, 3)), "sum of its pixels is 0"),
        (np.full((3, 3), np.nan), "finite"),
    ],
)
def test_an_image_that_is_no_psf_is_refused(domain, psf, reason):
    with pytest.raises(ValueError, match=reason):
        maps_of(domain("euclid"), lenses(domain("euclid"), 1)[0][0], background_rms=1.0, psf=psf)


def test_the_digamma_function_is_scipys():
    from scipy.special import digamma as expected

    x = np.geomspace(0.1, 20, 50)
    np.testing.assert_allclose([digamma(v) for v in x], expected(x), atol=1e-8)
