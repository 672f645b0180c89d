"""The kernel against lenstronomy."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from lenstronomy.Data.imaging_data import ImageData
from lenstronomy.Data.psf import PSF
from lenstronomy.ImSim.image_model import ImageModel
from lenstronomy.LensModel.lens_model import LensModel
from lenstronomy.LightModel.light_model import LightModel
from lenstronomy.SimulationAPI.sim_api import SimAPI
from scipy import signal
from toy.systems import random_systems, subset

from lensml.physics.light import flux_of_magnitude, sersic_amplitude
from lensml.schema.simulation import Domain
from lensml.simulate.axes import ray_axis
from lensml.simulate.lenstronomy_bridge import lenstronomy_model, render_with_lenstronomy
from lensml.simulate.render import binned_gaussian, render
from lensml.simulate.systems import Systems, draw_systems

CLASSES = ["no_sub", "cdm", "vortex"]
# Largest error allowed, as a share of the peak.
TOLERANCE = {"float32": 1e-4, "float64": 1e-6}
# How far traced rays may be off, arcsec: some roundings of 1 arcsec in float32; lenstronomy itself
# in float64, which replaces a round lens by q = 0.99999999 and softens by 1e-10 arcsec.
RAY_ERROR = {"float32": 4e-7, "float64": 2e-8}


def change_of_image(systems: Systems, camera: Domain, shift: float) -> np.ndarray:
    """Largest change of each image, as a share of its peak, when its source moves by ``shift``."""
    images = render(systems, camera, engine="numba", precision="float64")
    change = np.zeros(len(systems))
    for name in ("source_center_x", "source_center_y"):
        truth = {**systems.truth, name: systems.truth[name] + shift}
        moved = Systems(systems.profile, truth, systems.offset, systems.perturbers)
        difference = render(moved, camera, engine="numba", precision="float64") - images
        change += np.abs(difference).max(axis=(1, 2))
    return change / images.max(axis=(1, 2))


@pytest.mark.parametrize("profile", ["POINT_MASS", "LINE_MASS"])
@pytest.mark.parametrize("supersampling_factor", [1, 2, 3])
def test_images_agree_with_lenstronomy(domain, supersampling_factor, profile):
    camera = domain(
        "euclid", num_pix=32, supersampling_factor=supersampling_factor, refinement_factor=1
    )
    rng = np.random.default_rng(supersampling_factor)
    systems = random_systems(rng, camera, profile, 100)
    expected = render_with_lenstronomy(systems, camera)
    peak = expected.max(axis=(1, 2))
    for precision, tolerance in TOLERANCE.items():
        found = render(systems, camera, engine="numba", precision=precision)
        assert found.dtype == precision
        error = np.abs(found - expected).max(axis=(1, 2)) / peak
        # A ray that lands within 1e-3 arcsec of the cusp of a steep source (once in thousands of
        # images) magnifies its own rounding: no image may be off by more than that explains.
        beyond = error > tolerance
        assert beyond.sum() <= 1, f"{precision}: images {np.flatnonzero(beyond)}"
        explained = change_of_image(systems, camera, RAY_ERROR[precision])
        assert (error[beyond] < explained[beyond]).all(), precision


@pytest.mark.parametrize("domain_name", ["euclid", "hst", "model_i"])
def test_images_agree_with_lenstronomy_in_every_camera(domain, domain_name):
    camera = domain(domain_name, num_pix=40, refinement_factor=1)
    for substructure in CLASSES:
        systems = draw_systems(camera, substructure, seed=1, split="val", start=0, stop=10)
        expected = render(systems, camera, engine="lenstronomy", precision="float64")
        found = render(systems, camera, engine="numba", precision="float32")
        error = np.abs(found - expected).max(axis=(1, 2)) / expected.max(axis=(1, 2))
        assert error.max() < TOLERANCE["float32"]


def test_images_agree_with_a_lenstronomy_simulation_set_up_by_hand(domain):
    """Nothing of the bridge: lenstronomy's own simulator from magnitudes and observing numbers."""
    num_pix, ss = 48, 2
    camera = domain("euclid", num_pix=num_pix, supersampling_factor=ss, refinement_factor=1)
    systems = draw_systems(camera, "cdm", seed=2, split="test", start=0, stop=4)
    found = render(systems, camera, engine="numba", precision="float64")
    band = {
        "pixel_scale": 0.101,
        "exposure_time": 566.0,
        "num_exposures": 4,
        "magnitude_zero_point": 25.72,
        "read_noise": 4.2,
        "sky_brightness": 22.3,
        "seeing": 0.16,
        "truncation": 4,
        "psf_type": "GAUSSIAN",
    }
    numerics = {"supersampling_factor": ss, "supersampling_convolution": True}
    for i in range(len(systems)):
        t = {name: float(column[i]) for name, column in systems.truth.items()}
        p = subset(systems, i).perturbers
        lens = [{k: t[k] for k in ("theta_E", "e1", "e2", "center_x", "center_y")}]
        lens += [{"gamma1": t["gamma1"], "gamma2": t["gamma2"]}]
        lens += [
            {"theta_E": theta_E, "center_x": x, "center_y": y}
            for theta_E, x, y in zip(p["theta_E"], p["center_x"], p["center_y"], strict=True)
        ]
        names = ("magnitude", "R_sersic", "n_sersic", "e1", "e2", "center_x", "center_y")
        models = {
            "lens_model_list": ["SIE", "SHEAR"] + ["POINT_MASS"] * (len(lens) - 2),
            "source_light_model_list": ["SERSIC_ELLIPSE"],
        }
        sim = SimAPI(numpix=num_pix, kwargs_single_band=band, kwargs_model=models)
        _, source, _ = sim.magnitude2amplitude(
            kwargs_source_mag=[{k: t[f"source_{k}"] for k in names}]
        )
        expected = sim.image_model_class(numerics).image(lens, source)
        assert np.abs(found[i] - expected).max() < 1e-6 * expected.max()
        assert t["background_rms"] == pytest.approx(sim.background_noise, rel=1e-12)


