"""Deflection of many truncated NFW halos: one radial table, interpolated by the bits of a float.

The enclosed mass g(x, tau) of :func:`lensml.physics.halos.tnfw_enclosed` is tabulated over
u = x^2 at nodes that divide every octave evenly, so that the leading bits of a float32 are the
index of its interval and the rest is the position inside. A halo first interpolates its own row in
tau (cubic), then its rays in u (linear). Away from a halo its field is smooth, and is evaluated
once per pixel and interpolated. In float64 the closed form is evaluated for every ray instead.
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
MAX_FIELD_ERROR = 3e-7  # arcsec, of one halo, where its field is interpolated
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
def _cubic_weights(weights, ss):
    """Lagrange weights of four nodes at -1, 0, 1, 2 for the ``ss`` rays of a cell; (ss, 4)."""
    for j in range(ss):
        t = j / ss
        weights[j, 0] = -t * (t - 1) * (t - 2) / 6
        weights[j, 1] = (t + 1) * (t - 1) * (t - 2) / 2
        weights[j, 2] = -(t + 1) * t * (t - 2) / 2
        weights[j, 3] = (t + 1) * t * (t - 1) / 6


@numba.njit(fastmath=True, error_model="numpy", cache=True)
def _add_interpolated(fine, coarse, weights, strip, sign):
    """Add ``sign`` times the bicubic interpolation of a coarse field to a part of the rays.

    Args:
        fine: (m ss, n ss) output.
        coarse: (m + 3, n + 3) field at nodes that begin one cell before the first ray.
        weights: (ss, 4).
        strip: (>= n + 3,) working space.
        sign: 1 or -1, of the fields' type.
    """
    ss = weights.shape[0]
    for i in range(fine.shape[0]):
        k, w = i // ss, weights[i % ss]
        w0, w1, w2, w3 = sign * w[0], sign * w[1], sign * w[2], sign * w[3]
        for c in range(coarse.shape[1]):
            strip[c] = w0 * coarse[k, c] + w1 * coarse[k + 1, c]
            strip[c] += w2 * coarse[k + 2, c] + w3 * coarse[k + 3, c]
        for phase in range(ss):
            v = weights[phase]
            v0, v1, v2, v3 = v[0], v[1], v[2], v[3]
            for c in range(coarse.shape[1] - 3):
                value = v0 * strip[c] + v1 * strip[c + 1] + v2 * strip[c + 2] + v3 * strip[c + 3]
                fine[i, c * ss + phase] += value


@numba.njit(cache=True)
def _near_cells(center, radius, first, cell, n):
    """First and last-but-one cell within ``radius`` of ``center``, clipped to the frame."""
    low = math.floor((center - radius - first) / cell)
    high = math.floor((center + radius - first) / cell) + 1
    return min(max(low, 0), n), min(max(high, 0), n)


@numba.njit(fastmath=True, error_model="numpy", cache=True)
def _halos_on_two_grids(ax, ay, axis64, xy, halos, table, row, ss):
    """As :func:`halo_deflection`: far from a halo its field is interpolated from coarse nodes.

    A halo is evaluated on nodes one pixel apart. Inside a box about it the interpolated field is
    replaced by the field itself; the box ends where cubic interpolation of a point mass is off by
    less than ``MAX_FIELD_ERROR``: 0.56 (h / r)^4 theta^2 / r.
    """
    size = axis64.size
    n = size // ss
    cell = (axis64[size - 1] - axis64[0]) / (size - 1) * ss
    nodes = axis64[0] + cell * (np.arange(n + 3) - 1)
    kind = ax.dtype
    weights = np.empty((ss, 4), kind)
    _cubic_weights(weights, ss)
    cx, cy = np.zeros((n + 3, n + 3), kind), np.zeros((n + 3, n + 3), kind)
    lx, ly = np.empty((n + 3, n + 3), kind), np.empty((n + 3, n + 3), kind)
    strip = np.empty(n + 3, kind)
    dx, dy = np.empty(n + 3, kind), np.empty(n + 3, kind)
    fx, fy = np.empty(size, kind), np.empty(size, kind)
    one = kind.type(1)
    for p in range(xy.shape[0]):
        halo = halos[p]
        _own_row(row, table, halo[0], halo[3])
        for j in range(n + 3):
            dx[j], dy[j] = nodes[j] - xy[p, 0], nodes[j] - xy[p, 1]
        # The mass inside any radius is less than the largest of its row.
        radius = (0.56 * cell**4 * row[row.size - 1] / MAX_FIELD_ERROR) ** 0.2
        a, b = _near_cells(xy[p, 0], radius, axis64[0], cell, n)
        c, d = _near_cells(xy[p, 1], radius, axis64[0], cell, n)
        _add_halo_by_table(cx, cy, dx, dy, row, halo)
        if b <= a or d <= c:
            continue
        near_x, near_y = lx[: d - c + 3, : b - a + 3], ly[: d - c + 3, : b - a + 3]
        near_x[:], near_y[:] = 0, 0
        _add_halo_by_table(near_x, near_y, dx[a : b + 3], dy[c : d + 3], row, halo)
        box_x = ax[c * ss : d * ss, a * ss : b * ss]
        box_y = ay[c * ss : d * ss, a * ss : b * ss]
        _add_interpolated(box_x, near_x, weights, strip, -one)
        _add_interpolated(box_y, near_y, weights, strip, -one)
        for j in range(size):
            fx[j], fy[j] = axis64[j] - xy[p, 0], axis64[j] - xy[p, 1]
        _add_halo_by_table(box_x, box_y, fx[a * ss : b * ss], fy[c * ss : d * ss], row, halo)
    _add_interpolated(ax, cx, weights, strip, one)
    _add_interpolated(ay, cy, weights, strip, one)


@numba.njit(fastmath=True, error_model="numpy", cache=True)
def halo_deflection(ax, ay, axis64, xy, halos, table, row, ss):
    """Deflection of the halos of one image.

    Args:
        ax, ay: (n, n) output, arcsec.
        axis64: (n,) float64 ray coordinates of either axis, arcsec.
        xy: (P, 2) float64 arcsec, positions.
        halos: (P, len(HALO_COLUMNS)) float64.
        table: of :func:`enclosed_table`; of length 0 evaluates the closed form.
        row: (nodes,) float32, working space.
        ss: rays per pixel and axis.
    """
    zero = ax.dtype.type(0)
    ax[:] = zero
    ay[:] = zero
    if table.size:
        _halos_on_two_grids(ax, ay, axis64, xy, halos, table, row, ss)
        return
    dx, dy = np.empty(axis64.size, ax.dtype), np.empty(axis64.size, ax.dtype)
    for p in range(xy.shape[0]):
        for j in range(axis64.size):
            dx[j] = axis64[j] - xy[p, 0]
            dy[j] = axis64[j] - xy[p, 1]
        _add_halo_exactly(ax, ay, dx, dy, halos[p])
