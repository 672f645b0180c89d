"""The fused ray tracer: deflections, source light, PSF and binning of one image after the other.

Per fine row of rays the kernel sums the deflection of an elliptical power law with multipoles,
external shear, a disc of constant convergence, point masses, cored lines and truncated NFW halos,
evaluates the Sersic source there, sends several rays through cells in which one is not enough,
corrects the others for how brightness bends, and finally convolves with a Gaussian and bins to
pixels in one separable pass. float32 and float64 share this code: the type of the tables decides.
The formulas are those of
:mod:`lensml.physics.profiles` and :mod:`lensml.physics.light`.

Every part is inlined into ``trace`` (``forceinline``). A part that were a function of its own
would be a different one, optimised differently, in the process that compiles than in those that
load the compiled code, and images would differ in their last bit.

The compiler takes what vectors the processor has, and the result is the same bytes with any: see
``vector_math.FASTMATH``.
"""

from __future__ import annotations

import hashlib
import inspect
import math
from collections.abc import Callable

import numba
import numpy as np

from lensml.simulate import columns, halo_kernel, light_kernel, vector_math
from lensml.simulate.columns import (
    CENTER_X,
    CENTER_Y,
    CORE2,
    COS_PHI,
    GAMMA1,
    GAMMA2,
    HALF_LENGTH,
    KAPPA_SHEET,
    LINE_COS,
    LINE_SCALE,
    LINE_SIN,
    LINE_X,
    LINE_Y,
    LOG2_B,
    M3_COS,
    M3_SIN,
    M4_COS,
    M4_SIN,
    R_SHEET2,
    SERIES_RATIO,
    SERIES_SCALE,
    SIN_PHI,
    SLOPE_EXCESS,
    Q,
)
from lensml.simulate.halo_kernel import halo_deflection, interpolate_planes
from lensml.simulate.light_kernel import (
    average_cells,
    average_rays,
    convolve_and_bin,
    galaxy_light,
    mark_cells,
    mark_line,
    mark_position,
    place_row,
    source_light,
)
from lensml.simulate.vector_math import FASTMATH, atan2_upper, exp2, log2


@numba.njit(fastmath=FASTMATH, error_model="numpy", forceinline=True)
def _add_ellipsoid(bx, by, y, axis, m, series, n_terms, er, ei, sr, si):
    """Subtract the deflection of the elliptical power law and of shear from a row of rays.

    Tessore & Metcalf 2015 (arXiv:1507.01819) eqs. 23 and 29: a series in -f e^(2 i phi) whose
    coefficients (1 / (2n + 1) for an isothermal slope) are given, summed by Horner's rule.
    """
    one = bx.dtype.type(1)
    cx, cy, c, s, q = m[CENTER_X], m[CENTER_Y], m[COS_PHI], m[SIN_PHI], m[Q]
    f, scale = m[SERIES_RATIO], m[SERIES_SCALE]
    tiny = bx.dtype.type(1e-30)
    dy = y - cy
    for j in range(axis.size):
        dx = axis[j] - cx
        u = q * (c * dx + s * dy)
        v = c * dy - s * dx
        r2 = u * u + v * v + tiny
        inverse = one / math.sqrt(r2)
        ur, ui = u * inverse, v * inverse
        er[j], ei[j] = ur, ui
        bx[j] = -f * (ur * ur - ui * ui)
        by[j] = -f * (ur * ui + ur * ui)
        sr[j] = r2
    if m[SLOPE_EXCESS] != 0:
        _steepen(er, ei, sr, m)
    last = series[n_terms]
    for j in range(axis.size):
        sr[j] = last
        si[j] = bx.dtype.type(0)
    for k in range(n_terms - 1, -1, -1):
        coefficient = series[k]
        for j in range(axis.size):
            wr, wi = bx[j], by[j]
            real = coefficient + wr * sr[j] - wi * si[j]
            si[j] = wr * si[j] + wi * sr[j]
            sr[j] = real
    g1, g2 = m[GAMMA1], m[GAMMA2]
    for j in range(axis.size):
        au = scale * (er[j] * sr[j] - ei[j] * si[j])
        av = scale * (er[j] * si[j] + ei[j] * sr[j])
        bx[j] = axis[j] - (c * au - s * av) - (g1 * axis[j] + g2 * y)
        by[j] = y - (s * au + c * av) - (g2 * axis[j] - g1 * y)


@numba.njit(fastmath=FASTMATH, error_model="numpy", forceinline=True)
def _steepen(er, ei, r2, m):
    """Multiply the unit vectors by (b / R)^(gamma - 2); r2 is R^2."""
    excess, log_b = m[SLOPE_EXCESS], m[LOG2_B]
    half = er.dtype.type(0.5)
    for j in range(r2.size):
        factor = exp2(excess * (log_b - half * log2(r2[j])))
        er[j] *= factor
        ei[j] *= factor


