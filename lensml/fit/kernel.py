"""The model image of a smooth lens with its derivatives by every parameter, in one pass.

As in :mod:`lensml.simulate.kernel` every part is inlined (``forceinline``): parts that were
functions of their own would be optimised differently in the process that compiles than in those
that load the compiled code. Cells in which one ray is not enough are those of the simulator.
"""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Callable

import numba
import numpy as np

from lensml.fit import camera_kernel, linear_kernel, ray_kernel
from lensml.fit.camera_kernel import (
    convolve_columns,
    convolve_row,
    repeat_edges,
)
from lensml.fit.linear_kernel import copy
from lensml.fit.ray_kernel import (
    BLOCK,
    MAX_TERMS,
    N_PARAMETERS,
    N_SCALARS,
    OUT,
    X,
    Y,
    deflect,
    expand,
    lens_slopes,
    multipole_slopes,
    prepare,
    shine,
    shine_slopes,
    sum_series,
    sum_series_slopes,
    trace_back,
)
from lensml.physics.light import SMOOTHING
from lensml.simulate import light_kernel, vector_math
from lensml.simulate.light_kernel import average_cells, mark_cells

LN_FLUX = 8  # whose derivative is the image itself
N_MAPS = 1 + N_PARAMETERS
# A ray whose brightness over a pixel is below this many standard deviations of the background
# has no derivatives.
DARK = 0.01
_f = np.float32


@numba.njit(fastmath=True, error_model="numpy", forceinline=True)
def brightness(fine, w, axis, g, series, n_terms):
    """Brightness of every ray of the grid, one per cell, into ``fine`` (size, size)."""
    size = fine.shape[0]
    for r in range(size):
        y = axis[r]
        for start in range(0, size, BLOCK):
            part = axis[start : start + BLOCK]
            for i in range(BLOCK):
                w[X * BLOCK + i] = part[i]
                w[Y * BLOCK + i] = y
            deflect(w, g)
            sum_series(w, series, n_terms)
            trace_back(w, g)
            shine(w, g)
            row = fine[r, start : start + BLOCK]
            if row.size == BLOCK:
                for i in range(BLOCK):
                    row[i] = w[OUT * BLOCK + i]
            else:
                for i in range(row.size):
                    row[i] = w[OUT * BLOCK + i]


@numba.njit(fastmath=True, error_model="numpy", forceinline=True)
def collect_rays(rays, place, light, columns, inner, axis64, r, refinement, cut):
    """The rays of a row that have derivatives: several for each marked cell, one for lit ones.

    Args:
        rays: (2, rays) output, x and y in arcsec.
        place: output, of each ray.
        light: (size,) brightness of the row; in marked cells it is used up.
        columns: of the marked cells.
        inner: (size,) place of every cell.
        axis64: (size,) arcsec.
        r: row.
        refinement: rays per cell and axis of a marked cell.
        cut: brightness below which a cell is dark.

    Returns:
        Number of rays.
    """
    step = axis64[1] - axis64[0]
    x_of, y_of = rays[0], rays[1]
    n = 0
    for k in range(columns.size):
        for along in range(refinement):
            y = axis64[r] + step * ((along + 0.5) / refinement - 0.5)
            for across in range(refinement):
                x_of[n] = axis64[columns[k]] + step * ((across + 0.5) / refinement - 0.5)
                y_of[n], place[n] = y, inner[columns[k]]
                n += 1
        light[columns[k]] = _f(-1)
    for x in range(light.size):
        if light[x] > cut:
            x_of[n], y_of[n], place[n] = axis64[x], axis64[r], inner[x]
            n += 1
    for k in range(n, n + BLOCK if n else 0):  # so that the last block is full
        x_of[k], y_of[k] = x_of[n - 1], y_of[n - 1]
    return n


@numba.njit(fastmath=True, error_model="numpy", forceinline=True)
def lit_range(light, cut):
    """First and last but one column of a row that :func:`collect_rays` took rays of."""
    left, right = 0, light.size
    while left < right and _f(0) <= light[left] <= cut:
        left += 1
    while right > left and _f(0) <= light[right - 1] <= cut:
        right -= 1
    return left, right


