"""What an observer knows, and images that nobody can fit."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from toy.fits import fit_spec, simulated

from lensml.data.fits import OUTCOMES
from lensml.data.store import open_store
from lensml.fit.observed import EXPOSURE, SUBTRACTED, Observed, light_templates, observe, observed
from lensml.fit.smooth import SmoothFitter
from lensml.simulate.dataset import pool_unlabelled
from lensml.simulate.render import with_lens_light

N = 4


def hostile(image: np.ndarray, rms: float) -> dict[str, tuple[np.ndarray, str]]:
    """Images that are no lenses, and what becomes of them."""
    with_nan, with_inf = image.copy(), image.copy()
    with_nan[5, 5], with_inf[40, 3] = np.nan, -np.inf
    noise = np.random.default_rng(0).normal(0, rms, image.shape)
    return {
        "a pixel is NaN": (with_nan, "not_finite"),
        "a pixel is infinite": (with_inf, "not_finite"),
        "all are NaN": (np.full_like(image, np.nan), "not_finite"),
        "empty": (np.zeros_like(image), "no_light"),
        "constant": (np.full_like(image, 100 * rms), "no_light"),
        "negative": (-np.abs(image), "no_light"),
        "noise": (noise, "no_light"),
    }


@pytest.fixture(scope="module")
def images(bright) -> Observed:
    return simulated(bright, "no_sub", N)[1]


@pytest.mark.parametrize("substructure", ["no_sub", "cdm"])
def test_images_without_a_store_are_those_of_one(tmp_path, bright, simulate_store, substructure):
    store = open_store(simulate_store(tmp_path, bright, substructure, "test", n_images=N))
    kept = observed(store, 0, N)
    systems, images = observe(bright, substructure, n=N, seed=1, split="test")
    np.testing.assert_array_equal(images.image, kept.image)
    np.testing.assert_array_equal(systems.truth["system_id"], store.truth["system_id"])
    np.testing.assert_array_equal(images.background_rms, kept.background_rms)
    assert images.subtracted is not None
    assert kept.subtracted is not None
    np.testing.assert_allclose(images.subtracted, kept.subtracted, rtol=1e-5, atol=1e-6)


@pytest.fixture(scope="module")
def among_others(bright, fitter, reference_of, images):
    """Fits of hostile images between good ones."""
    bad = hostile(images.image[0], images.background_rms[0])
    stack = [images.image[0], *(image for image, _ in bad.values()), images.image[1]]
    rows = [0] * (len(stack) - 1) + [1]
    assert images.subtracted is not None
    mixed = Observed(
        np.array(stack, np.float32),
        images.background_rms[rows],
        images.exposure_time[rows],
        images.subtracted[rows],
    )
    return mixed, list(fitter.fit(mixed, reference_of(bright)))


def test_what_cannot_be_fitted_is_a_row_that_says_why(among_others, images):
    bad = hostile(images.image[0], images.background_rms[0])
    mixed, fits = among_others
    assert len(fits) == len(mixed) == len(bad) + 2
    assert [f.outcome for f in fits[1:-1]] == [outcome for _, outcome in bad.values()]
    assert {f.outcome for f in fits} <= set(OUTCOMES)
    for f in fits[1:-1]:
        assert np.isnan(f.parameters).all()
        assert np.isnan(f.errors).all()
        assert np.isnan(f.chi2)
        assert f.evaluations == 0
        assert np.isfinite([f.residual, f.model]).all()
        assert (f.model == 0).all()
        assert f.explained is None


def test_the_others_are_fitted_as_if_it_were_not_there(
    among_others, bright, fitter, reference_of, images
):
    _, fits = among_others
    alone = list(fitter.fit(images, reference_of(bright)))
    for found, expected in ((fits[0], alone[0]), (fits[-1], alone[1])):
        assert found.outcome == "fitted"
        np.testing.assert_array_equal(found.residual, expected.residual)
        np.testing.assert_array_equal(found.parameters, expected.parameters)


def test_the_residual_of_what_has_no_light_is_the_image_over_its_noise(among_others):
    mixed, fits = among_others
    empty = fits[1 + list(hostile(mixed.image[0], 1.0)).index("empty")]
    np.testing.assert_array_equal(empty.residual, 0)
    noise = fits[-2]
    assert 0.8 < noise.residual.std() < 1  # photons of what was subtracted are there, too
    assert noise.residual.mean() == pytest.approx(0, abs=0.05)


@pytest.mark.parametrize("name", EXPOSURE)
@pytest.mark.parametrize("value", [np.nan, 0.0, -1.0, np.inf])
def test_without_a_noise_nothing_is_fitted(fitter, reference_of, bright, images, name, value):
    column = getattr(images, name).copy()
    column[1] = value
    fits = list(fitter.fit(replace(images, **{name: column}), reference_of(bright)))
    assert [f.outcome for f in fits] == ["fitted", "unknown_noise", "fitted", "fitted"]
    np.testing.assert_array_equal(fits[1].residual, 0)


def test_light_that_is_not_known_is_a_noise_that_is_not_known(
    fitter, reference_of, bright, images
):
    assert images.subtracted is not None
    light = images.subtracted.copy()
    light[2, 0, 0] = np.nan
    fits = list(fitter.fit(replace(images, subtracted=light), reference_of(bright)))
    assert [f.outcome for f in fits] == ["fitted", "fitted", "unknown_noise", "fitted"]


@pytest.mark.parametrize("factor", [1e-25, 1e12, 1e30])
def test_a_unit_that_no_source_reaches_ends_nothing(fitter, reference_of, bright, images, factor):
    """Finite numbers whose squares are not: whatever is found is written down."""
    scaled = Observed(
        (images.image * np.float32(factor)),
        images.background_rms * factor,
        images.exposure_time / factor,
        None,
    )
    for f in fitter.fit(scaled, reference_of(bright)):
        assert f.outcome in OUTCOMES
        assert np.isfinite([f.residual, f.model]).all()


def test_smooth_lenses_have_light_and_noise_alone_has_none(domain):
    """Nothing that is drawn is thrown away for being faint; hardly any noise is a lens."""
    camera = domain("euclid_l3")
    _, faint = simulated(camera, "no_sub", 200)
    assert all(faint.problem(i) is None for i in range(200))
    rng = np.random.default_rng(1)
    noise = rng.standard_normal((300, 64, 64)).astype(np.float32)
    nothing = Observed(noise, np.ones(300), np.full(300, 1e3))
    assert np.mean([nothing.problem(i) == "no_light" for i in range(300)]) > 0.98


def test_subtracted_light_is_the_simulators(domain, simulate_store, tmp_path):
    camera = domain("euclid_l1", num_pix=24)
    store = open_store(simulate_store(tmp_path, camera, "cdm", n_images=N))
    found = observed(store, 1, N)
    from lensml.simulate.render import render
    from lensml.simulate.stored import systems_of

    systems = systems_of(store, 1, N)
    clean = render(systems, camera, engine="numba", precision="float32")
    _, light = with_lens_light(clean, systems, camera, precision="float32")
    np.testing.assert_array_equal(found.subtracted, light)
    np.testing.assert_array_equal(found.image, store.image.load()[1:])
    np.testing.assert_array_equal(found.exposure_time, store.truth["exposure_time"][1:])


def test_nothing_of_the_truth_is_read_but_what_an_observer_knows(domain, simulate_store, tmp_path):
    camera = domain("euclid_l1", num_pix=24)
    store = open_store(simulate_store(tmp_path, camera, "cdm", n_images=N))
    hidden = {
        name: column if name in (*EXPOSURE, *SUBTRACTED) else np.full(len(column), np.nan)
        for name, column in store.truth.items()
    }
    known, all_known = observed(replace(store, truth=hidden), 0, N), observed(store, 0, N)
    for name in ("image", *EXPOSURE, "subtracted"):
        np.testing.assert_array_equal(getattr(known, name), getattr(all_known, name))


def test_where_no_light_was_subtracted_the_exposure_is_all_that_is_known(
    domain, simulate_store, tmp_path
):
    camera = domain("euclid", num_pix=24)
    store = open_store(simulate_store(tmp_path, camera, "cdm", n_images=N))
    exposure = {name: store.truth[name] for name in EXPOSURE}
    assert observed(replace(store, truth=exposure), 0, N).subtracted is None


def test_a_pool_whose_domain_is_not_known_is_refused(domain, simulate_store, tmp_path):
    camera = domain("euclid", num_pix=24)
    labelled = simulate_store(tmp_path, camera, "cdm", n_images=N)
    pool_unlabelled(tmp_path / "pool.zarr", [labelled], seed=0)
    with pytest.raises(ValueError, match=r"pool.zarr: does not say in which domain"):
        observed(open_store(tmp_path / "pool.zarr"), 0, N)


def test_templates_are_there_where_a_population_has_lens_light(domain):
    assert len(light_templates(domain("euclid"))) == 0
    templates = light_templates(domain("euclid_l1"))
    assert templates.shape == (3, 64 * 64)
    assert (np.diff(templates.max(1)) < 0).all()  # the more extended, the lower
    assert ((templates.sum(1) > 0.5) & (templates.sum(1) < 1)).all()  # of flux one, seen in part


def test_a_fitter_for_observed_galaxies_is_refused(domain):
    with pytest.raises(ValueError, match="model_iv"):
        SmoothFitter(domain("model_iv"), fit_spec())
