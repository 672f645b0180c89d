"""A stored system is that of its image."""

from __future__ import annotations

import numpy as np
import pytest

from lensml.data.store import open_store
from lensml.simulate.lenstronomy_bridge import image_model, to_lenstronomy
from lensml.simulate.noise import noise_variance

CLASSES = ["no_sub", "cdm", "vortex"]


@pytest.mark.parametrize("domain_name", ["euclid", "model_ii"])
@pytest.mark.parametrize("substructure", CLASSES)
def test_a_stored_image_is_what_lenstronomy_renders_plus_noise(
    domain, simulate_store, tmp_path, domain_name, substructure
):
    camera = domain(domain_name, num_pix=40)
    path = simulate_store(tmp_path, camera, substructure, n_images=8)
    store = open_store(path)
    images = store.image.load()
    chi2 = np.empty((8, 40, 40))
    for i in range(8):
        model = to_lenstronomy(path, i)
        expected = image_model(model, camera).image(model.kwargs_lens, model.kwargs_source)
        variance = noise_variance(
            expected,
            background_rms=store.truth["background_rms"][i],
            exposure_time=store.truth["exposure_time"][i],
        )
        chi2[i] = (images[i] - expected) ** 2 / variance
    # The mean of n values of chi^2 with one degree of freedom scatters by sqrt(2 / n) = 1.25 %.
    assert abs(chi2.mean() - 1) < 4 * np.sqrt(2 / chi2.size)
    # Also image by image: a wrong system would stand out by hundreds.
    assert np.abs(chi2.mean(axis=(1, 2)) - 1).max() < 4.5 * np.sqrt(2 / 1600)


def test_a_stored_system_belongs_to_its_own_image(domain, simulate_store, tmp_path):
    """The check above can fail: the system of the next image does not explain this one."""
    camera = domain("euclid", num_pix=40)
    path = simulate_store(tmp_path, camera, "cdm", n_images=2)
    store = open_store(path)
    model = to_lenstronomy(path, 1)
    wrong = image_model(model, camera).image(model.kwargs_lens, model.kwargs_source)
    residual = (store.image.load()[0] - wrong) / store.truth["background_rms"][0]
    assert (residual**2).mean() > 2


def test_lenstronomy_takes_a_stored_system_in_its_own_terms(domain, simulate_store, tmp_path):
    path = simulate_store(tmp_path, domain("euclid", num_pix=16), "cdm", n_images=6)
    truth = open_store(path).truth
    model = to_lenstronomy(path, 5)  # in the second block
    assert model.kwargs_model["lens_model_list"][:3] == ["SIE", "SHEAR", "POINT_MASS"]
    assert len(model.kwargs_lens) == 2 + truth["n_perturbers"][5]
    assert model.kwargs_lens[0]["theta_E"] == truth["theta_E"][5]
    assert model.kwargs_model["source_light_model_list"] == ["SERSIC_ELLIPSE"]
    assert model.kwargs_source[0]["amp"] == truth["source_amp"][5]
    assert model.kwargs_model["lens_light_model_list"] == model.kwargs_lens_light == []


@pytest.mark.parametrize("index", [-1, 6, 1000])
def test_a_system_outside_the_store_is_refused(domain, simulate_store, tmp_path, index):
    path = simulate_store(tmp_path, domain("euclid", num_pix=8), "no_sub", n_images=6)
    with pytest.raises(IndexError, match=f"holds images 0 to 5, asked for {index}"):
        to_lenstronomy(path, index)


def test_both_engines_make_the_same_dataset(domain, simulate_store, tmp_path):
    camera = domain("euclid", num_pix=16, refinement_factor=1)
    stores = [
        open_store(simulate_store(tmp_path / engine, camera, "vortex", n_images=6, engine=engine))
        for engine in ("numba", "lenstronomy")
    ]
    numba_images, lenstronomy_images = (store.image.load() for store in stores)
    # 1e-4 of the peak in the image, and the noise follows it through its square root.
    peak = lenstronomy_images.max(axis=(1, 2), keepdims=True)
    assert (np.abs(numba_images - lenstronomy_images) / peak).max() < 3e-4
