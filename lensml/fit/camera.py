"""How finely a camera's images are modelled: rays, point spread function, working space."""

from __future__ import annotations

from typing import NamedTuple, Self

import numpy as np

from lensml.fit.ray_kernel import BLOCK, N_PARAMETERS, ROWS
from lensml.schema.simulation import Domain
from lensml.simulate.axes import ray_axis
from lensml.simulate.render import psf_taps

# Components of an image of a PSF that are kept: those above this share of the strongest.
PSF_TOLERANCE = 1e-5


class Level(NamedTuple):
    """Rays and PSF of one stage, as the kernel takes them.

    Attributes:
        axis64: (n ss,) float64 ray coordinates of either axis, arcsec.
        axis: the same in float32, filled up to whole blocks by the last.
        ss: rays per pixel and axis.
        refinement: rays per ray and axis in cells where brightness bends, 1 for none.
        taps: (C, 2, K) float32; the PSF is the sum of C outer products of a row along y and one
            along x, on rays, binned over a pixel, K a multiple of 4 filled up with zeros.
        radius: of the taps, rays.
        place: (n ss + 2 radius,) where the rays of a row, padded by the radius, lie when the row
            is stored by its phases: ray x is element x // ss of phase x % ss.
        starts: (K,) where the rays lie that a tap multiplies for the first pixel; those for the
            next pixels follow.
        row_length: of a row by its phases.
    """

    axis64: np.ndarray
    axis: np.ndarray
    ss: int
    refinement: int
    taps: np.ndarray
    radius: int
    place: np.ndarray
    starts: np.ndarray
    row_length: int

    @classmethod
    def of(cls, domain: Domain, psf: np.ndarray | None, *, ss: int, refinement: int) -> Self:
        """The level of a camera.

        Args:
            domain: camera, whose own PSF is used where none is given.
            psf: image of a PSF with an odd number of pixels along either axis, as wide as the
                camera's; it holds the pixel's response, as that of an observed star does.
            ss: rays per pixel and axis.
            refinement: see the class.
        """
        sampled = domain.model_copy(update={"supersampling_factor": ss})
        if psf is None:
            rows = psf_taps(sampled)
            taps = np.stack([rows, rows], axis=1)
        else:
            taps = _taps_of_image(psf, domain.instrument.pixel_scale, ss)
        radius = (taps.shape[2] - ss) // 2
        filled = np.pad(taps, ((0, 0), (0, 0), (0, -taps.shape[2] % 4)))
        axis = ray_axis(sampled)
        phase = (axis.size + filled.shape[2]) // ss + 1
        place = np.arange(axis.size + 2 * radius) % ss * phase
        place += np.arange(axis.size + 2 * radius) // ss
        tap = np.arange(filled.shape[2])
        return cls(
            axis64=axis,
            axis=np.pad(axis, (0, -axis.size % BLOCK), mode="edge").astype(np.float32),
            ss=ss,
            refinement=refinement,
            taps=filled.astype(np.float32),
            radius=radius,
            place=place,
            starts=tap % ss * phase + tap // ss,
            row_length=ss * phase,
        )


def _taps_of_image(psf: np.ndarray, pixel_scale: float, ss: int) -> np.ndarray:
    """An image of a PSF as a sum of separable ones (its singular values), (C, 2, K).

    Raises:
        ValueError: the image has no middle, or no light.
    """
    if psf.ndim != 2 or psf.shape[0] != psf.shape[1] or psf.shape[0] % 2 == 0:
        raise ValueError(f"psf: an image of {psf.shape} pixels; allowed are odd squares")
    if not np.isfinite(psf).all() or psf.sum() <= 0:
        raise ValueError(f"psf: the sum of its pixels is {psf.sum()}; allowed are finite, above 0")
    left, strength, right = np.linalg.svd(psf / psf.sum())
    kept = strength > PSF_TOLERANCE * strength[0]
    root = np.sqrt(strength[kept])[:, None]
    rows = np.stack([left.T[kept] * root, right[kept] * root], axis=1)
    # Rays of a pixel are averaged, then pixels are convolved: turned over, as convolutions are.
    return np.repeat(rows[:, :, ::-1], ss, axis=2) * (pixel_scale / ss)


class Workspace(NamedTuple):
    """Memory in which the kernel works at one level.

    Attributes:
        fine: (n ss, n ss) float32, brightness on the grid of rays.
        strips: (C, maps, n ss, n) float32, rows of rays that are convolved along themselves.
        marked: int32, columns of the cells that are refined.
        first: (n ss + 1,) int64, where those of every row begin.
        compact: (n ss, n ss) bool, all False.
        block: float32, of one block of rays.
    """

    fine: np.ndarray
    strips: np.ndarray
    marked: np.ndarray
    first: np.ndarray
    compact: np.ndarray
    block: np.ndarray

    @classmethod
    def of(cls, level: Level, num_pix: int) -> Self:
        """Memory for a level and images of ``num_pix`` pixels along either axis."""
        size = level.axis64.size
        refined = size if level.refinement > 1 else 0
        return cls(
            np.zeros((size, size), np.float32),
            np.zeros((len(level.taps), 1 + N_PARAMETERS, size, num_pix), np.float32),
            np.zeros(refined**2, np.int32),
            np.zeros(size + 1, np.int64),
            np.zeros((refined, refined), np.bool_),
            np.zeros(max(ROWS * BLOCK, 2 * size), np.float32),
        )