@numba.njit(fastmath=True, error_model="numpy", forceinline=True)
def put_rays(rows, w, slot, place, begin, end, per_cell, refined):
    """Rays of a block into rows of the maps: means of marked cells, derivatives as they are.

    Args:
        rows: (M, row_length), of the image and of derivatives.
        w: of the block.
        slot: (M,) which quantity of the block goes into which row.
        place: of every ray.
        begin, end: the rays that the block holds.
        per_cell: rays of a marked cell.
        refined: rays of marked cells, which come first; their places hold a part of the mean.
    """
    share = _f(1.0 / per_cell)
    split = min(max(refined, begin), end)
    for k in range(rows.shape[0]):
        source = w[(OUT + slot[k]) * BLOCK : (OUT + slot[k] + 1) * BLOCK]
        target = rows[k]
        i = begin
        while i < split:
            stop = min((i // per_cell + 1) * per_cell, split)
            total = _f(0)
            for j in range(i - begin, stop - begin):
                total += source[j]
            target[place[i]] += share * total
            i = stop
        if k > 0:  # brightness stands there already, averaged over its cell
            for i in range(split, end):
                target[place[i]] = source[i - begin]


@numba.njit(fastmath=True, error_model="numpy", forceinline=True)
def evaluate(maps, x, level, work, wanted, cut):
    """Model image and its derivatives.

    Args:
        maps: (N_MAPS, n, n) output: e-/s per pixel, then per unit of every wanted parameter.
        x: (N_PARAMETERS,) float64.
        level: see :class:`lensml.fit.camera.Level`.
        work: see :class:`lensml.fit.camera.Workspace`.
        wanted: (M,) int64 parameters whose derivatives are asked for.
        cut: brightness below which a ray has none, e-/s/arcsec^2.
    """
    axis64, ss, refinement, radius = level.axis64, level.ss, level.refinement, level.radius
    taps, n_taps = level.taps, level.taps.shape[2]
    fine, strips, marked, first, w = work.fine, work.strips, work.marked, work.first, work.block
    size, npix = axis64.size, maps.shape[1]
    place, starts = level.place, level.starts
    inner = place[radius : radius + size]  # of the row that is not padded
    g64, series64, slopes64 = np.empty(N_SCALARS), np.zeros(MAX_TERMS + 1), np.zeros(MAX_TERMS + 1)
    prepare(g64, x, (axis64[1] - axis64[0]) / refinement, SMOOTHING)
    n_terms = expand(series64, slopes64, x)
    g, series, slopes = g64.astype(_f), series64.astype(_f), slopes64.astype(_f)
    brightness(fine, w, level.axis, g, series, n_terms)
    if refinement > 1:
        mark_cells(marked, first, work.compact, fine, ss, w[:size])
        average_cells(fine, w[:size], w[size : 2 * size])
    # Derivatives of the multipoles, and of a centre that they are about.
    multipoles = x[15] != 0 or x[16] != 0 or x[17] != 0 or x[18] != 0
    slot = np.zeros(wanted.size + 1, np.int64)  # which row of a block goes into which map
    n_slots = 1
    for k in range(wanted.size):
        multipoles = multipoles or wanted[k] > 14
        if wanted[k] != LN_FLUX:
            slot[n_slots] = 1 + wanted[k]
            n_slots += 1
    rows = np.zeros((n_slots, level.row_length), _f)
    per_cell = refinement * refinement
    rays = np.empty((2, size * per_cell + BLOCK), _f)
    ray_place = np.empty(size * per_cell, np.int64)
    low, high = size, 0  # rows with derivatives
    for r in range(size):
        light = fine[r]
        columns = marked[first[r] : first[r + 1]] if refinement > 1 else marked[:0]
        for k in range(size):
            rows[0, inner[k]] = light[k]
        for k in range(columns.size):
            rows[0, inner[columns[k]]] = _f(0)
        n = collect_rays(rays, ray_place, light, columns, inner, axis64, r, refinement, cut)
        left, right = size, 0
        if n > 0:
            low, high = min(low, r), r + 1
            for k in range(1, n_slots):
                for j in range(rows.shape[1]):
                    rows[k, j] = _f(0)
            left, right = lit_range(light, cut)
        for start in range(0, n, BLOCK):
            block_x, block_y = rays[0, start : start + BLOCK], rays[1, start : start + BLOCK]
            for i in range(BLOCK):
                w[X * BLOCK + i], w[Y * BLOCK + i] = block_x[i], block_y[i]
            deflect(w, g)
            sum_series_slopes(w, series, slopes, n_terms)
            trace_back(w, g)
            shine(w, g)
            shine_slopes(w, g)
            lens_slopes(w, g)
            if multipoles:
                multipole_slopes(w, g)
            end = min(start + BLOCK, n)
            put_rays(
                rows, w, slot[:n_slots], ray_place, start, end, per_cell, columns.size * per_cell
            )
        begin = max((left + radius - n_taps + 1) // ss, 0)
        end = min((right + radius) // ss + 1, npix)
        for c in range(taps.shape[0]):
            repeat_edges(rows[0], place, radius)
            convolve_row(strips[c, 0, r], rows[0], taps[c, 1], starts, 0, npix)
            for k in range(1, n_slots):
                if n > 0:
                    if left == 0 or right == size:
                        repeat_edges(rows[k], place, radius)
                    convolve_row(strips[c, k, r], rows[k], taps[c, 1], starts, begin, end)
                elif r > low:
                    for j in range(npix):
                        strips[c, k, r, j] = _f(0)
    row_of, weight_of = np.empty(n_taps + 4, np.int64), np.empty(n_taps + 4, _f)
    for k in range(n_slots):
        image = maps[slot[k]]
        image[:] = _f(0)
        a, b = (0, size) if k == 0 else (low, high)
        for c in range(taps.shape[0]):
            if b > a:
                convolve_columns(
                    image, strips[c, k], taps[c, 0], a, b, radius, ss, row_of, weight_of
                )
    copy(maps[1 + LN_FLUX].ravel(), maps[0].ravel())


def _compiled(sources: str) -> Callable[..., None]:
    """The kernel; numba's cache of it is that of these ``sources``, not of this file alone."""

    @numba.njit(fastmath=True, error_model="numpy", cache=True)
    def model_maps(maps, x, level, work, wanted, cut):
        """As :func:`evaluate`."""
        _ = sources  # in the closure, and so in the key of numba's cache
        evaluate(maps, x, level, work, wanted, cut)

    return model_maps


_PARTS = (camera_kernel, linear_kernel, ray_kernel, light_kernel, vector_math)
SOURCES = "".join(map(inspect.getsource, _PARTS))
model_maps = _compiled(hashlib.sha256(SOURCES.encode()).hexdigest())
