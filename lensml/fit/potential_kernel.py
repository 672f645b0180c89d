"""The potential filter of one image, for :mod:`lensml.fit.potential`.

Every mode of the potential is a plane wave, so every sum over pixels is a Fourier coefficient of a
product of maps: those of the derivatives with each other at sums and differences of two modes'
wave numbers, those with the residual and with what is projected out at the modes' own. No row of
the matrix of modes and pixels is ever written down.
"""

from __future__ import annotations

import hashlib
import inspect
import math
from collections.abc import Callable

import numba
import numpy as np

from lensml.fit import linear_kernel, wave_kernel
from lensml.fit.linear_kernel import copy, orthonormalise, project_out
from lensml.fit.wave_kernel import (
    cholesky,
    fill_multipoles,
    fill_products,
    fill_spectrum,
    invert_factor,
    most_powerful,
    project_modes,
    square_factor,
    synthesise,
    transform,
)

BY_SOURCE_X, BY_SOURCE_Y = 14, 15  # maps of the kernel
CENTER_X, CENTER_Y = 4, 5  # parameters
_f = np.float32


def _compiled(sources: str) -> tuple[Callable[..., None], Callable[..., float], Callable]:
    """The kernels; numba's cache of them is that of these ``sources``, not of this file alone."""

    @numba.njit(error_model="numpy", cache=True)
    def find_directions(memory, fit, x, axis, multipoles):
        """An orthonormal basis of what the filter must not see, and derivatives by deflections.

        Args:
            memory: see :class:`FilterMemory`.
            fit: :class:`lensml.fit.descent_kernel.Memory` of the image's fit.
            x: (parameters,) of the fit.
            axis: (n,) pixels, arcsec.
            multipoles: whether multipoles are projected out, too.
        """
        _ = sources  # in the closure, and so in the key of numba's cache
        flat = fit.maps.reshape(fit.maps.shape[0], fit.residual.size)
        for i in range(fit.residual.size):
            memory.by_x[i] = flat[BY_SOURCE_X, i] * fit.weights[i]
            memory.by_y[i] = flat[BY_SOURCE_Y, i] * fit.weights[i]
        n_light, n_free = fit.basis.shape[0], fit.slopes.shape[0]
        for k in range(n_light):
            copy(memory.columns[k], fit.basis[k])
        for k in range(n_free):
            copy(memory.columns[n_light + k], fit.slopes[k])
        if multipoles:
            rows = memory.columns[n_light + n_free :]
            fill_multipoles(rows, memory.by_x, memory.by_y, axis, x[CENTER_X], x[CENTER_Y])
        # What is projected out is over noise already.
        orthonormalise(memory.directions, memory.columns, np.ones(fit.residual.size, _f))

    @numba.njit(error_model="numpy", cache=True)
    def find_products(memory, residual, modes):
        """Products of the modes with the residual and with each other, without the directions.

        Args:
            memory: see :class:`FilterMemory`.
            residual: (pixels,) float32, over noise.
            modes: see :class:`Modes`.

        Returns:
            z.
        """
        _ = sources
        n, waves, m = modes.axis.size, modes.waves, memory.b.size
        by_x, by_y, directions = memory.by_x, memory.by_y, memory.directions
        low, high = n, 0
        for i in range(residual.size):
            if by_x[i] != 0 or by_y[i] != 0:
                low, high = min(low, i // n), i // n + 1
        residual = residual.copy()
        project_out(residual, directions)
        # Coefficients of the products of either derivative with every direction and, last, with
        # the residual; then of the squares of the derivatives.
        n_directions = directions.shape[0]
        projections = np.empty((n_directions + 1, m))
        of_rows = np.empty((2, 2, waves + 1, 2 * waves + 1))
        squares = np.empty((3, 2, 2 * waves + 1, 4 * waves + 1))
        strip, field = np.zeros((2, 2 * waves + 1, n)), np.empty(residual.size, _f)
        for k in range(2 * (n_directions + 1) + 3):
            row, square = k // 2, k - 2 * (n_directions + 1)
            if square >= 0:
                first, second = by_y if square == 2 else by_x, by_x if square == 0 else by_y
                out, largest = squares[max(square, 0)], 2 * waves
            else:
                first = by_y if k % 2 else by_x
                second = directions[row] if row < n_directions else residual
                out, largest = of_rows[k % 2], waves
            for i in range(residual.size):
                field[i] = first[i] * second[i]
            transform(out, field, modes, largest, strip, low, high)
            if square < 0 and k % 2:
                project_modes(projections[row], of_rows[0], of_rows[1], modes, waves)
        copy(memory.b, projections[n_directions])
        fill_products(memory.products, squares, modes, 2 * waves)
        return most_powerful(memory.b, memory.products, projections[:n_directions])

    @numba.njit(error_model="numpy", cache=True)
    def explain(memory, modes, amplitude):
        """Evidence of an amplitude, and the Wiener map of the convergence with its deviation.

        Args:
            memory: see :class:`FilterMemory`; holds the products, and the maps afterwards.
            modes: see :class:`Modes`.
            amplitude: A, arcsec^4 (rad/arcsec)^slope.

        Returns:
            The evidence; NaN, and no maps, where rounding errors leave none.
        """
        _ = sources
        m, waves, half = memory.b.size, modes.waves, modes.kx.size
        lower, inverse, covariance = memory.matrices[0], memory.matrices[1], memory.matrices[2]
        memory.kappa[:], memory.kappa_std[:] = _f(0), _f(0)
        if not cholesky(lower, memory.products, 1 / amplitude):
            return np.nan
        invert_factor(inverse, lower)
        square_factor(covariance, inverse)
        found = np.zeros(m)
        log_det, gain = m * math.log(amplitude), 0.0
        for i in range(m):
            for j in range(m):
                found[i] += covariance[max(i, j), min(i, j)] * memory.b[j]
            gain += memory.b[i] * found[i]
            log_det += 2 * math.log(lower[i, i])
        spectrum = np.zeros((2, waves + 1, 2 * waves + 1))
        for k in range(half):
            spectrum[0, modes.a[k], modes.b[k] + waves] = modes.convergence[k] * found[k]
            spectrum[1, modes.a[k], modes.b[k] + waves] = modes.convergence[k] * found[half + k]
        variance = np.zeros((2, 2 * waves + 1, 4 * waves + 1))
        fill_spectrum(variance, covariance, modes, 2 * waves)
        for k in range(2):
            if k == 0:
                synthesise(memory.kappa, spectrum, waves, modes.cosine, modes.sine)
            else:
                synthesise(memory.kappa_std, variance, 2 * waves, modes.cosine, modes.sine)
        for y in range(memory.kappa_std.shape[0]):
            row = memory.kappa_std[y]
            for x in range(row.size):
                row[x] = math.sqrt(max(row[x], _f(0)))
        return 0.5 * gain - 0.5 * log_det

    return find_directions, find_products, explain


_SOURCES = "".join(map(inspect.getsource, (linear_kernel, wave_kernel)))
find_directions, find_products, explain = _compiled(hashlib.sha256(_SOURCES.encode()).hexdigest())
