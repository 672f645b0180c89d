"""Rays through a lens and a source of cubic B-splines, compiled."""

from __future__ import annotations

import math

import numba
import numpy as np

from lensml.simulate.vector_math import FASTMATH

N_TERMS = 24  # of the series; an axis ratio of 0.4 is exact to 1e-9 by then
NODES = 4  # a cubic B-spline reaches so many nodes along an axis
TINY = 1e-12


@numba.njit(fastmath=FASTMATH, error_model="numpy", cache=True)
def trace(p, x, y, bx, by):
    """Positions in the source plane of rays.

    An elliptical power law by the series of Tessore & Metcalf 2015 (arXiv:1507.01819, eqs. 23 and
    29), external shear about the origin and multipoles of order 3 and 4 (Xu et al. 2015, eq. B12)
    whose strengths are in units of theta_E.

    Args:
        p: (12,) theta_E, gamma, e1, e2, center_x, center_y, gamma1, gamma2, a3, b3, a4, b4.
        x, y: (N,) arcsec.
        bx, by: (N,) to be filled.
    """
    modulus = max(math.hypot(p[2], p[3]), 1e-9)
    q = (1 - modulus) / (1 + modulus)
    angle = 0.5 * math.atan2(p[3], p[2])
    c, s = math.cos(angle), math.sin(angle)
    t, b = p[1] - 1, p[0] * math.sqrt(q)
    f, scale = (1 - q) / (1 + q), 2 * b / (1 + q)
    series = np.ones(N_TERMS + 1)
    for k in range(1, N_TERMS + 1):
        series[k] = series[k - 1] * (2 * k - 2 + t) / (2 * k + 2 - t)
    for j in range(x.size):
        dx, dy = x[j] - p[4], y[j] - p[5]
        u, v = q * (c * dx + s * dy), c * dy - s * dx
        radius = math.sqrt(u * u + v * v + TINY)
        er, ei = u / radius, v / radius
        wr, wi = -f * (er * er - ei * ei), -2 * f * er * ei
        real, imaginary = series[N_TERMS], 0.0
        for k in range(N_TERMS - 1, -1, -1):
            real, imaginary = (
                series[k] + wr * real - wi * imaginary,
                wr * imaginary + wi * real,
            )
        factor = scale * (b / radius) ** (t - 1)
        au = factor * (er * real - ei * imaginary)
        av = factor * (er * imaginary + ei * real)
        ax = c * au - s * av + p[6] * x[j] + p[7] * y[j]
        ay = s * au + c * av + p[7] * x[j] - p[6] * y[j]
        r = math.sqrt(dx * dx + dy * dy + TINY)
        c1, s1 = dx / r, dy / r
        c2, s2 = c1 * c1 - s1 * s1, 2 * c1 * s1
        c3, s3 = c2 * c1 - s2 * s1, s2 * c1 + c2 * s1
        c4, s4 = c2 * c2 - s2 * s2, 2 * c2 * s2
        radial = -p[0] * ((p[8] * c3 + p[9] * s3) / 8 + (p[10] * c4 + p[11] * s4) / 15)
        around = p[0] * (3 * (p[8] * s3 - p[9] * c3) / 8 + 4 * (p[10] * s4 - p[11] * c4) / 15)
        bx[j] = x[j] - ax - (radial * c1 - around * s1)
        by[j] = y[j] - ay - (radial * s1 + around * c1)


@numba.njit(fastmath=FASTMATH, error_model="numpy", cache=True)
def _spline(t, w):
    """Weights of the nodes -1, 0, 1, 2 at the fraction ``t`` between nodes 0 and 1."""
    w[0] = (1 - t) ** 3 / 6
    w[1] = (3 * t**3 - 6 * t**2 + 4) / 6
    w[2] = (-3 * t**3 + 3 * t**2 + 3 * t + 1) / 6
    w[3] = t**3 / 6


@numba.njit(fastmath=FASTMATH, error_model="numpy", cache=True)
def _slopes(t, w):
    """Derivatives of :func:`_spline` by ``t``."""
    w[0] = -((1 - t) ** 2) / 2
    w[1] = (9 * t**2 - 12 * t) / 6
    w[2] = (-9 * t**2 + 6 * t + 3) / 6
    w[3] = t**2 / 2