WINGS = {"psf_fwhm": 0.2, "psf_wings": {"fraction": 0.3, "fwhm": 0.55}}


def test_a_psf_with_wings_is_a_convolution_by_the_sum_of_its_gaussians(domain):
    """Lenstronomy's unblurred rays, convolved in two dimensions by one kernel."""
    ss, n = 2, 64
    camera = domain(
        "euclid", num_pix=n, supersampling_factor=ss, refinement_factor=1, instrument=WINGS
    )
    systems = draw_systems(camera, "cdm", seed=2, split="test", start=0, stop=4)
    step = camera.instrument.pixel_scale / ss
    offset = np.hypot(*np.meshgrid(*2 * [np.arange(-31, 32) * step]))
    kernel = np.zeros_like(offset)
    for share, fwhm in ((0.7, 0.2), (0.3, 0.55)):
        gaussian = np.exp(-0.5 * (offset / (fwhm / 2.3548200450309493)) ** 2)
        kernel += share * gaussian / gaussian.sum()
    corner = ray_axis(camera)[0]
    rays = ImageData(
        np.zeros((n * ss, n * ss)),
        ra_at_xy_0=corner,
        dec_at_xy_0=corner,
        transform_pix2angle=np.eye(2) * step,
    )
    for i in range(len(systems)):
        model = lenstronomy_model(systems, i, camera)
        sharp = ImageModel(
            rays,
            PSF("NONE"),
            lens_model_class=LensModel(model.kwargs_model["lens_model_list"]),
            source_model_class=LightModel(model.kwargs_model["source_light_model_list"]),
        ).image(model.kwargs_lens, model.kwargs_source)
        blurred = signal.fftconvolve(sharp, kernel, mode="same")
        expected = blurred.reshape(n, ss, n, ss).sum((1, 3))
        # Gaussians that end at four standard deviations lack 3e-4 of their light; at the border
        # this convolution sees darkness beyond the image.
        inner = slice(12, -12)
        for engine, precision in (("numba", "float32"), ("lenstronomy", "float64")):
            found = render(subset(systems, i), camera, engine=engine, precision=precision)[0]
            error = np.abs(found - expected)[inner, inner].max()
            assert error < 1e-3 * expected.max(), engine
        compact = domain("euclid", num_pix=n, supersampling_factor=ss, refinement_factor=1)
        other = render(subset(systems, i), compact, engine="numba", precision="float64")[0]
        assert np.abs(other - expected)[inner, inner].max() > 0.05 * expected.max()


