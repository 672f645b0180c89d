"""Ellipticity and shear in lenstronomy's conventions (``Util.param_util``)."""

from __future__ import annotations

import numpy as np

MAX_MODULUS = 0.9999  # lenstronomy's own cap


def polar_to_cartesian(modulus: float, phi: float) -> tuple[float, float]:
    """Components of a spin-2 quantity: e1 = e cos 2 phi, e2 = e sin 2 phi.

    Args:
        modulus: ellipticity (1 - q) / (1 + q), or shear.
        phi: position angle in rad.
    """
    return float(modulus * np.cos(2 * phi)), float(modulus * np.sin(2 * phi))


def phi_q(e1: float, e2: float) -> tuple[float, float]:
    """Position angle in rad and minor/major axis ratio of an ellipticity."""
    modulus = min(float(np.hypot(e1, e2)), MAX_MODULUS)
    return float(np.arctan2(e2, e1) / 2), (1 - modulus) / (1 + modulus)


def phis_qs(e1: np.ndarray, e2: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """:func:`phi_q` of (n,) ellipticities."""
    modulus = np.minimum(np.hypot(e1, e2), MAX_MODULUS)
    return np.arctan2(e2, e1) / 2, (1 - modulus) / (1 + modulus)


def modulus_of_q(q: float) -> float:
    """Ellipticity modulus (1 - q) / (1 + q) of an axis ratio."""
    return (1 - q) / (1 + q)
