"""Light on the rays, and what the camera makes of it: parts of :mod:`lensml.simulate.kernel`."""

from __future__ import annotations

import math

import numba

from lensml.simulate.vector_math import exp2, log2

NEAR = 16.0  # squared distance from the source's centre, in cells, within which cells are refined
MAX_STRETCH = 8.0  # of a cell, squared, from the sky to the source


@numba.njit(fastmath=True, error_model="numpy", forceinline=True)
def source_light(row, bx, by, m):
    """Elliptical Sersic surface brightness at the traced positions, in place into ``row``."""
    cx, cy, c, s, q = m[9], m[10], m[11], m[12], m[13]
    log_amp, b, log_r, half_n = m[14], m[15], m[16], m[17]
    two = row.dtype.type(2)
    floor = m[26]
    inverse_q = row.dtype.type(1) / q
    for j in range(row.size):
        dx, dy = bx[j] - cx, by[j] - cy
        u = c * dx + s * dy
        v = c * dy - s * dx
        r2 = max(q * u * u + inverse_q * v * v, floor)
        power = exp2((log2(r2) - two * log_r) * half_n)
        row[j] = exp2(log_amp - b * power)


@numba.njit(fastmath=True, error_model="numpy", forceinline=True)
def refine_cusp(fine, bx, by, m, factor, step2):
    """Average the Sersic source over ``factor`` x ``factor`` rays in cells close to its centre.

    One ray in the middle of a cell is far off where the profile bends within the cell. The map
    inside it is linear to the accuracy of central differences, so no deflection is evaluated
    again. Cells whose map is stretched beyond any smooth lens are left alone: there a compact
    perturber is nearer than its neighbours.

    Args:
        fine: (n, n) surface brightness on the rays, changed in place.
        bx, by: (n, n) source positions of the rays, arcsec.
        m: row of the macro table.
        factor: rays per cell and axis.
        step2: squared side of a cell, arcsec^2.
    """
    kind = fine.dtype.type
    half = kind(0.5)
    cx, cy, c, s, q = m[9], m[10], m[11], m[12], m[13]
    log_amp, b, log_r, half_n, floor = m[14], m[15], m[16], m[17], m[26]
    root = math.sqrt(q)
    size = fine.shape[0]
    # Coordinates in which the profile is round.
    cu, su, cv, sv = c * root, s * root, c / root, s / root
    for y in range(size):
        above, below = min(y + 1, size - 1), max(y - 1, 0)
        for x in range(size):
            right, left = min(x + 1, size - 1), max(x - 1, 0)
            dx, dy = bx[y, x] - cx, by[y, x] - cy
            u, v = cu * dx + su * dy, cv * dy - sv * dx
            if u * u + v * v > kind(NEAR) * kind(MAX_STRETCH) * step2 / q:
                continue
            xx, xy = half * (bx[y, right] - bx[y, left]), half * (bx[above, x] - bx[below, x])
            yx, yy = half * (by[y, right] - by[y, left]), half * (by[above, x] - by[below, x])
            ux, uy = cu * xx + su * yx, cu * xy + su * yy
            vx, vy = cv * yx - sv * xx, cv * yy - sv * xy
            extent2 = ux * ux + uy * uy + vx * vx + vy * vy
            if u * u + v * v > kind(NEAR) * extent2:
                continue
            if xx * xx + xy * xy + yx * yx + yy * yy > kind(MAX_STRETCH) * step2:
                continue
            total = kind(0)
            for i in range(factor):
                t = (kind(i) + half) / kind(factor) - half
                for j in range(factor):
                    w = (kind(j) + half) / kind(factor) - half
                    us, vs = u + w * ux + t * uy, v + w * vx + t * vy
                    r2 = max(us * us + vs * vs, floor)
                    total += exp2(log_amp - b * exp2((log2(r2) - log_r - log_r) * half_n))
            fine[y, x] = total / kind(factor * factor)


@numba.njit(fastmath=True, error_model="numpy", forceinline=True)
def galaxy_light(row, bx, by, m, image):
    """Observed galaxy at the traced positions, bilinear, nothing outside; into ``row``."""
    cx, cy, c, s, amp, inverse = m[9], m[10], m[11], m[12], m[27], m[28]
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


@numba.njit(fastmath=True, error_model="numpy", forceinline=True)
def convolve_and_bin(image, fine, taps, ss, radius, strip):
    """Separable convolution with the binned kernel, edge values repeated beyond the border."""
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
        for j in range(n):
            start = j * ss - radius
            total = zero
            if start >= 0 and start + taps.size <= size:
                for k in range(taps.size):
                    total += taps[k] * strip[start + k]
            else:
                for k in range(taps.size):
                    total += taps[k] * strip[min(max(start + k, 0), size - 1)]
            image[i, j] = total
