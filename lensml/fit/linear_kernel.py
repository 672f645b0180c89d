"""Least squares by normal equations: parts of :mod:`lensml.fit.levenberg_marquardt`.

Sums over pixels are taken in float32 a row of ``PIECE`` at a time, and in float64 from there on.
"""

from __future__ import annotations

import math

import numba
import numpy as np

PIECE = 256
_f = np.float32


@numba.njit(error_model="numpy", forceinline=True)
def copy(target, source):
    """Copy (N,) numbers: ``target[:] = source`` takes seconds to compile, wherever it stands."""
    for i in range(target.size):
        target[i] = source[i]


@numba.njit(fastmath=True, error_model="numpy", forceinline=True)
def product(a, b):
    """Sum of a b over (pixels,) float32 arrays, as a float64."""
    total = 0.0
    for start in range(0, a.size, PIECE):
        x, y = a[start : start + PIECE], b[start : start + PIECE]
        part = _f(0)
        for i in range(x.size):
            part += x[i] * y[i]
        total += part
    return total


@numba.njit(fastmath=True, error_model="numpy", forceinline=True)
def subtract(a, b, factor):
    """Take ``factor`` times b from a, in place."""
    factor = _f(factor)
    for i in range(a.size):
        a[i] -= factor * b[i]


@numba.njit(fastmath=True, error_model="numpy", forceinline=True)
def orthonormalise(basis, columns, weights):
    """Gram-Schmidt, twice over, of columns times weights; what depends on others becomes 0.

    Args:
        basis: (K, pixels) float32 output.
        columns: (K, pixels).
        weights: (pixels,).
    """
    for k in range(columns.shape[0]):
        row = basis[k]
        for i in range(row.size):
            row[i] = columns[k, i] * weights[i]
        whole = product(row, row)
        for _ in range(2):
            for j in range(k):
                subtract(row, basis[j], product(row, basis[j]))
        left = product(row, row)
        # What is left of a column that depends on the others is rounding errors of its own.
        scale = _f(1 / math.sqrt(left)) if left > 1e-9 * whole else _f(0)
        for i in range(row.size):
            row[i] *= scale


@numba.njit(fastmath=True, error_model="numpy", forceinline=True)
def project_out(row, basis):
    """Make a (pixels,) row orthogonal to an orthonormal basis (K, pixels), in place."""
    for k in range(basis.shape[0]):
        subtract(row, basis[k], product(row, basis[k]))


@numba.njit(error_model="numpy", forceinline=True)
def factorise(lower, matrix):
    """Cholesky factor of a symmetric matrix (K, K); False where it is not positive definite."""
    for i in range(matrix.shape[0]):
        for j in range(i + 1):
            total = matrix[i, j]
            for k in range(j):
                total -= lower[i, k] * lower[j, k]
            if i > j:
                lower[i, j] = total / lower[j, j]
            elif total > 0:
                lower[i, i] = math.sqrt(total)
            else:
                return False
    return True


@numba.njit(error_model="numpy", forceinline=True)
def substitute(x, lower):
    """Solve lower lower^T x' = x in place."""
    n = x.size
    for i in range(n):
        for k in range(i):
            x[i] -= lower[i, k] * x[k]
        x[i] /= lower[i, i]
    for i in range(n - 1, -1, -1):
        for k in range(i + 1, n):
            x[i] -= lower[k, i] * x[k]
        x[i] /= lower[i, i]
