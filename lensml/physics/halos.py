"""Truncated NFW subhalos: structure and lensing, in physical units and in arcsec."""

from __future__ import annotations

import numpy as np

from lensml.physics.cosmology import FOUR_G_MSUN_PER_C2_MPC, SPEED_OF_LIGHT, LensDistances
from lensml.schema.population import Cosmology

X_FLOOR = 1e-3  # of R / Rs: lenstronomy's smoothing of TNFW


def critical_density(cosmology: Cosmology, z: float) -> float:
    """Critical density 3 H^2 / (8 pi G) of a flat LambdaCDM universe at z, Msun / kpc^3."""
    hubble = cosmology.H0 / SPEED_OF_LIGHT  # 1 / Mpc
    today = 3 * hubble**2 / (2 * np.pi * FOUR_G_MSUN_PER_C2_MPC) / 1e9
    return today * (cosmology.Om0 * (1 + z) ** 3 + 1 - cosmology.Om0)


def radius_200(m200: np.ndarray, cosmology: Cosmology, z: float) -> np.ndarray:
    """Radius inside which the mean density is 200 times critical at z, kpc."""
    return np.cbrt(3 * np.asarray(m200) / (800 * np.pi * critical_density(cosmology, z)))


def concentration_dutton_maccio(m200: np.ndarray, cosmology: Cosmology, z: float) -> np.ndarray:
    """Median concentration c200 (Dutton & Maccio 2014, arXiv:1402.7073, eqs. 7, 10 and 11).

    Below 1e10 Msun this is an extrapolation; at 1e7 Msun it lies 15-28 % above later relations.

    Args:
        m200: Msun, of any shape.
        cosmology: for h.
        z: redshift.
    """
    a = 0.520 + (0.905 - 0.520) * np.exp(-0.617 * z**1.21)
    b = -0.101 + 0.026 * z
    return 10 ** (a + b * np.log10(np.asarray(m200) * (cosmology.H0 / 100) / 1e12))


def roche_truncation(m200: np.ndarray, r3d: np.ndarray) -> np.ndarray:
    """Truncation radius 1.4 kpc (m / 1e7)^(1/3) (r3d / 50 kpc)^(2/3) (Cyr-Racine et al. 2016).

    Args:
        m200: Msun.
        r3d: distance from the centre of the host, kpc.

    Returns:
        kpc.
    """
    return 1.4 * np.cbrt(np.asarray(m200) / 1e7) * np.cbrt(np.asarray(r3d) / 50) ** 2


def nfw_mass_factor(c: np.ndarray) -> np.ndarray:
    """ln(1 + c) - c / (1 + c): m200 in units of m_N = 4 pi rho_s r_s^3."""
    return np.log1p(c) - c / (1 + c)


def tnfw_total_mass_factor(tau: np.ndarray) -> np.ndarray:
    """Total mass of a truncated NFW halo in units of m_N (Baltz, Marshall & Oguri 2009, eq. A4).

    Args:
        tau: r_trunc / Rs.
    """
    t2 = np.square(tau)
    return t2 / (t2 + 1) ** 2 * ((t2 - 1) * np.log(tau) + tau * np.pi - (t2 + 1))


def _nfw_f(x: np.ndarray) -> np.ndarray:
    """F(x) of the projected NFW profile: arccosh(1/x) / sqrt(1 - x^2), continued beyond 1."""
    x = np.asarray(x, dtype=float)
    s = np.sqrt(np.abs(1 - x**2))
    near = s < 1e-4
    safe = np.where(near, 1.0, s)
    inside = np.arctanh(np.where(x < 1, np.minimum(safe, 1 - 1e-16), 0.0)) / safe
    out = np.where(x < 1, inside, np.arctan(safe) / safe)
    return np.where(near, 1.0 + (1 - x**2) / 3, out)


def tnfw_enclosed(x: np.ndarray, tau: np.ndarray | float) -> np.ndarray:
    """Projected mass inside R = x Rs in units of m_N (Baltz, Marshall & Oguri 2009, eq. A11).

    Args:
        x: R / Rs, floored at ``X_FLOOR``.
        tau: r_trunc / Rs, broadcast against x.
    """
    x = np.maximum(np.asarray(x, dtype=float), X_FLOOR)
    tau = np.asarray(tau, dtype=float)
    t2 = tau**2
    root = np.sqrt(t2 + x**2)
    logs = np.log(x / (tau + root))
    bracket = (
        (t2 + 1 + 2 * (x**2 - 1)) * _nfw_f(x)
        + tau * np.pi
        + (t2 - 1) * np.log(tau)
        + root * (-np.pi + logs * (t2 - 1) / tau)
    )
    return t2 / (t2 + 1) ** 2 * bracket


