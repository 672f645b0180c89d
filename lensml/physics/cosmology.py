"""Distances and the mass-angle conversions that follow from them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy.special import hyp2f1

from lensml.schema.population import Cosmology

ARCSEC_PER_RADIAN = 206264.80624709636
# (4 G Msun / c^2) / Mpc, dimensionless: IAU 2015 solar mass parameter over c^2, times 4, over Mpc.
FOUR_G_MSUN_PER_C2_MPC = 4 * 1.32712440018e20 / 299792458.0**2 / 3.0856775814913673e22
SPEED_OF_LIGHT = 299792.458  # km/s


@dataclass(frozen=True)
class LensDistances:
    """Distances of a lens system in Mpc."""

    z_lens: float
    z_source: float
    D_L: float
    D_S: float
    D_LS: float

    @property
    def sigma_crit_angle(self) -> float:
        """Critical surface density in Msun / arcsec^2.

        Sigma_cr = c^2 D_S / (4 pi G D_L D_LS), times (D_L / 206265)^2 (Narayan & Bartelmann 1996).
        """
        per_radian = self.D_S * self.D_L / (np.pi * FOUR_G_MSUN_PER_C2_MPC * self.D_LS)
        return float(per_radian / ARCSEC_PER_RADIAN**2)

    @property
    def kpc_per_arcsec(self) -> float:
        """Transverse scale in the lens plane."""
        return self.D_L * 1000.0 / ARCSEC_PER_RADIAN

    def theta_E_of_mass(self, mass: np.ndarray | float) -> np.ndarray:
        """Einstein radius of a point mass.

        Args:
            mass: Msun, any shape.

        Returns:
            arcsec, same shape: sqrt(M / (pi Sigma_cr)).
        """
        return np.sqrt(np.asarray(mass, dtype=float) / (np.pi * self.sigma_crit_angle))

    def mass_of_theta_E(self, theta_E: np.ndarray | float) -> np.ndarray:
        """Mass inside an Einstein radius.

        Args:
            theta_E: arcsec, any shape.

        Returns:
            Msun, same shape: pi Sigma_cr theta_E^2.
        """
        return np.pi * self.sigma_crit_angle * np.square(np.asarray(theta_E, dtype=float))

    def theta_E_of_sigma_v(self, sigma_v: np.ndarray | float) -> np.ndarray:
        """Einstein radius of the singular isothermal sphere with this velocity dispersion.

        Args:
            sigma_v: km/s.

        Returns:
            arcsec: 4 pi (sigma_v / c)^2 D_LS / D_S.
        """
        ratio = np.square(np.asarray(sigma_v, dtype=float) / SPEED_OF_LIGHT)
        return 4 * np.pi * ratio * self.D_LS / self.D_S * ARCSEC_PER_RADIAN

    def sigma_v_of_theta_E(self, theta_E: np.ndarray | float) -> np.ndarray:
        """Velocity dispersion of the singular isothermal sphere with this Einstein radius.

        Args:
            theta_E: arcsec.

        Returns:
            km/s, from theta_E = 4 pi (sigma_v / c)^2 D_LS / D_S.
        """
        ratio = np.asarray(theta_E, dtype=float) / ARCSEC_PER_RADIAN
        return SPEED_OF_LIGHT * np.sqrt(ratio * self.D_S / (4 * np.pi * self.D_LS))


def lens_distances(
    cosmology: Cosmology, z_lens: float, z_source: float, kind: str = "angular_diameter"
) -> LensDistances:
    """Distances of lens and source in a flat LambdaCDM cosmology.

    Args:
        cosmology: H0 in km/s/Mpc, Om0, Ob0.
        z_lens: redshift of the lens.
        z_source: redshift of the source, above ``z_lens``.
        kind: 'angular_diameter', or 'luminosity' for the published DeepLenseSim code, which takes
            luminosity distances and D_LS = D_S - D_L (theta_E comes out 0.770 of its value).

    Raises:
        ValueError: the source is not behind the lens.
    """
    return _distances(cosmology.H0, cosmology.Om0, cosmology.Ob0, z_lens, z_source, kind)


@lru_cache(maxsize=64)
def _distances(
    H0: float, Om0: float, Ob0: float, z_lens: float, z_source: float, kind: str
) -> LensDistances:
    if not 0 < z_lens < z_source:
        raise ValueError(f"need 0 < z_lens < z_source, got z_lens={z_lens}, z_source={z_source}")
    if kind == "luminosity":
        D_L, D_S = ((z + 1) * _comoving_distance(H0, Om0, 0.0, z) for z in (z_lens, z_source))
        return LensDistances(z_lens, z_source, D_L, D_S, D_S - D_L)
    D_L = _comoving_distance(H0, Om0, 0.0, z_lens) / (z_lens + 1)
    D_S = _comoving_distance(H0, Om0, 0.0, z_source) / (z_source + 1)
    D_LS = _comoving_distance(H0, Om0, z_lens, z_source) / (z_source + 1)
    return LensDistances(z_lens, z_source, D_L, D_S, D_LS)


def _comoving_distance(H0: float, Om0: float, z1: float, z2: float) -> float:
    """Mpc between two redshifts, without radiation (Baes et al. 2017, MNRAS 468, 927, eq. 8).

    As astropy evaluates it, to the last bit: importing astropy's took a second of every job.
    """
    s = ((1 - Om0) / Om0) ** (1.0 / 3)

    def T(x: float) -> float:
        return 2 * np.sqrt(x) * hyp2f1(1.0 / 6, 1.0 / 2, 7.0 / 6, -(x**3))

    hubble_distance = 299792458.0 / H0 * 0.001  # m/s and km/s/Mpc
    prefactor = hubble_distance / np.sqrt(s * Om0)
    return float(prefactor * (T(s / (z1 + 1)) - T(s / (z2 + 1))))


def de_broglie_wavelength(log10_axion_mass: float, velocity: float) -> float:
    """De Broglie wavelength h / (m v) of an ultralight particle (Hui et al. 2017).

    Args:
        log10_axion_mass: log10 of the particle mass in eV.
        velocity: km/s.

    Returns:
        kpc: 1.205 kpc (1e-22 eV / m) (100 km/s / v).
    """
    return 1.205 * 10.0 ** (-22.0 - log10_axion_mass) * 100.0 / velocity