@numba.njit(fastmath=FASTMATH, error_model="numpy", forceinline=True)
def _add_sheet(bx, by, axis, y, kappa, radius2):
    """Subtract the deflection of a uniform disc about the origin."""
    one, tiny = bx.dtype.type(1), bx.dtype.type(1e-30)
    for j in range(axis.size):
        x = axis[j]
        ratio = kappa * min(one, radius2 / (x * x + y * y + tiny))
        bx[j] -= ratio * x
        by[j] -= ratio * y


@numba.njit(fastmath=FASTMATH, error_model="numpy", forceinline=True)
def _add_multipoles(bx, by, axis, y, m):
    """Subtract the deflection of the multipoles of order 3 and 4 (Xu et al. 2015, eq. B12)."""
    one, tiny = bx.dtype.type(1), bx.dtype.type(1e-30)
    three, four = bx.dtype.type(3), bx.dtype.type(4)
    dy = y - m[CENTER_Y]
    cos3, sin3, cos4, sin4 = m[M3_COS], m[M3_SIN], m[M4_COS], m[M4_SIN]
    for j in range(axis.size):
        dx = axis[j] - m[CENTER_X]
        inverse = one / math.sqrt(dx * dx + dy * dy + tiny)
        c, s = dx * inverse, dy * inverse
        c2, s2 = c * c - s * s, c * s + c * s
        c3, s3 = c2 * c - s2 * s, c2 * s + s2 * c
        c4, s4 = c2 * c2 - s2 * s2, c2 * s2 + c2 * s2
        radial = cos3 * c3 + sin3 * s3 + cos4 * c4 + sin4 * s4
        tangential = three * (sin3 * c3 - cos3 * s3) + four * (sin4 * c4 - cos4 * s4)
        bx[j] -= c * radial - s * tangential
        by[j] -= s * radial + c * tangential


@numba.njit(fastmath=FASTMATH, error_model="numpy", forceinline=True)
def _add_plane(bx, by, ax, ay):
    """Subtract a row of a deflection field."""
    for j in range(bx.size):
        bx[j] -= ax[j]
        by[j] -= ay[j]


@numba.njit(fastmath=FASTMATH, error_model="numpy", forceinline=True)
def _add_points(bx, by, dx, dy, theta_E2):
    """Subtract the deflection of point masses; dx (P n,) and dy (P,) are offsets from the row."""
    floor = bx.dtype.type(1e-37) if bx.itemsize == 4 else bx.dtype.type(1e-50)
    for p in range(dy.size):
        y = dy[p]
        y2 = y * y + floor
        mass = theta_E2[p]
        own = dx[p * bx.size : (p + 1) * bx.size]
        for j in range(bx.size):
            x = own[j]
            ratio = mass / (x * x + y2)
            bx[j] -= ratio * x
            by[j] -= ratio * y


@numba.njit(fastmath=FASTMATH, error_model="numpy", forceinline=True)
def _add_line(bx, by, axis, y, line):
    """Subtract the deflection of a cored line mass from a row of rays."""
    half = bx.dtype.type(0.5)
    ln2 = bx.dtype.type(0.6931471805599453)
    cx, cy, c, s = line[LINE_X], line[LINE_Y], line[LINE_COS], line[LINE_SIN]
    length, core2, scale = line[HALF_LENGTH], line[CORE2], line[LINE_SCALE]
    dy = y - cy
    for j in range(axis.size):
        dx = axis[j] - cx
        u = c * dx + s * dy
        v = c * dy - s * dx
        b2 = v * v + core2
        b = math.sqrt(b2)
        plus, minus = u + length, u - length
        logs = log2((plus * plus + b2) / (minus * minus + b2)) * ln2
        # atan(plus/b) - atan(minus/b), as one angle in (0, pi).
        angle = atan2_upper((length + length) * b, b2 + plus * minus)
        au = half * scale * logs
        av = scale * v / b * angle
        bx[j] -= c * au - s * av
        by[j] -= s * au + c * av


