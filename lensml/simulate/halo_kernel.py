"""Deflection of many truncated NFW halos: one radial table, interpolated by the bits of a float.

The enclosed mass g(x, tau) of :func:`lensml.physics.halos.tnfw_enclosed` is tabulated over
u = x^2 at nodes that divide every octave evenly, so that the leading bits of a float32 are the
index of its interval and the rest is the position inside. A halo first interpolates its own row in
tau (cubic), then its rays in u (linear). In float64 the closed form is evaluated instead.

The field of a halo is smooth away from it. The rays are divided into square blocks; where a block
is further from a halo than ``REACH`` half-sides, the halo is evaluated on ``NODES`` x ``NODES``
Chebyshev nodes of the block, and the sum of all such halos is interpolated to the rays once.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numba
import numpy as np

from lensml.physics.halos import X_FLOOR, tnfw_enclosed
from lensml.simulate.columns import INVERSE_RS2, RS2, TAU, THETA_N2
from lensml.simulate.vector_math import FASTMATH

SHIFT = 17  # bits of a float32 below the table's index: 64 nodes per octave
_FIRST = int(np.float32(2.0**-20).view(np.int32)) >> SHIFT
_LAST = int(np.float32(2.0**24).view(np.int32)) >> SHIFT
U_MAX = 2.0**24 * 0.999  # (R / Rs)^2
LOG_TAU_MIN, LOG_TAU_STEP, N_TAU = math.log(0.05), math.log(10) / 24, 121
# The polynomial's error is (REACH + sqrt(REACH^2 - 1))^-NODES = 1e-5 of a halo's deflection.
NODES, REACH = 6, 3.5


@lru_cache(maxsize=1)
def enclosed_table() -> np.ndarray:
    """Table of g, (N_TAU, nodes) float32: rows in ln tau, columns in u = (R / Rs)^2."""
    bits = np.arange(_FIRST, _LAST + 2, dtype=np.int64) << SHIFT
    u = bits.astype(np.int32).view(np.float32).astype(float)
    tau = np.exp(LOG_TAU_MIN + LOG_TAU_STEP * np.arange(N_TAU))
    # Smaller than X_FLOOR there is no mass to interpolate: the mean density is held.
    g = tnfw_enclosed(np.sqrt(u), tau[:, None]) * np.minimum(u / X_FLOOR**2, 1.0)
    return g.astype(np.float32)


@numba.njit(fastmath=FASTMATH, error_model="numpy", forceinline=True)
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


@numba.njit(fastmath=FASTMATH, error_model="numpy", forceinline=True)
def _add_row(ax, ay, dx, y, row, inverse, floor, bits, low, high):
    """Add the deflection of one halo to a row of rays; dx (n,) and y are their offsets.

    Three passes, because a gather keeps the compiler from vectorising what stands beside it.
    """
    u_max, step = np.float32(U_MAX), np.float32(2.0**-SHIFT)
    first, mask = np.int32(_FIRST), np.int32((1 << SHIFT) - 1)
    y2 = y * y
    for j in range(dx.size):
        r2 = max(dx[j] * dx[j] + y2, floor)
        bits[j] = np.float32(min(np.float32(r2 * inverse), u_max)).view(np.int32)
    for j in range(dx.size):
        k = np.uint32((bits[j] >> np.int32(SHIFT)) - first)
        low[j], high[j] = row[k], row[k + np.uint32(1)]
    for j in range(dx.size):
        x = dx[j]
        r2 = max(x * x + y2, floor)
        place = np.float32(bits[j] & mask) * step
        ratio = (low[j] + place * (high[j] - low[j])) / r2
        ax[j] += ratio * x
        ay[j] += ratio * y


@numba.njit(forceinline=True)
def _split(axis64):
    """Divide the rays of an axis into blocks, each with its own few nodes.

    Args:
        axis64: (n,) ray coordinates, arcsec.

    Returns:
        (B+1,) first rays of the blocks, (B NODES,) Chebyshev nodes in arcsec, (n, NODES) weights
        that interpolate from a ray's own nodes, (B,) centres and (B,) half-lengths in arcsec.
    """
    n = axis64.size
    count = max(1, int(math.sqrt(n * REACH / NODES)))  # as many rays near halos as nodes far away
    start = np.arange(count + 1) * n // count
    unit = np.cos(np.pi * (np.arange(NODES) + 0.5) / NODES)
    nodes, weights = np.empty(count * NODES), np.ones((n, NODES), np.float32)
    center, half = np.empty(count), np.empty(count)
    for b in range(count):
        first, last = axis64[start[b]], axis64[start[b + 1] - 1]
        center[b], half[b] = (first + last) / 2, (last - first) / 2
        nodes[b * NODES : (b + 1) * NODES] = center[b] + half[b] * unit
        for i in range(start[b], start[b + 1]):
            place = (axis64[i] - center[b]) / half[b] if half[b] > 0 else 0.0
            for k in range(NODES):
                product = 1.0
                for other in range(NODES):
                    if other != k:
                        product *= (place - unit[other]) / (unit[k] - unit[other])
                weights[i, k] = product
    return start, nodes, weights, center, half


@numba.njit(forceinline=True)
def _near(position, center, half):
    """Blocks first to last - 1 of an axis to which a halo at this coordinate is near."""
    if center.size == 1:
        return 0, 1
    first = 0
    while first < center.size and center[first] + REACH * half[first] <= position:
        first += 1
    last = first
    while last < center.size and center[last] - REACH * half[last] < position:
        last += 1
    return first, last


@numba.njit(fastmath=FASTMATH, error_model="numpy", forceinline=True)
def _add_far_field(ax, ay, far_x, far_y, start, weights):
    """Interpolate what was summed on the nodes, first along rows, then across them."""
    n = weights.shape[0]
    across_x, across_y = np.empty((NODES, n), ax.dtype), np.empty((NODES, n), ax.dtype)
    for block in range(start.size - 1):
        across_x[:] = 0
        across_y[:] = 0
        for k in range(NODES):
            for b in range(start.size - 1):
                for i in range(start[b], start[b + 1]):
                    for m in range(NODES):
                        across_x[k, i] += weights[i, m] * far_x[block * NODES + k, b * NODES + m]
                        across_y[k, i] += weights[i, m] * far_y[block * NODES + k, b * NODES + m]
        for i in range(start[block], start[block + 1]):
            for k in range(NODES):
                weight = weights[i, k]
                for j in range(n):
                    ax[i, j] += weight * across_x[k, j]
                    ay[i, j] += weight * across_y[k, j]


@numba.njit(fastmath=FASTMATH, error_model="numpy", forceinline=True)
def _deflection_by_table(ax, ay, axis64, xy, halos, table, row):
    """Add every halo to the planes: ray by ray near it, on the nodes of blocks far from it."""
    start, nodes, weights, center, half = _split(axis64)
    n, m = axis64.size, nodes.size
    far_x, far_y = np.zeros((m, m), np.float32), np.zeros((m, m), np.float32)
    dx, node_dx = np.empty(n, np.float32), np.empty(m, np.float32)
    size = max(n, m)
    bits, low = np.empty(size, np.int32), np.empty(size, np.float32)
    high = np.empty(size, np.float32)
    for p in range(xy.shape[0]):
        x, y = xy[p]
        _own_row(row, table, halos[p, THETA_N2], halos[p, TAU])
        inverse, floor = np.float32(halos[p, INVERSE_RS2]), np.float32(halos[p, RS2] * X_FLOOR**2)
        dx[:] = axis64 - x
        node_dx[:] = nodes - x
        left, right = _near(x, center, half)
        bottom, top = _near(y, center, half)
        rays = slice(start[left], start[right])
        for i in range(start[bottom], start[top]):
            dy = np.float32(axis64[i] - y)
            _add_row(ax[i, rays], ay[i, rays], dx[rays], dy, row, inverse, floor, bits, low, high)
        for k in range(m):
            dy = np.float32(nodes[k] - y)
            is_near = bottom <= k // NODES < top
            gap = (left * NODES, right * NODES) if is_near else (m, m)
            for first, last in ((0, gap[0]), (gap[1], m)):
                if last > first:
                    s = slice(first, last)
                    fx, fy, fdx = far_x[k, s], far_y[k, s], node_dx[s]
                    _add_row(fx, fy, fdx, dy, row, inverse, floor, bits, low, high)
    if start.size > 2:
        _add_far_field(ax, ay, far_x, far_y, start, weights)


@numba.njit(forceinline=True)
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


@numba.njit(forceinline=True)
def _add_halo_exactly(ax, ay, dx, dy, halo):
    """Add the deflection of one halo by the closed form; dx, dy (n,) are offsets of rays."""
    theta_N2, Rs, tau = halo[THETA_N2], math.sqrt(halo[RS2]), halo[TAU]
    for i in range(dy.size):
        for j in range(dx.size):
            radius = max(math.sqrt(dx[j] ** 2 + dy[i] ** 2), X_FLOOR * Rs)
            ratio = theta_N2 * _enclosed(radius / Rs, tau) / radius**2
            ax[i, j] += ratio * dx[j]
            ay[i, j] += ratio * dy[i]


@numba.njit(fastmath=FASTMATH, error_model="numpy", forceinline=True)
def halo_deflection(ax, ay, axis64, xy, halos, table, row):
    """Deflection of the halos of one image.

    Args:
        ax, ay: (n, n) output, arcsec.
        axis64: (n,) float64 ray coordinates of either axis, arcsec.
        xy: (P, 2) float64 arcsec, positions.
        halos: (P, columns.HALO_COLUMNS) float64.
        table: of :func:`enclosed_table`; of length 0 evaluates the closed form.
        row: (nodes,) float32, working space.
    """
    ax[:] = 0
    ay[:] = 0
    if table.size:
        _deflection_by_table(ax, ay, axis64, xy, halos, table, row)
        return
    for p in range(xy.shape[0]):
        _add_halo_exactly(ax, ay, axis64 - xy[p, 0], axis64 - xy[p, 1], halos[p])


@numba.njit(fastmath=FASTMATH, error_model="numpy", forceinline=True)
def interpolate_planes(hx, hy, ax, ay, y, columns, part, factor):
    """Deflection of halos, known on the grid, at the rays of one part of its marked cells.

    Bilinear between the rays; linear beyond the outermost.

    Args:
        hx, hy: (n factor,) output for n marked cells, arcsec.
        ax, ay: (size, size) deflection on the grid, arcsec.
        y: row of the cells.
        columns: (n,) their columns.
        part: which of the ``factor`` rows of rays through the cells.
        factor: rays per cell and axis.
    """
    real = ax.dtype.type
    size, half = ax.shape[0], real(0.5)
    t = (real(part) + half) / real(factor) - half
    low = min(max(y - 1 if t < 0 else y, 0), size - 2)
    t += real(y - low)
    for k in range(columns.size):
        x = columns[k]
        for j in range(factor):
            w = (real(j) + half) / real(factor) - half
            left = min(max(x - 1 if w < 0 else x, 0), size - 2)
            w += real(x - left)
            one = real(1)
            hx[k * factor + j] = (one - t) * ((one - w) * ax[low, left] + w * ax[low, left + 1])
            hx[k * factor + j] += t * ((one - w) * ax[low + 1, left] + w * ax[low + 1, left + 1])
            hy[k * factor + j] = (one - t) * ((one - w) * ay[low, left] + w * ay[low, left + 1])
            hy[k * factor + j] += t * ((one - w) * ay[low + 1, left] + w * ay[low + 1, left + 1])
