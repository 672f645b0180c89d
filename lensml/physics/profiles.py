"""Deflections, convergence and potential of the mass profiles, in float64 numpy.

These are the readable reference; ``lensml.simulate.kernel`` fuses the same formulas. Angles are in
arcsec, positions are arrays of any (equal) shape.
"""

from __future__ import annotations

import numpy as np
from scipy.special import hyp2f1

from lensml.physics.ellipticity import phi_q

SOFTENING = 1e-10  # arcsec: lenstronomy's core of the singular profiles


def sie_deflection(
    x: np.ndarray,
    y: np.ndarray,
    *,
    theta_E: float,
    e1: float,
    e2: float,
    center_x: float,
    center_y: float,
) -> tuple[np.ndarray, np.ndarray]:
    """Deflection of a singular isothermal ellipsoid (Keeton & Kochanek 1998, lenstronomy ``SIE``).

    kappa = theta_E / (2 sqrt(q x^2 + y^2 / q)) in the frame of the major axis.

    Returns:
        alpha_x, alpha_y in arcsec.
    """
    phi, q = phi_q(e1, e2)
    q = min(q, 0.99999999)  # the round limit of the formula, as in lenstronomy
    cos, sin = np.cos(phi), np.sin(phi)
    u = cos * (x - center_x) + sin * (y - center_y)
    v = -sin * (x - center_x) + cos * (y - center_y)
    f = np.sqrt(1 - q**2)
    psi = np.sqrt(q**2 * u**2 + v**2) + SOFTENING
    scale = theta_E * np.sqrt(q) / f
    alpha_u = scale * np.arctan(f * u / psi)
    alpha_v = scale * np.arctanh(f * v / psi)
    return cos * alpha_u - sin * alpha_v, sin * alpha_u + cos * alpha_v


def shear_deflection(
    x: np.ndarray, y: np.ndarray, *, gamma1: float, gamma2: float
) -> tuple[np.ndarray, np.ndarray]:
    """Deflection of external shear about the origin, in arcsec."""
    return gamma1 * x + gamma2 * y, gamma2 * x - gamma1 * y


def point_mass_deflection(
    x: np.ndarray, y: np.ndarray, *, theta_E: float, center_x: float, center_y: float
) -> tuple[np.ndarray, np.ndarray]:
    """Deflection theta_E^2 r / |r|^2 of a point mass (zero on the mass itself), in arcsec."""
    dx, dy = x - center_x, y - center_y
    r2 = np.maximum(dx**2 + dy**2, 1e-30)
    return theta_E**2 * dx / r2, theta_E**2 * dy / r2


def _line_frame(
    x: np.ndarray, y: np.ndarray, center_x: float, center_y: float, angle: float
) -> tuple[np.ndarray, np.ndarray]:
    cos, sin = np.cos(angle), np.sin(angle)
    dx, dy = x - center_x, y - center_y
    return cos * dx + sin * dy, -sin * dx + cos * dy


def line_mass_deflection(
    x: np.ndarray,
    y: np.ndarray,
    *,
    theta_E: float,
    length: float,
    core: float,
    angle: float,
    center_x: float,
    center_y: float,
) -> tuple[np.ndarray, np.ndarray]:
    """Deflection of a uniform straight line of mass with a core.

    The line is a continuum of points softened by ``core``: with half-length l = length / 2, (u, v)
    the offsets along and across it and b^2 = v^2 + core^2,
    alpha_u = theta_E^2 / (4 l) ln{[(u+l)^2 + b^2] / [(u-l)^2 + b^2]},
    alpha_v = theta_E^2 / (2 l) v / b {atan[(u+l)/b] - atan[(u-l)/b]}.

    Args:
        x, y: arcsec.
        theta_E: Einstein radius of the whole mass as a point, arcsec.
        length: full length, arcsec.
        core: softening, arcsec, > 0.
        angle: direction of the line, rad.
        center_x, center_y: its middle, arcsec.

    Returns:
        alpha_x, alpha_y in arcsec.
    """
    u, v = _line_frame(x, y, center_x, center_y, angle)
    half = length / 2
    b = np.sqrt(v**2 + core**2)
    scale = theta_E**2 / (2 * half)
    alpha_u = scale / 2 * np.log(((u + half) ** 2 + b**2) / ((u - half) ** 2 + b**2))
    alpha_v = scale * v / b * (np.arctan((u + half) / b) - np.arctan((u - half) / b))
    cos, sin = np.cos(angle), np.sin(angle)
    return cos * alpha_u - sin * alpha_v, sin * alpha_u + cos * alpha_v


def line_mass_potential(
    x: np.ndarray,
    y: np.ndarray,
    *,
    theta_E: float,
    length: float,
    core: float,
    angle: float,
    center_x: float,
    center_y: float,
) -> np.ndarray:
    """Lensing potential (arcsec^2) whose gradient is :func:`line_mass_deflection`."""
    u, v = _line_frame(x, y, center_x, center_y, angle)
    half = length / 2
    b = np.sqrt(v**2 + core**2)

    def antiderivative(t: np.ndarray) -> np.ndarray:
        return t * np.log(t**2 + b**2) - 2 * t + 2 * b * np.arctan(t / b)

    return theta_E**2 / (4 * half) * (antiderivative(u + half) - antiderivative(u - half))


