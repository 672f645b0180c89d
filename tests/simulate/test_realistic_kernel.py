"""The kernel of realistic lenses against lenstronomy."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from lenstronomy.LightModel.light_model import LightModel

from lensml.physics import halos
from lensml.simulate.axes import ray_axis
from lensml.simulate.halo_kernel import enclosed_table, halo_deflection
from lensml.simulate.noise import add_noise
from lensml.simulate.render import render, render_lens_light, with_lens_light
from lensml.simulate.systems import Systems, draw_systems

CLASSES = ["no_sub", "cdm", "vortex"]
TOLERANCE = {"float32": 1e-4, "float64": 1e-6}
REALISTIC = ["euclid_realistic", "hst_realistic", "roman_realistic", "euclid_l3", "lsst_realistic"]
REALISTIC += ["model_iv"]


@pytest.mark.parametrize("substructure", CLASSES)
@pytest.mark.parametrize("name", REALISTIC)
def test_realistic_images_agree_with_lenstronomy(domain, name, substructure, record_property):
    camera = domain(name, num_pix=24, supersampling_factor=2, refinement_factor=1)
    systems = draw_systems(camera, substructure, seed=4, split="val", start=0, stop=8)
    expected = render(systems, camera, engine="lenstronomy", precision="float64")
    peak = expected.max(axis=(1, 2))
    for precision, tolerance in TOLERANCE.items():
        found = render(systems, camera, engine="numba", precision=precision)
        error = (np.abs(found - expected).max(axis=(1, 2)) / peak).max()
        record_property(f"max error / peak, {precision}", f"{error:.1e}")
        assert error < tolerance


def test_steep_and_shallow_power_laws_agree_with_lenstronomy(domain):
    camera = domain("euclid_l3", num_pix=24, supersampling_factor=3, refinement_factor=1)
    systems = draw_systems(camera, "no_sub", seed=4, split="val", start=0, stop=40)
    truth = dict(systems.truth)
    truth["gamma"] = np.linspace(1.5, 2.6, 40)
    truth["a3_a"], truth["a4_a"] = np.linspace(-0.05, 0.05, 40), np.linspace(0.05, -0.05, 40)
    truth["e1"], truth["e2"] = np.linspace(0, 0.3, 40), np.linspace(0.2, 0, 40)
    systems = replace(systems, truth=truth)
    expected = render(systems, camera, engine="lenstronomy", precision="float64")
    for precision, tolerance in TOLERANCE.items():
        found = render(systems, camera, engine="numba", precision=precision)
        error = np.abs(found - expected).max(axis=(1, 2)) / expected.max(axis=(1, 2))
        assert error.max() < tolerance


def test_the_table_of_halos_keeps_the_closed_form():
    rng = np.random.default_rng(0)
    tau = 10 ** rng.uniform(-0.5, 2.5, 300)
    x = 10 ** rng.uniform(-2.5, 3, 300)
    table, found, expected = enclosed_table(), [], []
    for t, r in zip(tau, x, strict=True):
        halo = np.array([[1.0, 1.0, 1.0, t]])  # theta_N = Rs = 1
        for into, use in ((found, table), (expected, np.empty((0, 0), np.float32))):
            kind = np.float32 if use.size else np.float64
            ax, ay = np.empty((2, 2), kind), np.empty((2, 2), kind)
            row = np.empty(use.shape[1], np.float32)
            halo_deflection(ax, ay, np.array([0.0, r]), np.zeros((1, 2)), halo, use, row)
            into.append(ax[0, 1])
    np.testing.assert_allclose(found, expected, rtol=7e-5)  # 6.6e-5 for a ray at 1e-3 Rs
    np.testing.assert_allclose(expected, halos.tnfw_enclosed(x, tau) / x, rtol=1e-9)


def test_refinement_finds_the_cusp_that_single_rays_miss(domain):
    camera = domain("euclid_realistic", refinement_factor=1)
    systems = draw_systems(camera, "no_sub", seed=11, split="val", start=0, stop=12)
    # Unlensed, steep and small: the sum over a pixel is that of many rays.
    truth = dict(systems.truth)
    for name in ("theta_E", "gamma1", "gamma2", "a3_a", "a4_a"):
        truth[name] = np.zeros(12)
    truth |= {"source_n_sersic": np.full(12, 4.0), "source_R_sersic": np.full(12, 0.1)}
    steep = Systems(systems.profile, truth, systems.offset, systems.perturbers)

    def image(ss: int, factor: int) -> np.ndarray:
        changed = {"supersampling_factor": ss, "refinement_factor": factor}
        camera_then = camera.model_copy(update=changed)
        return render(steep, camera_then, engine="numba", precision="float64")

    expected = image(45, 1)
    peak = expected.max((1, 2))
    single, refined = (np.abs(image(5, k) - expected).max((1, 2)) / peak for k in (1, 9))
    assert np.median(single) > 0.02
    assert refined.max() < 0.005


def test_light_of_the_lens_agrees_with_lenstronomy(domain):
    camera = domain("euclid_realistic")
    systems = draw_systems(camera, "no_sub", seed=1, split="val", start=0, stop=5)
    light = render_lens_light(systems, camera, precision="float64")
    assert light is not None
    # What is left of the flux of the profile inside the frame, by a fine sum without a PSF.
    fine = camera.model_copy(update={"supersampling_factor": 21})
    axis = ray_axis(fine)
    x, y = np.meshgrid(axis, axis)
    for i in range(5):
        t = {k: float(v[i]) for k, v in systems.truth.items()}
        names = ("amp", "R_sersic", "n_sersic", "e1", "e2")
        kwargs = {name: t[f"lens_light_{name}"] for name in names}
        kwargs |= {"center_x": t["center_x"], "center_y": t["center_y"]}
        flux = LightModel(["SERSIC_ELLIPSE"]).surface_brightness(x, y, [kwargs]).sum()
        flux *= (axis[1] - axis[0]) ** 2
        assert light[i].sum() == pytest.approx(flux, rel=5e-3)


def test_subtracted_light_leaves_its_noise(domain):
    camera = domain("euclid_realistic", num_pix=24)
    systems = draw_systems(camera, "no_sub", seed=1, split="val", start=0, stop=400)
    arcs = render(systems, camera, engine="numba", precision="float32")
    clean, subtracted = with_lens_light(arcs, systems, camera, precision="float32")
    assert subtracted is not None
    light = render_lens_light(systems, camera, precision="float32")
    residual = systems.truth["lens_light_residual"][:, None, None]
    np.testing.assert_allclose(clean, arcs + residual * light, rtol=2e-4, atol=1e-5)
    noisy = add_noise(
        clean, systems, seed=1, domain="x", split="val", start=0, subtracted=subtracted
    )
    t = systems.truth
    total = clean + subtracted
    variance = (
        t["background_rms"][:, None, None] ** 2
        + np.maximum(total, 0) / t["exposure_time"][:, None, None]
    )
    z2 = ((noisy - clean) ** 2 / variance).ravel()
    assert abs(z2.mean() - 1) < 4 * np.sqrt(2 / z2.size)
