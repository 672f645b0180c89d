"""What sampling by rays does to an image: as a share of its peak, and in units of its noise."""

from __future__ import annotations

import numpy as np
import pytest
from toy.configuration import CONFIG_DIR, DEFAULT, DOMAINS, load_files

from lensml.simulate.light_kernel import average_cells, mark_position
from lensml.simulate.noise import noise_variance
from lensml.simulate.render import render, render_lens_light
from lensml.simulate.systems import draw_systems

CLASSES = ["no_sub", "cdm", "vortex"]
FINEST = {"supersampling_factor": 15, "refinement_factor": 8}
SINGLE_RAYS = "model_ii_asis"  # as published
OF_OVERLAYS = {
    "pairs.yaml": ["euclid_wide_psf", "euclid_narrow_psf", "euclid_macro", "lsst"],
    "development.yaml": ["model_ii_roman"],
}
N_IMAGES = {"jwst_realistic": 4, "model_i": 4}  # larger ones
OVERLAY_OF = {name: file for file, names in OF_OVERLAYS.items() for name in names}


def errors_of(camera, substructure, n):
    """Largest error over the peak, and d' of the error, of n images; (n,) each.

    d' is what an observer would tell the image from the converged one with, who knows both.
    """
    systems = draw_systems(camera, substructure, seed=11, split="val", start=0, stop=n)
    found, expected = (
        render(systems, c, engine="numba", precision="float32").astype(float)
        for c in (camera, camera.model_copy(update=FINEST))
    )
    light = render_lens_light(systems, camera, precision="float32")
    exposure = {k: systems.truth[k][:, None, None] for k in ("background_rms", "exposure_time")}
    variance = noise_variance(expected + (0 if light is None else light), **exposure)
    error = found - expected
    of_peak = np.abs(error).max((1, 2)) / expected.max((1, 2))
    return of_peak, np.sqrt((error**2 / variance).sum((1, 2)))


@pytest.mark.parametrize("substructure", CLASSES)
@pytest.mark.parametrize("name", [*sorted(set(DOMAINS) - {SINGLE_RAYS}), *OVERLAY_OF])
def test_no_image_of_a_shipped_domain_can_be_told_from_the_converged_one(
    domain, name, substructure, record_property
):
    overlay = OVERLAY_OF.get(name)
    camera = load_files(DEFAULT, CONFIG_DIR / overlay).domain(name) if overlay else domain(name)
    of_peak, d_prime = errors_of(camera, substructure, N_IMAGES.get(name, 8))
    record_property("max error / peak", f"{of_peak.max():.2%}")
    record_property("max d' of the error", f"{d_prime.max():.2f}")
    assert of_peak.max() < 0.01
    assert d_prime.max() < 1


def test_the_published_single_ray_is_off_by_many_times_the_noise(domain):
    of_peak, d_prime = errors_of(domain(SINGLE_RAYS), "no_sub", 8)
    # what its comment and config/README say
    assert np.median(of_peak) == pytest.approx(0.05, abs=0.01)
    assert np.median(d_prime) == pytest.approx(16, abs=2)


def test_the_mean_over_a_cell_is_exact_for_cubic_brightness():
    axis = np.arange(9.0)
    x, y = axis[None, :], axis[:, None]
    middle = 3 + x**3 - 2 * x**2 * y + 0.5 * y**3 + x * y + 1000
    # integral over unit cells: x^3 gains x / 4, x^2 y gains y / 12, y^3 gains y / 4
    mean = middle + x / 4 - y / 6 + y / 8
    fine, here, before = middle.copy(), np.empty(9), np.empty(9)
    average_cells(fine, here, before)
    inner = slice(1, -1)
    np.testing.assert_allclose(fine[inner, inner], mean[inner, inner], rtol=1e-13)
    # a border bends along itself alone
    np.testing.assert_allclose(fine[0, inner], (middle + x / 4)[0, inner], rtol=1e-13)


def test_averaging_cells_makes_no_light_negative():
    rng = np.random.default_rng(0)
    fine = np.where(rng.random((40, 40)) < 0.3, rng.random((40, 40)), 0).astype(np.float32)
    average_cells(fine, np.empty(40, np.float32), np.empty(40, np.float32))
    assert fine.min() >= 0


@pytest.mark.parametrize(
    ("x", "y", "rows", "columns"),
    [
        (0.2, -1.3, (2, 5), (4, 7)),
        (-4.9, 4.9, (8, 10), (0, 2)),  # in a corner
        (-5.9, 0.1, (4, 7), (0, 1)),  # beyond the border, beside it
        (9.0, 0.0, (0, 0), (0, 0)),
    ],
)
def test_cells_about_a_mass_are_refined(x, y, rows, columns):
    axis = np.arange(10) - 4.5
    expected = np.zeros((10, 10), bool)
    expected[slice(*rows), slice(*columns)] = True
    found = np.zeros((10, 10), bool)
    mark_position(found, x, y, axis)
    np.testing.assert_array_equal(found, expected)
