"""Halos and realistic profiles against lenstronomy and closed forms."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from astropy import cosmology
from lenstronomy.Cosmo.lens_cosmo import LensCosmo
from lenstronomy.LensModel.lens_model import LensModel
from lenstronomy.LensModel.Profiles.tnfw import TNFW

from lensml.physics import halos, profiles
from lensml.physics.cosmology import lens_distances
from lensml.schema.population import Cosmology

COSMOLOGY = Cosmology(H0=70.0, Om0=0.3, Ob0=0.05)


@pytest.fixture(scope="module")
def distances():
    return lens_distances(COSMOLOGY, 0.5, 1.5)


def test_critical_surface_density_and_radii_are_those_of_the_literature(distances):
    assert lens_distances(COSMOLOGY, 0.5, 1.0).sigma_crit_angle == pytest.approx(
        1.1489e11, rel=2e-4
    )
    assert distances.sigma_crit_angle == pytest.approx(8.674e10, rel=3e-4)
    for z_source, theta_E in ((1.0, 0.772), (1.5, 1.022), (2.0, 1.145)):
        found = lens_distances(COSMOLOGY, 0.5, z_source).theta_E_of_sigma_v(250.0)
        assert float(found) == pytest.approx(theta_E, abs=6e-4)


@pytest.mark.filterwarnings("ignore:Use ``angular_diameter_distance")
def test_halos_have_lenstronomys_angles(distances):
    flat: Any = cosmology.FlatLambdaCDM
    cosmo = LensCosmo(0.5, 1.5, cosmo=flat(H0=70.0, Om0=0.3, Ob0=0.05))
    for m200, c in ((1e7, 18.6), (1e9, 12.4), (1e10, 10.1)):
        found = halos.tnfw_angles(
            np.array([m200]),
            np.array([c]),
            np.array([1.0]),
            cosmology=COSMOLOGY,
            distances=distances,
        )
        Rs, alpha_Rs = cosmo.nfw_physical2angle(m200, c)
        assert found["Rs"][0] == pytest.approx(Rs, rel=1e-3)
        assert found["alpha_Rs"][0] == pytest.approx(alpha_Rs, rel=1e-3)


def test_concentrations_are_those_of_dutton_and_maccio():
    found = halos.concentration_dutton_maccio(10.0 ** np.arange(7, 11), COSMOLOGY, 0.5)
    np.testing.assert_allclose(found, [18.6, 15.2, 12.4, 10.1], atol=0.06)


@pytest.mark.parametrize(("tau", "m200", "share"), [(5, 1e8, 0.5683), (10, 1e9, 0.9307)])
def test_total_mass_of_a_truncated_halo_is_that_of_its_deflection_far_away(tau, m200, share):
    x = np.array([1e5])
    far = halos.tnfw_enclosed(x, float(tau))
    assert far[0] == pytest.approx(halos.tnfw_total_mass_factor(np.array(float(tau))), rel=1e-4)
    f_x, _ = TNFW().derivatives(
        x, np.zeros(1), Rs=1.0, alpha_Rs=1 + np.log(0.5), r_trunc=float(tau)
    )
    assert f_x[0] * x[0] == pytest.approx(far[0], rel=1e-6)
    median = halos.concentration_dutton_maccio(np.array([m200]), COSMOLOGY, 0.5)
    total = far[0] / halos.nfw_mass_factor(median)[0]
    assert total == pytest.approx(share, rel=0.02)


@pytest.mark.parametrize(
    ("model", "deflection", "kwargs"),
    [
        (
            "EPL",
            profiles.epl_deflection,
            {"theta_E": 1.2, "gamma": 2.2, "e1": 0.1, "e2": -0.2},
        ),
        ("TNFW", halos.tnfw_deflection, {"Rs": 0.1, "alpha_Rs": 0.01, "r_trunc": 0.4}),
        ("MULTIPOLE", profiles.multipole_deflection, {"m": 3, "a_m": 0.03, "phi_m": 0.4}),
        ("MULTIPOLE", profiles.multipole_deflection, {"m": 4, "a_m": -0.02, "phi_m": 1.0}),
    ],
)
def test_reference_deflections_are_lenstronomys(model, deflection, kwargs):
    rng = np.random.default_rng(1)
    x, y = rng.uniform(-3, 3, (2, 500))
    kwargs = {**kwargs, "center_x": 0.1, "center_y": -0.05}
    np.testing.assert_allclose(
        deflection(x, y, **kwargs), LensModel([model]).alpha(x, y, [kwargs]), atol=1e-10
    )


def test_a_disc_sheet_is_the_gradient_of_its_potential_and_has_its_convergence():
    disc = {"kappa": -0.02, "radius": 1.5}
    rng = np.random.default_rng(1)
    x, y = rng.uniform(-3, 3, (2, 400))
    x, y = (v[np.abs(np.hypot(x, y) - 1.5) > 0.01] for v in (x, y))
    h = 1e-5
    f_x, f_y = profiles.disc_sheet_deflection(x, y, **disc)
    psi = profiles.disc_sheet_potential
    np.testing.assert_allclose(
        (psi(x + h, y, **disc) - psi(x - h, y, **disc)) / (2 * h), f_x, atol=1e-8
    )
    h_xx, h_xy, h_yy = profiles.disc_sheet_hessian(x, y, **disc)
    inside = np.hypot(x, y) < 1.5
    np.testing.assert_allclose((h_xx + h_yy) / 2, np.where(inside, -0.02, 0), atol=1e-12)
    finite = (
        profiles.disc_sheet_deflection(x, y + h, **disc)[0]
        - profiles.disc_sheet_deflection(x, y - h, **disc)[0]
    ) / (2 * h)
    np.testing.assert_allclose(finite, h_xy, atol=1e-8)
    assert np.isfinite(f_y).all()
