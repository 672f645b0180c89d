"""Statistics of one residual, for :mod:`lensml.fit.statistics`."""

from __future__ import annotations

import hashlib
import inspect
import math
from collections.abc import Callable

import numba
import numpy as np

from lensml.fit import linear_kernel
from lensml.fit.linear_kernel import product

FULL_WEIGHT = 5.0  # S/N from which on a pixel counts fully
_f = np.float32


@numba.njit(fastmath=True, error_model="numpy", forceinline=True)
def smooth(out, image, taps, strip):
    """Separable smoothing; beyond the border an image is mirrored, its edge pixels twice."""
    n, radius = image.shape[0], taps.size // 2
    for along in range(2):
        source, target = (strip, out) if along else (image, strip)
        for y in range(n):
            row = target[y]
            row[:] = 0
            if along:
                for k in range(taps.size):
                    weight = taps[k]
                    for x in range(n):
                        position = x + k - radius
                        position = -1 - position if position < 0 else position
                        position = 2 * n - 1 - position if position >= n else position
                        row[x] += weight * source[y, position]
            else:
                for k in range(taps.size):
                    position = y + k - radius
                    position = -1 - position if position < 0 else position
                    position = 2 * n - 1 - position if position >= n else position
                    weight, other = taps[k], source[position]
                    for x in range(n):
                        row[x] += weight * other[x]


@numba.njit(fastmath=True, error_model="numpy", forceinline=True)
def correlate(residual, weight, lag):
    """Means of the products of pixels ``lag`` apart along either axis: all, and weighted."""
    n = residual.shape[0]
    along, across, arc = 0.0, 0.0, 0.0
    for y in range(n):
        row, w = residual[y], weight[y]
        for x in range(n - lag):
            value = row[x] * row[x + lag]
            along += value
            arc += value * w[x + lag]
        if y + lag < n:
            below, w = residual[y + lag], weight[y + lag]
            for x in range(n):
                value = row[x] * below[x]
                across += value
                arc += value * w[x]
    return (along + across) / (n * (n - lag)), arc


def _compiled(sources: str) -> Callable[..., None]:
    """The statistics; numba's cache of them is that of these ``sources`` and this file."""

    @numba.njit(error_model="numpy", cache=True)
    def measure(out, residual, arcs, weights, taps):
        """Statistics of one image.

        Args:
            out: (20,) float64 output.
            residual: (n, n) float32, over noise.
            arcs: (n, n) float32, model of the lensed source, e-/s per pixel.
            weights: (n, n) float32, 1 / noise.
            taps: smoothing weights of every scale.
        """
        _ = sources  # in the closure, and so in the key of numba's cache
        n = residual.shape[0]
        weight, low, strip = np.empty((n, n), _f), np.empty((n, n), _f), np.empty((n, n), _f)
        excess, area, area2, snr2, third, fourth = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
        for y in range(n):
            for x in range(n):
                snr = arcs[y, x] * weights[y, x]
                w = min(max(snr / _f(FULL_WEIGHT), _f(0)), _f(1))
                r2 = residual[y, x] * residual[y, x]
                weight[y, x] = w
                excess += w * (r2 - 1)
                area += w
                area2 += w * w
                snr2 += max(snr, _f(0)) ** 2
                third += r2 * residual[y, x]
                fourth += r2 * r2
        arc = max(area, 1e-6)
        out[0] = excess / math.sqrt(max(2 * area2, 1e-6))
        for k in range(len(taps)):
            smooth(low, residual, taps[k], strip)
            variance = product(taps[k], taps[k]) ** 2
            highest, total, on_arc = _f(0), 0.0, 0.0
            for y in range(n):
                for x in range(n):
                    square = low[y, x] * low[y, x]
                    highest = max(highest, square)
                    total += square
                    on_arc += square * weight[y, x]
            out[1 + k] = math.sqrt(highest / variance)
            out[4 + k] = total / (n * n * variance)
            out[7 + k] = on_arc / (arc * variance)
        for k in range(3):
            out[10 + k], on_arc = correlate(residual, weight, k + 1)
            out[13 + k] = on_arc / arc
        out[16], out[17] = third / (n * n), fourth / (n * n)
        out[18], out[19] = math.log(max(snr2, 1e-6)), area / (n * n)

    return measure


measure = _compiled(hashlib.sha256(inspect.getsource(linear_kernel).encode()).hexdigest())
