"""Sersic light and magnitudes, in lenstronomy's conventions."""

from __future__ import annotations

import numpy as np
from scipy.special import gammaln

from lensml.physics.ellipticity import phi_q

SMOOTHING = 1e-4  # arcsec: lenstronomy floors the radius there


def b_n(n_sersic: float) -> float:
    """Lenstronomy's approximation 1.9992 n - 0.3271 of the Sersic constant."""
    return max(1.9992 * n_sersic - 0.3271, 1e-5)


def b_ns(n_sersic: np.ndarray) -> np.ndarray:
    """:func:`b_n` of (n,) indices."""
    return np.maximum(1.9992 * n_sersic - 0.3271, 1e-5)


def flux_of_magnitude(magnitude: float, magnitude_zero_point: float) -> float:
    """Flux in e-/s."""
    return 10.0 ** (-0.4 * (magnitude - magnitude_zero_point))


def sersic_amplitude(flux: float, *, R_sersic: float, n_sersic: float) -> float:
    """Surface brightness at R_sersic of a profile with this total flux.

    Args:
        flux: e-/s, integrated to infinity.
        R_sersic: product-averaged half-light radius, arcsec.
        n_sersic: Sersic index.

    Returns:
        e-/s/arcsec^2: flux / [2 pi n R^2 e^b b^(-2n) Gamma(2n)] (Graham & Driver 2005, eq. 4).
    """
    b = b_n(n_sersic)
    log_integral = b - 2 * n_sersic * np.log(b) + gammaln(2 * n_sersic)
    return float(flux / (2 * np.pi * n_sersic * R_sersic**2 * np.exp(log_integral)))


def sersic_surface_brightness(
    x: np.ndarray,
    y: np.ndarray,
    *,
    amp: float,
    R_sersic: float,
    n_sersic: float,
    e1: float,
    e2: float,
    center_x: float,
    center_y: float,
) -> np.ndarray:
    """Elliptical Sersic profile (lenstronomy ``SERSIC_ELLIPSE``), e-/s/arcsec^2.

    The radius is sqrt(q u^2 + v^2 / q) in the frame of the major axis, floored at 1e-4 arcsec.
    """
    phi, q = phi_q(e1, e2)
    cos, sin = np.cos(phi), np.sin(phi)
    u = cos * (x - center_x) + sin * (y - center_y)
    v = -sin * (x - center_x) + cos * (y - center_y)
    radius = np.maximum(np.sqrt(q * u**2 + v**2 / q), SMOOTHING)
    return amp * np.exp(-b_n(n_sersic) * ((radius / R_sersic) ** (1 / n_sersic) - 1))


def background_rms(
    *,
    exposure_time: float,
    num_exposures: int,
    read_noise: float,
    sky_brightness: float,
    magnitude_zero_point: float,
    pixel_scale: float,
) -> float:
    """Standard deviation of the background of a co-added image (lenstronomy ``SimAPI``).

    Args:
        exposure_time: s, of one exposure.
        num_exposures: how many are added.
        read_noise: e- per exposure and pixel.
        sky_brightness: mag / arcsec^2.
        magnitude_zero_point: mag of 1 e-/s.
        pixel_scale: arcsec.

    Returns:
        e-/s per pixel: sqrt(N RN^2 + t sky pix^2) / t with t = N exposure_time.
    """
    total_time = num_exposures * exposure_time
    sky = flux_of_magnitude(sky_brightness, magnitude_zero_point) * pixel_scale**2
    return float(np.sqrt(num_exposures * read_noise**2 + total_time * sky) / total_time)
