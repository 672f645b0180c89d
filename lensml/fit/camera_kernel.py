"""From brightness on rays to pixels: parts of :mod:`lensml.fit.kernel`.

Maps are convolved along the rows of rays as soon as a row is complete, while it is in the cache,
and along the columns at the end. A row of rays is stored by its phases: ray x of the padded row is
element x // ss of phase x % ss, so that every tap multiplies consecutive elements.
"""

from __future__ import annotations

import numba
import numpy as np

_f = np.float32


@numba.njit(fastmath=True, error_model="numpy", forceinline=True)
def repeat_edges(row, place, radius):
    """Values of the outermost rays also beyond the border.

    Args:
        row: of rays, by its phases.
        place: (size + 2 radius,) element of every ray of the padded row.
        radius: of the taps, rays.
    """
    last = place.size - 1 - radius
    for k in range(radius):
        row[place[k]] = row[place[radius]]
        row[place[last + 1 + k]] = row[place[last]]


@numba.njit(fastmath=True, error_model="numpy", forceinline=True)
def convolve_row(out, row, taps, starts, first, last):
    """One row of rays to pixels ``first`` to ``last - 1`` along the row; others are set to 0.

    Args:
        out: (n,) float32.
        row: of rays, by its phases, edges repeated.
        taps: (K,) with K a multiple of 4, filled up with zeros.
        starts: (K,) element of the row that a tap multiplies for pixel 0.
        first, last: pixels.
    """
    for j in range(out.size):
        out[j] = _f(0)
    target = out[first:last]
    for k in range(0, taps.size, 4):
        t0, t1, t2, t3 = taps[k], taps[k + 1], taps[k + 2], taps[k + 3]
        p0, p1 = row[starts[k] + first :], row[starts[k + 1] + first :]
        p2, p3 = row[starts[k + 2] + first :], row[starts[k + 3] + first :]
        for j in range(target.size):
            target[j] += t0 * p0[j] + t1 * p1[j] + t2 * p2[j] + t3 * p3[j]


@numba.njit(fastmath=True, error_model="numpy", forceinline=True)
def convolve_columns(image, strips, taps, low, high, radius, ss, rows, weights):
    """Add the rows of rays, each already along the row in pixels, into an image.

    Args:
        image: (n, n) float32, added to.
        strips: (n ss, n).
        taps: (K,).
        low, high: only rows from ``low`` to ``high - 1`` are not 0.
        radius, ss: of the taps, rays per pixel.
        rows, weights: working space, (K + 4,) int64 and float32.
    """
    size = strips.shape[0]
    for i in range(image.shape[0]):
        count = 0
        for k in range(taps.size):
            y = min(max(i * ss - radius + k, 0), size - 1)
            if low <= y < high:
                rows[count], weights[count] = y, taps[k]
                count += 1
        while count % 4:
            rows[count], weights[count] = low, _f(0)
            count += 1
        target = image[i]
        for k in range(0, count, 4):
            t0, t1, t2, t3 = weights[k], weights[k + 1], weights[k + 2], weights[k + 3]
            s0, s1, s2, s3 = (
                strips[rows[k]],
                strips[rows[k + 1]],
                strips[rows[k + 2]],
                strips[rows[k + 3]],
            )
            for j in range(target.size):
                target[j] += t0 * s0[j] + t1 * s1[j] + t2 * s2[j] + t3 * s3[j]
