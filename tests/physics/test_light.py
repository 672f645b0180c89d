"""Light: Sersic profiles, fluxes and backgrounds against lenstronomy."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from lenstronomy.LightModel.light_model import LightModel
from lenstronomy.SimulationAPI.sim_api import SimAPI
from lenstronomy.Util import data_util
from scipy import integrate
from toy.systems import positions

from lensml.physics.ellipticity import polar_to_cartesian
from lensml.physics.light import (
    background_rms,
    flux_of_magnitude,
    sersic_amplitude,
    sersic_surface_brightness,
)


def sersic_of(rng: np.random.Generator, n_sersic: float) -> dict[str, float]:
    e1, e2 = polar_to_cartesian(rng.uniform(0, 0.4), rng.uniform(0, np.pi))
    return {
        "amp": rng.uniform(0.1, 10),
        "R_sersic": rng.uniform(0.1, 0.6),
        "n_sersic": n_sersic,
        "e1": e1,
        "e2": e2,
        "center_x": rng.normal(0, 0.3),
        "center_y": rng.normal(0, 0.3),
    }


@pytest.mark.parametrize("n_sersic", [0.5, 1.0, 1.7, 2.5, 4.0])
def test_sersic_brightness_agrees_with_lenstronomy(n_sersic):
    rng = np.random.default_rng(4)
    for _ in range(5):
        source = sersic_of(rng, n_sersic)
        x, y = positions(rng)
        x[1], y[1] = source["center_x"], source["center_y"]  # where the radius is floored
        expected = LightModel(["SERSIC_ELLIPSE"]).surface_brightness(x, y, [source])
        found = sersic_surface_brightness(x, y, **source)
        np.testing.assert_allclose(found, expected, rtol=1e-10)


@pytest.mark.parametrize("n_sersic", [0.5, 1.0, 2.0, 4.0])
def test_sersic_amplitude_integrates_to_the_flux(n_sersic):
    flux, R_sersic = 7.3, 0.4
    amp = sersic_amplitude(flux, R_sersic=R_sersic, n_sersic=n_sersic)
    shape = {"amp": amp, "R_sersic": R_sersic, "n_sersic": n_sersic}
    round_source = {**shape, "e1": 0.0, "e2": 0.0, "center_x": 0.0, "center_y": 0.0}

    def ring(log_r):
        r = np.exp(log_r)
        at = np.array([r]), np.zeros(1)
        return 2 * np.pi * r**2 * sersic_surface_brightness(*at, **round_source)[0]

    # In log r out to 1e4 arcsec, where nothing is left. Flooring the radius at 1e-4 arcsec takes
    # less than pi (1e-4)^2 I(0) from the centre: 3e-5 of the flux for n = 4.
    total, _ = integrate.quad(ring, np.log(1e-9), np.log(1e4), limit=500, epsrel=1e-8)
    assert total == pytest.approx(flux, rel=5e-5)


@pytest.mark.parametrize("n_sersic", [0.5, 1.0, 2.0, 4.0])
def test_sersic_amplitude_equals_that_of_lenstronomy(n_sersic):
    magnitude, zero_point = 21.3, 25.72
    shape = sersic_of(np.random.default_rng(5), n_sersic)
    model = LightModel(["SERSIC_ELLIPSE"])
    by_magnitude = {k: v for k, v in shape.items() if k != "amp"} | {"magnitude": magnitude}
    (theirs,) = data_util.magnitude2amplitude(model, [by_magnitude], zero_point)
    flux = flux_of_magnitude(magnitude, zero_point)
    ours = sersic_amplitude(flux, R_sersic=shape["R_sersic"], n_sersic=n_sersic)
    assert ours == pytest.approx(theirs["amp"], rel=1e-10)


@given(magnitude=st.floats(15, 30), zero_point=st.floats(22, 29))
def test_fluxes_of_magnitudes_agree_with_lenstronomy(magnitude, zero_point):
    expected = data_util.magnitude2cps(magnitude, zero_point)
    assert flux_of_magnitude(magnitude, zero_point) == pytest.approx(expected, rel=1e-12)


def test_background_of_euclid_vis_has_its_reference_value():
    found = background_rms(
        exposure_time=566.0,
        num_exposures=4,
        read_noise=4.2,
        sky_brightness=22.3,
        magnitude_zero_point=25.72,
        pixel_scale=0.101,
    )
    assert found == pytest.approx(0.010904382, abs=5e-10)  # e-/s per pixel


@pytest.mark.parametrize("domain_name", ["euclid", "hst", "model_ii", "model_iii"])
def test_background_agrees_with_lenstronomy_for_every_camera(default_config, domain_name):
    instrument = default_config.domain(domain_name).instrument
    names = ("exposure_time", "num_exposures", "read_noise", "sky_brightness", "pixel_scale")
    given_values = {name: getattr(instrument, name) for name in names}
    given_values["magnitude_zero_point"] = instrument.magnitude_zero_point
    band = {**given_values, "seeing": instrument.psf_fwhm, "psf_type": "GAUSSIAN"}
    sim = SimAPI(numpix=8, kwargs_single_band=band, kwargs_model={})
    assert background_rms(**given_values) == pytest.approx(sim.background_noise, rel=1e-12)
