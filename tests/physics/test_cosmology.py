"""Distances, critical surface densities and Einstein radii against reference values."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import pytest
from astropy.cosmology import FlatLambdaCDM
from hypothesis import given
from hypothesis import strategies as st
from lenstronomy.Cosmo.lens_cosmo import LensCosmo

from lensml.physics.cosmology import (
    ARCSEC_PER_RADIAN,
    SPEED_OF_LIGHT,
    LensDistances,
    de_broglie_wavelength,
    lens_distances,
)
from lensml.schema.population import Cosmology

COSMOLOGY = Cosmology(H0=70.0, Om0=0.3, Ob0=0.05)


@pytest.fixture
def distances() -> LensDistances:
    return lens_distances(COSMOLOGY, 0.5, 1.0)


def test_distances_have_their_reference_values(distances):
    # Flat LambdaCDM, H0 = 70, Om0 = 0.3, z = 0.5 and 1.0; the values are given to 0.01 Mpc.
    found = [distances.D_L, distances.D_S, distances.D_LS]
    np.testing.assert_allclose(found, [1259.08, 1651.91, 707.60], rtol=0, atol=0.005)
    assert distances.kpc_per_arcsec == pytest.approx(6.1042, abs=5e-5)


@given(
    H0=st.floats(50, 90),
    Om0=st.floats(0.05, 0.95),
    z_lens=st.floats(0.05, 1.5),
    behind=st.floats(0.05, 4),
)
def test_distances_are_astropys_to_the_last_bit(H0, Om0, z_lens, behind):
    z_source = z_lens + behind
    flat: Any = cast(Any, FlatLambdaCDM)(H0=H0, Om0=Om0, Ob0=0.04)
    found = lens_distances(Cosmology(H0=H0, Om0=Om0, Ob0=0.04), z_lens, z_source)
    assert flat.angular_diameter_distance(z_lens).value == found.D_L
    assert flat.angular_diameter_distance(z_source).value == found.D_S
    assert flat.angular_diameter_distance(z_lens, z_source).value == found.D_LS
    published = lens_distances(Cosmology(H0=H0, Om0=Om0, Ob0=0.04), z_lens, z_source, "luminosity")
    assert flat.luminosity_distance(z_lens).value == published.D_L
    assert flat.luminosity_distance(z_source).value == published.D_S


@pytest.mark.parametrize(("z_source", "expected"), [(1.0, 1.1489e11), (1.5, 8.676e10)])
def test_critical_surface_density_has_its_reference_value(z_source, expected):
    # Msun / arcsec^2, given to four or five digits.
    found = lens_distances(COSMOLOGY, 0.5, z_source).sigma_crit_angle
    assert found == pytest.approx(expected, rel=6e-5)


def test_critical_surface_density_per_kpc2_has_its_reference_value(distances):
    per_kpc2 = distances.sigma_crit_angle / distances.kpc_per_arcsec**2
    assert per_kpc2 == pytest.approx(3.0833e9, rel=2e-5)  # Msun / kpc^2


@pytest.mark.parametrize(
    ("mass", "theta_E"),
    [(1e6, 0.00166), (1e8, 0.01665), (1e9, 0.05264), (3e10, 0.28830), (1e12, 1.66452)],
)
def test_einstein_radius_of_a_point_mass_has_its_reference_value(distances, mass, theta_E):
    assert float(distances.theta_E_of_mass(mass)) == pytest.approx(theta_E, abs=5e-6)


# lenstronomy 1.13 calls a method that astropy 8 deprecates.
@pytest.mark.filterwarnings("ignore::astropy.utils.exceptions.AstropyDeprecationWarning")
@pytest.mark.parametrize(("z_lens", "z_source"), [(0.5, 1.0), (0.2, 0.6), (0.8, 2.5)])
def test_distances_and_masses_agree_with_lenstronomy(z_lens, z_source):
    ours = lens_distances(COSMOLOGY, z_lens, z_source)
    # astropy's class decorator hides the type of its classes.
    cosmology = cast(Any, FlatLambdaCDM)(H0=70, Om0=0.3, Ob0=0.05)
    theirs = LensCosmo(z_lens, z_source, cosmo=cosmology)
    expected = [theirs.dd, theirs.ds, theirs.dds]
    np.testing.assert_allclose([ours.D_L, ours.D_S, ours.D_LS], expected, rtol=1e-10)
    # lenstronomy rounds G and Msun to four digits.
    assert ours.sigma_crit_angle == pytest.approx(theirs.sigma_crit_angle, rel=4e-4)


@pytest.mark.parametrize(("z_source", "theta_E"), [(1.0, 0.772), (1.5, 1.022), (2.0, 1.145)])
def test_250_km_per_s_has_the_reference_einstein_radius(z_source, theta_E):
    distances = lens_distances(COSMOLOGY, 0.5, z_source)
    # theta_E is given to 0.0005 of about 1, and sigma_v goes with its square root.
    assert float(distances.sigma_v_of_theta_E(theta_E)) == pytest.approx(250.0, rel=4e-4)


def test_velocity_dispersion_inverts_the_isothermal_sphere(distances):
    sigma_v = np.array([200.0, 260.0, 320.0])
    theta_E = 4 * np.pi * (sigma_v / SPEED_OF_LIGHT) ** 2 * distances.D_LS / distances.D_S
    found = distances.sigma_v_of_theta_E(theta_E * ARCSEC_PER_RADIAN)
    np.testing.assert_allclose(found, sigma_v, rtol=1e-12)


def test_luminosity_distances_shrink_einstein_radii_as_published(distances):
    published = lens_distances(COSMOLOGY, 0.5, 1.0, "luminosity")
    theta_E = float(published.theta_E_of_mass(1e12))
    assert theta_E == pytest.approx(1.28149, abs=5e-6)
    ratio = theta_E / float(distances.theta_E_of_mass(1e12))
    assert ratio == pytest.approx(0.7699, abs=5e-5)


@pytest.mark.parametrize(("z_lens", "z_source"), [(0.5, 0.5), (1.0, 0.5), (0.0, 1.0)])
def test_a_source_in_front_of_the_lens_is_refused(z_lens, z_source):
    with pytest.raises(ValueError, match="0 < z_lens < z_source"):
        lens_distances(COSMOLOGY, z_lens, z_source)


def test_de_broglie_wavelength_has_its_reference_values(distances):
    assert de_broglie_wavelength(-22.0, 100.0) == pytest.approx(1.205)
    # 1e-23 eV at 250 km/s: 4.82 kpc, which is 0.79 arcsec at z = 0.5.
    length = de_broglie_wavelength(-23.0, 250.0)
    assert length == pytest.approx(4.82)
    assert length / distances.kpc_per_arcsec == pytest.approx(0.79, abs=0.005)
