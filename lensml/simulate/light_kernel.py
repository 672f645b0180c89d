"""Light on the rays, and what the camera makes of it: parts of :mod:`lensml.simulate.kernel`."""

from __future__ import annotations

import math

import numba
import numpy as np

from lensml.simulate.columns import (
    B_OVER_LN2,
    FLOOR2,
    GALAXY_AMP,
    GALAXY_INVERSE_SCALE,
    HALF_INVERSE_N,
    LOG2_AMP,
    LOG2_R_SERSIC,
    SOURCE_COS_PHI,
    SOURCE_Q,
    SOURCE_SIN_PHI,
    SOURCE_X,
    SOURCE_Y,
)
from lensml.simulate.vector_math import FASTMATH, exp2, log2

# What one ray may miss of its cell's mean brightness, as a fraction of the brightest pixel.
MAX_MISS = 0.0015


@numba.njit(fastmath=FASTMATH, error_model="numpy", forceinline=True)
def source_light(row, bx, by, m):
    """Elliptical Sersic surface brightness at the traced positions, in place into ``row``."""
    cx, cy, q = m[SOURCE_X], m[SOURCE_Y], m[SOURCE_Q]
    c, s = m[SOURCE_COS_PHI], m[SOURCE_SIN_PHI]
    log_amp, b, log_r, half_n = m[LOG2_AMP], m[B_OVER_LN2], m[LOG2_R_SERSIC], m[HALF_INVERSE_N]
    two = row.dtype.type(2)
    floor = m[FLOOR2]
    inverse_q = row.dtype.type(1) / q
    for j in range(row.size):
        dx, dy = bx[j] - cx, by[j] - cy
        u = c * dx + s * dy
        v = c * dy - s * dx
        r2 = max(q * u * u + inverse_q * v * v, floor)
        power = exp2((log2(r2) - two * log_r) * half_n)
        row[j] = exp2(log_amp - b * power)


@numba.njit(fastmath=FASTMATH, error_model="numpy", forceinline=True)
def mark_cells(marked, first, compact, fine, ss, bend):
    """Find the cells in which surface brightness bends too much for one ray in the middle.

    The middle of a cell misses its mean by a 24th of the second difference along each axis. That
    is large at the cusp of a source and beside a compact mass, whatever their profiles.

    Args:
        marked: (n^2,) output, columns of the marked cells, row after row.
        first: (n+1,) output, the marked cells of row y are marked[first[y]:first[y + 1]].
        compact: (n, n) bool, cells that are marked in any case; all False afterwards.
        fine: (n, n) surface brightness on the rays.
        ss: rays per pixel and axis.
        bend: working space, (n,).
    """
    size, two = fine.shape[0], fine.dtype.type(2)
    peak = fine.dtype.type(0)
    for i in range(0, size, ss):
        for j in range(0, size, ss):
            total = fine.dtype.type(0)
            for y in range(i, i + ss):
                for x in range(j, j + ss):
                    total += fine[y, x]
            peak = max(peak, total)
    limit = fine.dtype.type(24 * MAX_MISS) * peak / fine.dtype.type(ss * ss)
    count = 0
    for y in range(size):
        first[y] = count
        here, above, below = fine[y], fine[min(y + 1, size - 1)], fine[max(y - 1, 0)]
        bend[0] = bend[size - 1] = 0
        for x in range(1, size - 1):
            bend[x] = abs(here[x - 1] + here[x + 1] - two * here[x])
        for x in range(size):
            bend[x] += abs(above[x] + below[x] - two * here[x])
        for x in range(size):
            if bend[x] > limit or compact[y, x]:
                marked[count] = x
                count += 1
                compact[y, x] = False
    first[size] = count


@numba.njit(fastmath=FASTMATH, error_model="numpy", forceinline=True)
def average_cells(fine, here, before):
    """Turn brightness in the middle of cells into its mean over them, in place.

    The mean is the middle and a 24th of the second difference along each axis, up to terms of
    fourth order: cells that bend too little to be marked, which are most of an arc, would all err
    to the same side. No light becomes negative; a border has no difference across it.

    Args:
        fine: (n, n) surface brightness on the rays.
        here, before: working space, (n,).
    """
    size, two, share = fine.shape[0], fine.dtype.type(2), fine.dtype.type(1 / 24)
    last = size - 1
    for y in range(size):
        row = fine[y]
        for x in range(size):
            here[x] = row[x]
        for x in range(1, last):
            row[x] += (here[x - 1] + here[x + 1] - two * here[x]) * share
        if 0 < y < last:
            below = fine[y + 1]
            for x in range(size):
                row[x] += (before[x] + below[x] - two * here[x]) * share
        for x in range(size):
            before[x] = here[x]


@numba.njit(error_model="numpy", forceinline=True)
def mark_position(compact, center_x, center_y, axis64):
    """Mark the cell in which a position in arcsec lies, and those about it, if they exist."""
    size, step = axis64.size, axis64[1] - axis64[0]
    column = math.floor((center_x - axis64[0]) / step + 0.5)
    row = math.floor((center_y - axis64[0]) / step + 0.5)
    for y in range(max(row - 1, 0), min(row + 2, size)):
        for x in range(max(column - 1, 0), min(column + 2, size)):
            compact[y, x] = True