@pytest.mark.parametrize("precision", TOLERANCE)
def test_a_psf_with_wings_is_the_same_in_either_engine(domain, precision):
    camera = domain("euclid", num_pix=32, refinement_factor=1, instrument=WINGS)
    systems = draw_systems(camera, "vortex", seed=1, split="val", start=0, stop=5)
    expected = render(systems, camera, engine="lenstronomy", precision="float64")
    found = render(systems, camera, engine="numba", precision=precision)
    error = np.abs(found - expected).max(axis=(1, 2)) / expected.max(axis=(1, 2))
    assert error.max() < TOLERANCE[precision]


def test_wings_narrower_than_the_core_are_refused(domain):
    with pytest.raises(ValueError, match=r"psf_wings.fwhm \(0.1\) must be above psf_fwhm \(0.2\)"):
        domain("euclid", instrument={"psf_fwhm": 0.2, "psf_wings": {"fraction": 0.3, "fwhm": 0.1}})


def test_a_mass_on_a_ray_does_not_blank_its_pixel(domain):
    camera = domain("euclid", num_pix=16, supersampling_factor=1)
    systems = random_systems(np.random.default_rng(5), camera, "POINT_MASS", 8)
    for images in (render(systems, camera, engine="numba", precision=p) for p in TOLERANCE):
        assert np.isfinite(images).all()
        assert (images >= 0).all()


@pytest.mark.parametrize("profile", ["POINT_MASS", "LINE_MASS"])
def test_an_image_does_not_depend_on_its_neighbours_in_the_batch(domain, profile):
    camera = domain("euclid", num_pix=16, supersampling_factor=2)
    systems = random_systems(np.random.default_rng(6), camera, profile, 6)
    together = render(systems, camera, engine="numba", precision="float32")
    for i in range(len(systems)):
        alone = render(subset(systems, i), camera, engine="numba", precision="float32")
        np.testing.assert_array_equal(alone[0], together[i])


def test_an_unlensed_source_has_its_magnitude(domain):
    camera = domain("euclid", num_pix=64, supersampling_factor=3)
    systems = subset(random_systems(np.random.default_rng(7), camera, "POINT_MASS", 8), 0)
    flux = flux_of_magnitude(22.0, camera.instrument.magnitude_zero_point)
    shape = {"R_sersic": 0.2, "n_sersic": 1.0}
    truth = {name: np.zeros(1) for name in systems.truth}
    truth |= {f"source_{name}": np.array([value]) for name, value in shape.items()}
    truth["source_amp"] = np.array([sersic_amplitude(flux, **shape)])
    truth["source_e1"] = np.array([0.1])
    bare = Systems("POINT_MASS", truth, np.zeros(2, np.int64), systems.perturbers)
    image = render(bare, camera, engine="numba", precision="float64")[0]
    # 3.2 arcsec, 16 half-light radii, hold all but exp(-26) of it; rays 0.034 arcsec apart sample
    # the cusp of an exponential disc of scale 0.12 arcsec to better than a percent.
    assert image.sum() == pytest.approx(flux, rel=1e-2)


@given(psf_fwhm=st.floats(0.05, 0.5), pixel_scale=st.floats(0.04, 0.2), ss=st.integers(1, 6))
def test_the_binned_psf_is_symmetric_and_keeps_the_flux(psf_fwhm, pixel_scale, ss):
    taps = binned_gaussian(
        psf_fwhm=psf_fwhm, psf_truncation=4.0, pixel_scale=pixel_scale, supersampling_factor=ss
    )
    assert taps.sum() == pytest.approx(pixel_scale, rel=1e-12)
    np.testing.assert_allclose(taps, taps[::-1], rtol=1e-12)
