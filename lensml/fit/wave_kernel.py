"""Sums over pixels of products with plane waves: parts of ``potential_kernel``."""

from __future__ import annotations

import math

import numba
import numpy as np

from lensml.fit.linear_kernel import product

_f = np.float32


@numba.njit(fastmath=True, error_model="numpy", forceinline=True)
def transform(out, field, modes, waves, strip, low, high):
    """Fourier coefficients sum f e^(-i (a x + b y)) of a field, a from 0 to waves.

    Args:
        out: (2, waves + 1, 2 waves + 1) float64 output, real and imaginary; the wave number along
            y of column j is j - waves.
        field: (n^2,) float32.
        modes: see :class:`lensml.fit.potential.Modes`.
        waves: largest wave number along either axis.
        strip: (2, waves + 1, n) float64, working space.
        low, high: rows outside of these are zero.
    """
    n, cosine, sine = modes.axis.size, modes.cosine, modes.sine
    for y in range(low, high):
        row = field[y * n : (y + 1) * n]
        for a in range(waves + 1):
            strip[0, a, y] = product(row, modes.cosine32[a])
            strip[1, a, y] = -product(row, modes.sine32[a])
    for a in range(waves + 1):
        real, imaginary = strip[0, a], strip[1, a]
        for b in range(waves + 1):
            rc, rs, ic, i_s = 0.0, 0.0, 0.0, 0.0
            for y in range(low, high):
                rc += real[y] * cosine[b, y]
                rs += real[y] * sine[b, y]
                ic += imaginary[y] * cosine[b, y]
                i_s += imaginary[y] * sine[b, y]
            out[0, a, waves + b], out[1, a, waves + b] = rc + i_s, ic - rs
            out[0, a, waves - b], out[1, a, waves - b] = rc - i_s, ic + rs


@numba.njit(error_model="numpy", forceinline=True)
def project_modes(out, by_x, by_y, modes, waves):
    """Products of the modes with an image: of the cosines first, then of the sines.

    Args:
        out: (M,) output.
        by_x, by_y: coefficients of the image times its derivative by a deflection along x and y.
        modes: see :class:`lensml.fit.potential.Modes`.
        waves: largest wave number.
    """
    half = modes.kx.size
    for m in range(half):
        a, b, kx, ky = modes.a[m], modes.b[m] + waves, modes.kx[m], modes.ky[m]
        out[m] = modes.scale[m] * (kx * by_x[1, a, b] + ky * by_y[1, a, b])
        out[half + m] = modes.scale[m] * (kx * by_x[0, a, b] + ky * by_y[0, a, b])


@numba.njit(error_model="numpy", forceinline=True)
def fill_products(matrix, squares, modes, waves):
    """Products of all pairs of modes, lower triangle.

    Args:
        matrix: (M, M) output.
        squares: (3, 2, waves + 1, 2 waves + 1) coefficients of I_x^2, I_x I_y and I_y^2.
        modes: of which the largest sum is ``waves``.
        waves: largest wave number of ``squares``.
    """
    half = modes.kx.size
    for m in range(half):
        for k in range(m + 1):
            xx = modes.kx[m] * modes.kx[k]
            xy = modes.kx[m] * modes.ky[k] + modes.ky[m] * modes.kx[k]
            yy = modes.ky[m] * modes.ky[k]
            scale = 0.5 * modes.scale[m] * modes.scale[k]
            a, b = modes.a[m] + modes.a[k], modes.b[m] + modes.b[k] + waves
            plus = xx * squares[0, 0, a, b] + xy * squares[1, 0, a, b] + yy * squares[2, 0, a, b]
            plus_i = xx * squares[0, 1, a, b] + xy * squares[1, 1, a, b] + yy * squares[2, 1, a, b]
            a, b = modes.a[m] - modes.a[k], modes.b[m] - modes.b[k]
            sign = 1.0
            if a < 0:
                a, b, sign = -a, -b, -1.0
            b += waves
            minus = xx * squares[0, 0, a, b] + xy * squares[1, 0, a, b] + yy * squares[2, 0, a, b]
            minus_i = sign * (
                xx * squares[0, 1, a, b] + xy * squares[1, 1, a, b] + yy * squares[2, 1, a, b]
            )
            # sin sin, cos cos and -cos sin of the two waves; -Im is the sum with a sine.
            matrix[m, k] = scale * (minus - plus)
            matrix[half + m, half + k] = scale * (minus + plus)
            matrix[half + m, k] = scale * (plus_i - minus_i)
            matrix[half + k, m] = scale * (plus_i + minus_i)


@numba.njit(fastmath=True, error_model="numpy", forceinline=True)
def most_powerful(b, products, projections):
    """Take projections (K, M) out of the products of modes, in place, and return z."""
    trace, trace2, length2 = 0.0, 0.0, 0.0
    for i in range(b.size):
        row = products[i]
        for k in range(projections.shape[0]):
            factor, other = projections[k, i], projections[k]
            for j in range(i + 1):
                row[j] -= factor * other[j]
        for j in range(i):
            trace2 += 2 * row[j] * row[j]
        trace2 += row[i] * row[i]
        trace += row[i]
        length2 += b[i] * b[i]
    return (length2 - trace) / math.sqrt(2 * trace2) if trace2 > 0 else 0.0