@numba.njit(error_model="numpy", forceinline=True)
def mark_line(compact, line, axis64):
    """Mark the cells along a line mass, and those beside them."""
    half = 2 * line[4] / (axis64[1] - axis64[0])  # length in half cells
    n = math.ceil(half) + 1
    for k in range(-n, n + 1):
        along = line[4] * k / n
        mark_position(compact, line[0] + line[2] * along, line[1] + line[3] * along, axis64)


@numba.njit(error_model="numpy", forceinline=True)
def place_row(x64, axis64, marked, first, r, refinement):
    """Rays of row r: of the grid, or from its end on those through marked cells.

    Args:
        x64: output, the first n are the coordinates of the rays, arcsec.
        axis64: (size,) coordinates of the grid, arcsec.
        marked, first: see :func:`mark_cells`.
        r: below size, row of the grid; from there on, ``refinement`` rows for each of them.
        refinement: rays per cell and axis.

    Returns:
        n, row of the grid, which of its ``refinement`` parts, and coordinate of the row in arcsec.
    """
    size, step = axis64.size, axis64[1] - axis64[0]
    if r < size:
        for k in range(size):
            x64[k] = axis64[k]
        return size, r, 0, axis64[r]
    y, part = (r - size) // refinement, (r - size) % refinement
    n = (first[y + 1] - first[y]) * refinement
    for k in range(n):
        x = axis64[marked[first[y] + k // refinement]]
        x64[k] = x + step * ((k % refinement + 0.5) / refinement - 0.5)
    return n, y, part, axis64[y] + step * ((part + 0.5) / refinement - 0.5)


@numba.njit(fastmath=FASTMATH, error_model="numpy", forceinline=True)
def average_rays(row, light, columns, part, factor):
    """Put the mean of the rays of marked cells in their place, one part after the other.

    Args:
        row: (size,) brightness of a row of the grid, changed in place.
        light: brightness of the rays of this part, ``factor`` for each cell.
        columns: (n,) columns of the cells.
        part, factor: see :func:`place_row`.
    """
    for k in range(columns.size):
        total = row.dtype.type(0)
        for j in range(factor):
            total += light[k * factor + j]
        total /= row.dtype.type(factor * factor)
        row[columns[k]] = total if part == 0 else row[columns[k]] + total


@numba.njit(fastmath=FASTMATH, error_model="numpy", forceinline=True)
def galaxy_light(row, bx, by, m, image):
    """Observed galaxy at the traced positions, bilinear, nothing outside; into ``row``."""
    cx, cy, c, s = m[SOURCE_X], m[SOURCE_Y], m[SOURCE_COS_PHI], m[SOURCE_SIN_PHI]
    amp, inverse = m[GALAXY_AMP], m[GALAXY_INVERSE_SCALE]
    n = image.shape[0]
    zero, one, middle = row.dtype.type(0), row.dtype.type(1), row.dtype.type((n - 1) / 2)
    for j in range(row.size):
        dx, dy = (bx[j] - cx) * inverse, (by[j] - cy) * inverse
        x = c * dx + s * dy + middle
        y = c * dy - s * dx + middle
        if x <= zero or y <= zero or x >= n - 1 or y >= n - 1:
            row[j] = zero
            continue
        i, k = int(y), int(x)
        t, u = row.dtype.type(y - i), row.dtype.type(x - k)
        low = (one - u) * image[i, k] + u * image[i, k + 1]
        high = (one - u) * image[i + 1, k] + u * image[i + 1, k + 1]
        row[j] = amp * ((one - t) * low + t * high)


@numba.njit(fastmath=FASTMATH, error_model="numpy", forceinline=True)
def add_convolved(image, fine, taps, ss, radius, strip, phases):
    """Convolution with one binned kernel, bin and add.

    Args:
        image: (n, n) to which is added.
        fine: (n ss, n ss).
        taps: (2 radius + ss,) see :func:`lensml.simulate.render.psf_taps`.
        ss: rays per pixel and axis.
        radius: rays beyond a pixel that its light comes from.
        strip: working space, (n ss,).
        phases: working space, (ss, n + taps.size // ss + 1): every ss-th ray side by side, so that
            neighbouring pixels are summed at once and in the order of the taps.
    """
    n, size = image.shape[0], fine.shape[0]
    zero = image.dtype.type(0)
    for i in range(n):
        for x in range(size):
            strip[x] = zero
        for k in range(taps.size):
            y = min(max(i * ss - radius + k, 0), size - 1)
            weight = taps[k]
            for x in range(size):
                strip[x] += weight * fine[y, x]
        for p in range(ss):
            for m in range(phases.shape[1]):
                phases[p, m] = strip[min(max(m * ss + p - radius, 0), size - 1)]
        row = image[i]
        for k in range(taps.size):
            weight = taps[k]
            ray = phases[k % ss, k // ss :]
            for j in range(n):
                row[j] += weight * ray[j]


@numba.njit(fastmath=FASTMATH, error_model="numpy", forceinline=True)
def convolve_and_bin(image, fine, taps, ss, radius, strip):
    """Sum of separable convolutions, edge values repeated beyond the border."""
    image[:] = 0
    phases = np.empty((ss, image.shape[0] + taps.shape[1] // ss + 1), image.dtype)
    for c in range(taps.shape[0]):
        add_convolved(image, fine, taps[c], ss, radius, strip, phases)
