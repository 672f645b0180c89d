"""The nearest lenses of a library, for :mod:`lensml.fit.starts`."""

from __future__ import annotations

import numba
import numpy as np


@numba.njit(error_model="numpy", cache=True)
def find_nearest(index, seen, mean, components, coordinates):
    """Indices of the nearest rows of ``coordinates``, the nearest first, into ``index``.

    Every image by itself, one sum after the other: a product of matrices would round differently
    with the number of images, and a neighbour could depend on the block.
    """
    point = np.zeros(components.shape[0])
    for k in range(components.shape[0]):
        for p in range(seen.size):
            point[k] += (seen[p] - mean[p]) * components[k, p]
    distance = np.zeros(coordinates.shape[0])
    for r in range(coordinates.shape[0]):
        for k in range(point.size):
            distance[r] += (point[k] - coordinates[r, k]) ** 2
    for j in range(index.size):
        best = 0
        for r in range(1, distance.size):
            if distance[r] < distance[best]:
                best = r
        index[j] = best
        distance[best] = np.inf