@numba.njit(fastmath=True, error_model="numpy", forceinline=True)
def cholesky(lower, matrix, diagonal):
    """Factor of a matrix (lower triangle) plus a constant diagonal; False if there is none."""
    for i in range(matrix.shape[0]):
        own = lower[i]
        for j in range(i + 1):
            other = lower[j]
            total = 0.0
            for k in range(j):
                total += own[k] * other[k]
            left = matrix[i, j] - total
            if i > j:
                own[j] = left / other[j]
            elif left + diagonal > 0:
                own[i] = math.sqrt(left + diagonal)
            else:
                return False
    return True


@numba.njit(fastmath=True, error_model="numpy", forceinline=True)
def invert_factor(inverse, lower):
    """Inverse of a lower triangular matrix; zero above the diagonal."""
    for i in range(lower.shape[0]):
        row = inverse[i]
        row[:] = 0
        for k in range(i):
            factor, other = lower[i, k], inverse[k]
            for j in range(k + 1):
                row[j] -= factor * other[j]
        scale = 1 / lower[i, i]
        for j in range(i):
            row[j] *= scale
        row[i] = scale


@numba.njit(fastmath=True, error_model="numpy", forceinline=True)
def square_factor(covariance, inverse):
    """inverse^T inverse, lower triangle."""
    covariance[:] = 0
    for k in range(inverse.shape[0]):
        row = inverse[k]
        for i in range(k + 1):
            factor, target = row[i], covariance[i]
            for j in range(i + 1):
                target[j] += factor * row[j]


@numba.njit(error_model="numpy", forceinline=True)
def fill_spectrum(spectrum, covariance, modes, waves):
    """Fourier coefficients of the variance of the convergence.

    Args:
        spectrum: (2, waves + 1, 2 waves + 1) output: of cosines, and of sines.
        covariance: (M, M) of the modes, lower triangle.
        modes: see :class:`lensml.fit.potential.Modes`.
        waves: twice the largest wave number of the modes.
    """
    spectrum[:] = 0
    half = modes.kx.size
    for m in range(half):
        for k in range(half):
            h = 0.5 * modes.convergence[m] * modes.convergence[k]
            cosines = h * covariance[max(m, k), min(m, k)]
            sines = h * covariance[half + max(m, k), half + min(m, k)]
            mixed = 2 * h * covariance[half + k, m]  # of cosine m and sine k
            a, b = modes.a[m] + modes.a[k], modes.b[m] + modes.b[k] + waves
            spectrum[0, a, b] += cosines - sines
            spectrum[1, a, b] += mixed
            a, b = modes.a[m] - modes.a[k], modes.b[m] - modes.b[k]
            sign = 1.0
            if a < 0:
                a, b, sign = -a, -b, -1.0
            spectrum[0, a, b + waves] += cosines + sines
            spectrum[1, a, b + waves] -= sign * mixed


@numba.njit(fastmath=True, error_model="numpy", forceinline=True)
def synthesise(image, spectrum, waves, cosine, sine):
    """The field of a spectrum of cosines and sines.

    Args:
        image: (n, n) float32 output.
        spectrum: (2, waves + 1, 2 waves + 1).
        waves: largest wave number.
        cosine, sine: (K, n) float64, K > waves.
    """
    n = image.shape[0]
    line = np.empty(n)
    for y in range(n):
        line[:] = 0
        for a in range(waves + 1):
            c, s = 0.0, 0.0  # of cos(a x) and sin(a x)
            for j in range(2 * waves + 1):
                b = abs(j - waves)
                cy, sy = cosine[b, y], sine[b, y] if j >= waves else -sine[b, y]
                c += spectrum[0, a, j] * cy + spectrum[1, a, j] * sy
                s += spectrum[1, a, j] * cy - spectrum[0, a, j] * sy
            wave_c, wave_s = cosine[a], sine[a]
            for x in range(n):
                line[x] += c * wave_c[x] + s * wave_s[x]
        for x in range(n):
            image[y, x] = _f(line[x])


@numba.njit(fastmath=True, error_model="numpy", forceinline=True)
def fill_multipoles(rows, by_x, by_y, axis, center_x, center_y):
    """Derivatives of an image by the multipoles of order 3 and 4, as deflections of its pixels.

    Args:
        rows: (4, n^2) float32 output, cosine and sine of either order.
        by_x, by_y: (n^2,) derivatives by a deflection.
        axis: (n,) pixels, arcsec.
        center_x, center_y: arcsec.
    """
    n = axis.size
    for j in range(n):
        y = _f(axis[j] - center_y)
        for i in range(n):
            x = _f(axis[i] - center_x)
            inverse = _f(1) / math.sqrt(x * x + y * y + _f(1e-12))
            c, s = x * inverse, y * inverse
            p2r, p2i = c * c - s * s, _f(2) * c * s
            p3r, p3i = p2r * c - p2i * s, p2r * s + p2i * c
            p4r, p4i = p2r * p2r - p2i * p2i, _f(2) * p2r * p2i
            k = j * n + i
            radial = by_x[k] * c + by_y[k] * s
            tangential = by_y[k] * c - by_x[k] * s
            rows[0, k] = radial * p3r - _f(3) * tangential * p3i
            rows[1, k] = radial * p3i + _f(3) * tangential * p3r
            rows[2, k] = radial * p4r - _f(4) * tangential * p4i
            rows[3, k] = radial * p4i + _f(4) * tangential * p4r