def tnfw_deflection(
    x: np.ndarray,
    y: np.ndarray,
    *,
    Rs: float,
    alpha_Rs: float,
    r_trunc: float,
    center_x: float,
    center_y: float,
) -> tuple[np.ndarray, np.ndarray]:
    """Deflection of a truncated NFW halo (lenstronomy ``TNFW``).

    Args:
        x, y: arcsec.
        Rs: scale radius, arcsec.
        alpha_Rs: deflection of the *untruncated* halo at Rs, arcsec.
        r_trunc: truncation radius, arcsec.
        center_x, center_y: arcsec.

    Returns:
        alpha_x, alpha_y in arcsec.
    """
    dx, dy = x - center_x, y - center_y
    radius = np.maximum(np.hypot(dx, dy), X_FLOOR * Rs)
    theta_N2 = alpha_Rs * Rs / (1 + np.log(0.5))
    ratio = theta_N2 * tnfw_enclosed(radius / Rs, r_trunc / Rs) / radius**2
    return ratio * dx, ratio * dy


def tnfw_angles(
    m200: np.ndarray,
    concentration: np.ndarray,
    r_trunc_kpc: np.ndarray,
    *,
    cosmology: Cosmology,
    distances: LensDistances,
) -> dict[str, np.ndarray]:
    """Halos in lenstronomy's ``TNFW`` parameters, with their total mass.

    Args:
        m200: Msun, within 200 times the critical density at the lens.
        concentration: c200.
        r_trunc_kpc: kpc.
        cosmology, distances: of the lens.

    Returns:
        ``mass`` (total, Msun), ``Rs``, ``alpha_Rs``, ``r_trunc`` (arcsec), each like m200.
    """
    r_s = radius_200(m200, cosmology, distances.z_lens) / concentration
    m_N = m200 / nfw_mass_factor(concentration)
    Rs = r_s / distances.kpc_per_arcsec
    alpha_Rs = m_N / (np.pi * distances.sigma_crit_angle * Rs) * (1 + np.log(0.5))
    return {
        "mass": m_N * tnfw_total_mass_factor(r_trunc_kpc / r_s),
        "Rs": Rs,
        "alpha_Rs": alpha_Rs,
        "r_trunc": r_trunc_kpc / distances.kpc_per_arcsec,
    }


def host_radius_quantile(
    u: np.ndarray, R: np.ndarray | float, *, r_s: float, core: float, r_max: float
) -> np.ndarray:
    """Three-dimensional host radius of halos seen at projected radius R.

    Along the line of sight the number density follows a cored NFW profile
    1 / [(r + core) (r + r_s)^2] out to r_max.

    Args:
        u: (n,) uniform in [0, 1].
        R: (n,) or a number, kpc.
        r_s, core, r_max: kpc, of the host.

    Returns:
        (n,) kpc.
    """
    u = np.asarray(u, dtype=float)
    R = np.broadcast_to(np.asarray(R, dtype=float), u.shape)
    # Quantiles on a common grid in s = z / z_max, stretched towards the lens plane.
    s = np.linspace(0, 1, 129) ** 2
    z = s * np.sqrt(np.maximum(r_max**2 - R[:, None] ** 2, 0))
    r = np.square(z)  # and on in place: this is the dearest part of drawing halos
    r += R[:, None] ** 2
    np.sqrt(r, out=r)
    density = r + r_s
    density *= density
    r += core
    density *= r
    np.divide(1, density, out=density)
    steps = density[:, 1:] + density[:, :-1]
    steps *= 0.5
    steps *= z[:, 1:] - z[:, :-1]
    cumulative = np.zeros_like(z)
    np.cumsum(steps, axis=1, out=cumulative[:, 1:])
    target = u * cumulative[:, -1]
    k = np.clip((cumulative < target[:, None]).sum(1), 1, s.size - 1)
    rows = np.arange(len(u))
    low, high = cumulative[rows, k - 1], cumulative[rows, k]
    weight = (target - low) / np.maximum(high - low, 1e-300)
    depth = z[rows, k - 1] + weight * (z[rows, k] - z[rows, k - 1])
    return np.hypot(R, depth)