def _compiled(sources: str) -> Callable[..., None]:
    """The kernel; numba's cache of it is that of these ``sources``, not of this file alone."""

    @numba.njit(fastmath=FASTMATH, error_model="numpy", cache=True)
    def trace(
        images,
        axis64,
        macro,
        series,
        n_terms,
        point_offset,
        point_xy,
        point_theta_E2,
        line_offset,
        lines,
        halo_offset,
        halo_xy,
        halos,
        halo_table,
        galaxy,
        galaxies,
        taps,
        ss,
        refinement,
    ):
        """Render a batch of noise-free images, one after the other.

        Args:
            images: (N, n, n) output, e-/s per pixel; its type is the working precision.
            axis64: (n ss,) float64 ray coordinates of either axis, arcsec.
            macro: (N, columns.MACRO_COLUMNS).
            series: (N, K) coefficients of the ellipsoid's series.
            n_terms: (N,) int, terms of the series, below K.
            point_offset: (N+1,) int, points of image i are rows offset[i]:offset[i+1].
            point_xy: (P, 2) float64 arcsec: offsets from rays are taken in double precision, so
                that a mass on a ray deflects it exactly as lenstronomy does.
            point_theta_E2: (P,) arcsec^2.
            line_offset: (N+1,) int.
            lines: (Q, columns.LINE_COLUMNS).
            halo_offset: (N+1,) int, or None with the next three where a population has no halos:
                their code, half of the whole, is then not compiled.
            halo_xy: (R, 2) float64 arcsec.
            halos: (R, columns.HALO_COLUMNS) float64.
            halo_table: see :func:`lensml.simulate.halo_kernel.halo_deflection`.
            galaxy: (N,) int, row of ``galaxies`` that is the source, -1 for a Sersic source.
            galaxies: (G, k, k) images whose outermost pixels are 0.
            taps: (C, 2 radius + ss): Gaussians of the PSF binned over a pixel, see ``psf_taps``.
            ss: rays per pixel and axis.
            refinement: rays per ray and axis in cells where brightness bends, 1 for none.
        """
        _ = sources  # in the closure, and so in the key of numba's cache
        size, radius = axis64.size, (taps.shape[1] - ss) // 2
        real = images.dtype
        fine = np.empty((size, size), real)
        # A row of rays: of the grid, or those that are sent again through the cells of a grid row.
        rows, longest = size, size
        if refinement > 1:
            rows, longest = size * (1 + refinement), size * refinement
        x64, x_row = np.empty(longest), np.empty(longest, real)
        bx_row, by_row = np.empty(longest, real), np.empty(longest, real)
        er_row, ei_row = np.empty(longest, real), np.empty(longest, real)
        sr_row, si_row = np.empty(longest, real), np.empty(longest, real)
        light, first = np.empty(longest, real), np.zeros(size + 1, np.int64)
        refined = size if refinement > 1 else 0
        marked, compact = np.empty(refined**2, np.int32), np.zeros((refined, refined), np.bool_)
        if halos is not None:
            planes = size if halos.shape[0] else 0
            ax, ay = np.empty((planes, planes), real), np.empty((planes, planes), real)
            row = np.empty(halo_table.shape[1], np.float32)
        for i in range(images.shape[0]):
            points = slice(point_offset[i], point_offset[i + 1])
            count = points.stop - points.start
            dx, dy = np.empty(count * longest, real), np.empty(count, real)
            m = macro[i]
            if halos is not None:
                h = slice(halo_offset[i], halo_offset[i + 1])
                if h.stop > h.start:
                    halo_deflection(ax, ay, axis64, halo_xy[h], halos[h], halo_table, row)
            for r in range(rows):
                if r == size:
                    # Beside a compact perturber an image can be too small for any ray to meet it.
                    for p in range(points.start, points.stop):
                        mark_position(compact, point_xy[p, 0], point_xy[p, 1], axis64)
                    for k in range(line_offset[i], line_offset[i + 1]):
                        mark_line(compact, lines[k], axis64)
                    mark_cells(marked, first, compact, fine, ss, sr_row[:size])
                    average_cells(fine, sr_row[:size], si_row[:size])
                again = r >= size
                n, y, part, y64 = place_row(x64, axis64, marked, first, r, refinement)
                if n == 0:
                    continue
                axis, y_ray = x_row[:n], real.type(y64)
                for k in range(n):
                    axis[k] = x64[k]
                bx, by = bx_row[:n], by_row[:n]
                er, ei, sr, si = er_row[:n], ei_row[:n], sr_row[:n], si_row[:n]
                _add_ellipsoid(bx, by, y_ray, axis, m, series[i], n_terms[i], er, ei, sr, si)
                if m[KAPPA_SHEET] != 0:
                    _add_sheet(bx, by, axis, y_ray, m[KAPPA_SHEET], m[R_SHEET2])
                if m[M3_COS] != 0 or m[M3_SIN] != 0 or m[M4_COS] != 0 or m[M4_SIN] != 0:
                    _add_multipoles(bx, by, axis, y_ray, m)
                if halos is not None:  # noqa: SIM102  by itself, so that numba drops what it guards
                    if h.stop > h.start:
                        if again:
                            columns = marked[first[y] : first[y + 1]]
                            interpolate_planes(sr, si, ax, ay, y, columns, part, refinement)
                            _add_plane(bx, by, sr, si)
                        else:
                            _add_plane(bx, by, ax[y], ay[y])
                if r == 0 or again:  # rows of the grid share their offsets
                    for p in range(count):
                        for k in range(n):
                            dx[p * n + k] = x64[k] - point_xy[points.start + p, 0]
                for p in range(count):
                    dy[p] = y64 - point_xy[points.start + p, 1]
                _add_points(bx, by, dx, dy, point_theta_E2[points])
                for k in range(line_offset[i], line_offset[i + 1]):
                    _add_line(bx, by, axis, y_ray, lines[k])
                target = light[:n] if again else fine[y]
                if galaxy[i] < 0:
                    source_light(target, bx, by, m)
                else:
                    galaxy_light(target, bx, by, m, galaxies[galaxy[i]])
                if again:
                    average_rays(fine[y], light, marked[first[y] : first[y + 1]], part, refinement)
            convolve_and_bin(images[i], fine, taps, ss, radius, sr_row)

    return trace


_sources = "".join(map(inspect.getsource, (columns, halo_kernel, light_kernel, vector_math)))
trace = _compiled(hashlib.sha256(_sources.encode()).hexdigest())
