"""Subhalo masses."""

from __future__ import annotations

import numpy as np


def masses_from_uniform(
    u: np.ndarray, *, shmf_slope: float, m_min: float, m_max: float
) -> np.ndarray:
    """Masses with dN/dm proportional to m^shmf_slope by the inverse cumulative distribution.

    Args:
        u: (n,) uniform in [0, 1].
        shmf_slope: slope of dN/dm, with its sign.
        m_min, m_max: Msun.

    Returns:
        (n,) Msun, within [m_min, m_max].
    """
    exponent = shmf_slope + 1.0
    if abs(exponent) < 1e-12:
        masses = m_min * (m_max / m_min) ** u
    else:
        low, high = m_min**exponent, m_max**exponent
        masses = ((1 - u) * low + u * high) ** (1.0 / exponent)  # exact at both ends
    return np.clip(masses, m_min, m_max)  # the last bit of the power may step outside


def mean_mass(*, shmf_slope: float, m_min: float, m_max: float) -> float:
    """Mean of the mass function in Msun."""

    def moment(power: float) -> float:
        exponent = shmf_slope + 1.0 + power
        if abs(exponent) < 1e-12:
            return float(np.log(m_max / m_min))
        return (m_max**exponent - m_min**exponent) / exponent

    return moment(1.0) / moment(0.0)


def mass_function_nodes(
    n: int, *, shmf_slope: float, m_min: float, m_max: float
) -> tuple[np.ndarray, np.ndarray]:
    """Gauss-Legendre nodes in ln m for means over the mass function.

    Returns:
        (n,) masses in Msun and (n,) weights that sum to 1.
    """
    x, w = np.polynomial.legendre.leggauss(n)
    span = np.log(m_max / m_min)
    mass = m_min * np.exp(span * (x + 1) / 2)
    weight = w * mass ** (shmf_slope + 1)
    return mass, weight / weight.sum()