@numba.njit(fastmath=FASTMATH, error_model="numpy", cache=True)
def _nodes_of_pixel(bx, by, grid, m, per_pixel, first, total, columns, marked):
    """Sum in ``total`` how a pixel's rays weigh the nodes, which stand in ``columns``: so many."""
    wx, wy = np.empty(NODES), np.empty(NODES)
    count = 0
    for k in range(first, first + per_pixel):
        fx, fy = (bx[k] - grid[0]) / grid[2], (by[k] - grid[1]) / grid[2]
        ix, iy = math.floor(fx), math.floor(fy)
        if ix < 1 or iy < 1 or ix > m - 3 or iy > m - 3:
            continue
        _spline(fx - ix, wx)
        _spline(fy - iy, wy)
        for a in range(NODES):
            for b in range(NODES):
                node = (iy - 1 + a) * m + ix - 1 + b
                if not marked[node]:
                    marked[node] = True
                    columns[count] = node
                    total[node] = 0
                    count += 1
                total[node] += wy[a] * wx[b] / per_pixel
    return count


@numba.njit(fastmath=FASTMATH, error_model="numpy", cache=True)
def blurred_nodes(bx, by, grid, m, per_pixel, pixels, rows, n, psf, weight, out):
    """Image of every node of a source behind a lens and a PSF, over the noise.

    Args:
        bx, by: (P per_pixel,) source positions of the rays of the pixels ``pixels``, arcsec.
        grid: x and y of the first node, and their distance, arcsec.
        m: nodes along an axis.
        per_pixel: rays of a pixel.
        pixels: (P,) of the image of n x n.
        rows: (n n,) row of ``out`` of every pixel, -1 of those that are not used.
        n: pixels along an axis.
        psf: (K, K), K odd.
        weight: (rows,) 1 / noise.
        out: (rows, m m) float32 zeros, to be filled.
    """
    half = psf.shape[0] // 2
    total = np.zeros(m * m, np.float32)
    columns = np.empty(m * m, np.int64)
    marked = np.zeros(m * m, np.bool_)
    for j in range(pixels.size):
        count = _nodes_of_pixel(bx, by, grid, m, per_pixel, j * per_pixel, total, columns, marked)
        for k in range(count):
            marked[columns[k]] = False
        if count == 0:
            continue
        py, px = pixels[j] // n, pixels[j] % n
        for y in range(max(py - half, 0), min(py + half + 1, n)):
            for x in range(max(px - half, 0), min(px + half + 1, n)):
                row = rows[y * n + x]
                if row < 0:
                    continue
                share = np.float32(psf[half + y - py, half + x - px] * weight[row])
                for k in range(count):
                    out[row, columns[k]] += share * total[columns[k]]


@numba.njit(fastmath=FASTMATH, error_model="numpy", cache=True)
def source_at(bx, by, grid, m, nodes, value, slope_x, slope_y):
    """Brightness of a source of splines at positions, and its derivatives per arcsec.

    Args:
        bx, by: (N,) arcsec.
        grid, m: see :func:`blurred_nodes`.
        nodes: (m m,) coefficients.
        value, slope_x, slope_y: (N,) to be filled; 0 beyond the nodes.
    """
    wx, wy, dx, dy = np.empty(NODES), np.empty(NODES), np.empty(NODES), np.empty(NODES)
    for j in range(bx.size):
        fx, fy = (bx[j] - grid[0]) / grid[2], (by[j] - grid[1]) / grid[2]
        ix, iy = math.floor(fx), math.floor(fy)
        value[j] = slope_x[j] = slope_y[j] = 0
        if ix < 1 or iy < 1 or ix > m - 3 or iy > m - 3:
            continue
        _spline(fx - ix, wx)
        _spline(fy - iy, wy)
        _slopes(fx - ix, dx)
        _slopes(fy - iy, dy)
        for a in range(NODES):
            for b in range(NODES):
                node = nodes[(iy - 1 + a) * m + ix - 1 + b]
                value[j] += node * wy[a] * wx[b]
                slope_x[j] += node * wy[a] * dx[b] / grid[2]
                slope_y[j] += node * dy[a] * wx[b] / grid[2]