def line_mass_hessian(
    x: np.ndarray,
    y: np.ndarray,
    *,
    theta_E: float,
    length: float,
    core: float,
    angle: float,
    center_x: float,
    center_y: float,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Second derivatives psi_xx, psi_xy, psi_yy of :func:`line_mass_potential`, dimensionless."""
    u, v = _line_frame(x, y, center_x, center_y, angle)
    half = length / 2
    b2 = v**2 + core**2
    b = np.sqrt(b2)
    scale = theta_E**2 / (2 * half)
    plus, minus = u + half, u - half
    over_plus, over_minus = 1 / (plus**2 + b2), 1 / (minus**2 + b2)
    angle_term = np.arctan(plus / b) - np.arctan(minus / b)
    h_uu = scale * (plus * over_plus - minus * over_minus)
    h_uv = scale * v * (over_plus - over_minus)
    h_vv = scale * (
        core**2 / (b2 * b) * angle_term - v**2 / b2 * (plus * over_plus - minus * over_minus)
    )
    cos, sin = np.cos(angle), np.sin(angle)
    h_xx = cos**2 * h_uu - 2 * sin * cos * h_uv + sin**2 * h_vv
    h_yy = sin**2 * h_uu + 2 * sin * cos * h_uv + cos**2 * h_vv
    h_xy = sin * cos * (h_uu - h_vv) + (cos**2 - sin**2) * h_uv
    return h_xx, h_xy, h_yy


def enclosed_line_mass(
    radius: float, *, theta_E: float, length: float, angle: float, center_x: float, center_y: float
) -> float:
    """Share of theta_E^2 of a thin line that lies inside a circle about the origin.

    Args:
        radius: of the circle, arcsec.
        theta_E, length, angle, center_x, center_y: of the line, as in
            :func:`line_mass_deflection`.

    Returns:
        theta_E^2 times the fraction of the line inside the circle, arcsec^2.
    """
    along = center_x * np.cos(angle) + center_y * np.sin(angle)
    across2 = center_x**2 + center_y**2 - along**2
    reach = np.sqrt(max(radius**2 - across2, 0.0))
    half = length / 2
    inside = min(half, reach - along) - max(-half, -reach - along)
    return float(theta_E**2 * max(inside, 0.0) / length)


def epl_deflection(
    x: np.ndarray,
    y: np.ndarray,
    *,
    theta_E: float,
    gamma: float,
    e1: float,
    e2: float,
    center_x: float,
    center_y: float,
) -> tuple[np.ndarray, np.ndarray]:
    """Deflection of an elliptical power law (Tessore & Metcalf 2015, arXiv:1507.01819, eq. 23).

    kappa = (3 - gamma) / 2 [theta_E / sqrt(q x^2 + y^2 / q)]^(gamma - 1) in the frame of the major
    axis (lenstronomy ``EPL``).

    Returns:
        alpha_x, alpha_y in arcsec.
    """
    phi, q = phi_q(e1, e2)
    t = gamma - 1
    z = ((x - center_x) + 1j * (y - center_y)) * np.exp(-1j * phi)
    w = q * z.real + 1j * z.imag
    radius = np.maximum(np.abs(w), 1e-15)
    unit = w / radius
    f = (1 - q) / (1 + q)
    b = theta_E * np.sqrt(q)
    series = hyp2f1(1, t / 2, 2 - t / 2, -f * unit**2)
    alpha = 2 * b / (1 + q) * (b / radius) ** (t - 1) * unit * series * np.exp(1j * phi)
    return alpha.real, alpha.imag


def multipole_deflection(
    x: np.ndarray,
    y: np.ndarray,
    *,
    m: int,
    a_m: float,
    phi_m: float,
    center_x: float,
    center_y: float,
) -> tuple[np.ndarray, np.ndarray]:
    """Deflection of a circular multipole (Xu et al. 2015, arXiv:1307.4220, eq. B12), arcsec.

    Args:
        x, y: arcsec.
        m: order, >= 2.
        a_m: strength, arcsec (in ``EPL_MULTIPOLE_M3M4``: a_m/a times theta_E / sqrt(q)).
        phi_m: orientation, rad.
        center_x, center_y: arcsec.
    """
    phi = np.arctan2(y - center_y, x - center_x)
    radial = a_m / (1 - m**2) * np.cos(m * (phi - phi_m))
    tangential = -m * a_m / (1 - m**2) * np.sin(m * (phi - phi_m))
    cos, sin = np.cos(phi), np.sin(phi)
    return cos * radial - sin * tangential, sin * radial + cos * tangential


def disc_sheet_deflection(
    x: np.ndarray, y: np.ndarray, *, kappa: float, radius: float
) -> tuple[np.ndarray, np.ndarray]:
    """Deflection of a uniform disc of convergence ``kappa`` about the origin, arcsec.

    Args:
        x, y: arcsec.
        kappa: negative where the disc makes room for substructure.
        radius: of the disc, arcsec.
    """
    ratio = kappa * np.minimum(1.0, radius**2 / np.maximum(x**2 + y**2, 1e-30))
    return ratio * x, ratio * y


def disc_sheet_potential(
    x: np.ndarray, y: np.ndarray, *, kappa: float, radius: float
) -> np.ndarray:
    """Lensing potential (arcsec^2) whose gradient is :func:`disc_sheet_deflection`."""
    r2 = np.maximum(x**2 + y**2, 1e-30)
    outside = radius**2 / 2 * (1 + np.log(r2 / radius**2))
    return kappa * np.where(r2 < radius**2, r2 / 2, outside)


def disc_sheet_hessian(
    x: np.ndarray, y: np.ndarray, *, kappa: float, radius: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Second derivatives psi_xx, psi_xy, psi_yy of :func:`disc_sheet_potential`."""
    r2 = np.maximum(x**2 + y**2, 1e-30)
    outside = r2 >= radius**2
    ratio = kappa * radius**2 / r2**2
    h_xx = np.where(outside, ratio * (y**2 - x**2), kappa)
    h_yy = np.where(outside, ratio * (x**2 - y**2), kappa)
    return h_xx, np.where(outside, -2 * ratio * x * y, 0.0), h_yy
