"""Deflection of many truncated NFW halos: one radial table, interpolated by the bits of a float.

The enclosed mass g(x, tau) of :func:`lensml.physics.halos.tnfw_enclosed` is tabulated over
u = x^2 at nodes that divide every octave evenly, so that the leading bits of a float32 are the
index of its interval and the rest is the position inside. A halo first interpolates its own row in
tau (cubic), then its rays in u (linear). In float64 the closed form is evaluated instead.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numba
import numpy as np

from lensml.physics.halos import X_FLOOR, tnfw_enclosed

SHIFT = 17  # bits of a float32 below the table's index: 64 nodes per octave
_FIRST = int(np.float32(2.0**-20).view(np.int32)) >> SHIFT
_LAST = int(np.float32(2.0**24).view(np.int32)) >> SHIFT
U_MAX = 2.0**24 * 0.999  # (R / Rs)^2
LOG_TAU_MIN, LOG_TAU_STEP, N_TAU = math.log(0.05), math.log(10) / 24, 121
# Columns of the halo table, one row per halo.
HALO_COLUMNS = ("theta_N2", "inverse_Rs2", "Rs2", "tau")


@lru_cache(maxsize=1)
def enclosed_table() -> np.ndarray:
    """Table of g, (N_TAU, nodes) float32: rows in ln tau, columns in u = (R / Rs)^2."""
    bits = np.arange(_FIRST, _LAST + 2, dtype=np.int64) << SHIFT
    u = bits.astype(np.int32).view(np.float32).astype(float)
    tau = np.exp(LOG_TAU_MIN + LOG_TAU_STEP * np.arange(N_TAU))
    # Smaller than X_FLOOR there is no mass to interpolate: the mean density is held.
    g = tnfw_enclosed(np.sqrt(u), tau[:, None]) * np.minimum(u / X_FLOOR**2, 1.0)
    return g.astype(np.float32)


@numba.njit(fastmath=True, error_model="numpy", cache=True)
def _own_row(row, table, theta_N2, tau):
    """Enclosed mass of one halo, arcsec^2: cubic Lagrange interpolation in ln tau."""
    place = (math.log(tau) - LOG_TAU_MIN) / LOG_TAU_STEP
    i = min(max(int(place), 1), N_TAU - 3)
    t = place - i
    w0 = np.float32(-theta_N2 * t * (t - 1) * (t - 2) / 6)
    w1 = np.float32(theta_N2 * (t + 1) * (t - 1) * (t - 2) / 2)
    w2 = np.float32(-theta_N2 * (t + 1) * t * (t - 2) / 2)
    w3 = np.float32(theta_N2 * (t + 1) * t * (t - 1) / 6)
    for k in range(row.size):
        row[k] = w0 * table[i - 1, k] + w1 * table[i, k] + w2 * table[i + 1, k]
        row[k] += w3 * table[i + 2, k]


@numba.njit(fastmath=True, error_model="numpy", cache=True)
def _add_halo_by_table(ax, ay, dx, dy, row, halo):
    """Add the deflection of one halo to the planes; dx, dy (n,) are offsets of the rays."""
    inverse, floor = np.float32(halo[1]), np.float32(halo[2] * X_FLOOR**2)
    u_max, step = np.float32(U_MAX), np.float32(2.0**-SHIFT)
    first, mask = np.int32(_FIRST), np.int32((1 << SHIFT) - 1)
    for i in range(dy.size):
        y = dy[i]
        y2 = y * y
        for j in range(dx.size):
            x = dx[j]
            r2 = max(x * x + y2, floor)
            bits = np.float32(min(np.float32(r2 * inverse), u_max)).view(np.int32)
            k = np.uint32((bits >> np.int32(SHIFT)) - first)
            low = row[k]
            enclosed = low + np.float32(bits & mask) * step * (row[k + np.uint32(1)] - low)
            ratio = enclosed / r2
            ax[i, j] += ratio * x
            ay[i, j] += ratio * y


@numba.njit(cache=True)
def _enclosed(x, tau):
    """Scalar closed form of :func:`lensml.physics.halos.tnfw_enclosed`."""
    s2 = 1 - x * x
    s = math.sqrt(abs(s2))
    if s < 1e-4:
        f = 1 + s2 / 3
    elif s2 > 0:
        f = math.atanh(s) / s
    else:
        f = math.atan(s) / s
    t2 = tau * tau
    root = math.sqrt(t2 + x * x)
    logs = math.log(x / (tau + root))
    bracket = (t2 - 1 + 2 * x * x) * f + tau * math.pi + (t2 - 1) * math.log(tau)
    bracket += root * (-math.pi + logs * (t2 - 1) / tau)
    return t2 / (t2 + 1) ** 2 * bracket


@numba.njit(cache=True)
def _add_halo_exactly(ax, ay, dx, dy, halo):
    """As :func:`_add_halo_by_table`, by the closed form."""
    theta_N2, Rs, tau = halo[0], math.sqrt(halo[2]), halo[3]
    for i in range(dy.size):
        for j in range(dx.size):
            radius = max(math.sqrt(dx[j] ** 2 + dy[i] ** 2), X_FLOOR * Rs)
            ratio = theta_N2 * _enclosed(radius / Rs, tau) / radius**2
            ax[i, j] += ratio * dx[j]
            ay[i, j] += ratio * dy[i]


@numba.njit(fastmath=True, error_model="numpy", cache=True)
def halo_deflection(ax, ay, axis64, xy, halos, table, row):
    """Deflection of the halos of one image.

    Args:
        ax, ay: (n, n) output, arcsec.
        axis64: (n,) float64 ray coordinates of either axis, arcsec.
        xy: (P, 2) float64 arcsec, positions.
        halos: (P, len(HALO_COLUMNS)) float64.
        table: of :func:`enclosed_table`; of length 0 evaluates the closed form.
        row: (nodes,) float32, working space.
    """
    zero = ax.dtype.type(0)
    dx, dy = np.empty(axis64.size, ax.dtype), np.empty(axis64.size, ax.dtype)
    ax[:] = zero
    ay[:] = zero
    for p in range(xy.shape[0]):
        for j in range(axis64.size):
            dx[j] = axis64[j] - xy[p, 0]
            dy[j] = axis64[j] - xy[p, 1]
        if table.size == 0:
            _add_halo_exactly(ax, ay, dx, dy, halos[p])
        else:
            _own_row(row, table, halos[p, 0], halos[p, 3])
            _add_halo_by_table(ax, ay, dx, dy, row, halos[p])
