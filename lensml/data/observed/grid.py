"""Observed cut-outs brought to the pixel grid and the noise scale of a domain.

Nothing is added: an image sharper than the domain's camera is blurred to it, a finer one is
averaged, and its noise becomes the unit. One that is blurred more, or deeper, stays so.

Blurring and resampling act on rows and columns alike, so both are one matrix A per axis: an image
becomes A_y I A_x^T, and the variance of its noise goes through the same matrices.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter1d, map_coordinates

from lensml.data.observed.errors import UnusableImageError
from lensml.data.observed.gaps import filled
from lensml.data.observed.noise import LAGS, ROUNDING, Noise, border_of, robust_rms
from lensml.data.observed.reading import Observation, read_observation
from lensml.schema.observed import ObservedLens

FWHM_PER_SIGMA = 2 * np.sqrt(2 * np.log(2))
SUBPIXELS = 4  # samples per axis of a pixel of the image or of the domain, whichever is finer
BRIGHT = 5.0  # pixels above so many rms tell the photon noise
PSF_TOLERANCE = 1.02  # a PSF that is wider by less is as good as the domain's
INNER = 0.25  # of the field's width: radius in which lensed images are
MISSING = 0.5  # share of the pixels there that may lack data


@dataclass(frozen=True)
class Grid:
    """Where images are brought to.

    Attributes:
        num_pix: pixels per axis.
        pixel_scale: arcsec.
        psf_fwhm: arcsec.
    """

    num_pix: int
    pixel_scale: float
    psf_fwhm: float

    @property
    def width(self) -> float:
        """Of the field, arcsec."""
        return self.num_pix * self.pixel_scale


@dataclass(frozen=True)
class Cutout:
    """A cut-out on a domain's grid.

    Attributes:
        image: (num_pix, num_pix) float32 in units of the background's rms, background 0.
        photons: image over this is the variance of its photons in the same units; infinite where
            no noise map tells.
        psf_ratio: FWHM of what the domain's camera would have made of it over the domain's own: 1
            where the image could be blurred to it, above where it is blurred more; NaN if unknown.
        finer_by: pixels of the image per pixel of the domain and axis.
        border_rms: of the border's pixels in units of the noise: 1 without a noise map; with one,
            how well what it says after blurring and averaging agrees with what is there.
        observation: that it was made of.
    """

    image: np.ndarray
    photons: float
    psf_ratio: float
    finer_by: float
    border_rms: float
    observation: Observation


def read_cutout(lens: ObservedLens, grid: Grid) -> Cutout:
    """Read a cut-out and bring it to a grid.

    Args:
        lens: files, and what is known of them.
        grid: of the domain.

    Raises:
        UnusableImageError: see :func:`lensml.data.observed.reading.read_observation` and
            :func:`to_grid`.
    """
    return to_grid(read_observation(lens, grid.width, margin=4 * grid.psf_fwhm), grid)


def to_grid(observation: Observation, grid: Grid) -> Cutout:
    """Bring what was observed to a grid.

    Raises:
        UnusableImageError: data are missing where lensed images are, or no noise is left to
            measure.
    """
    scale = observation.scale.arcsec
    sigma, psf_ratio = _blur(observation, grid)
    operators = [
        operator(n, middle, scale, grid, sigma)
        for n, middle in zip(observation.image.shape, observation.center[::-1], strict=True)
    ]
    area = (grid.pixel_scale / scale) ** 2
    image = filled(observation.image, ~observation.known)
    image = _apply(operators, image) * area
    known = _apply(operators, observation.known.astype(float)) > 0.5
    _check_inner(known)
    border = border_of(known)
    image -= np.median(image[border])
    measured = robust_rms(image[border])
    if not measured > 0:
        raise UnusableImageError("its border has no noise")
    if observation.noise is None:
        rms, photons = measured, np.inf
    else:
        variance = propagated(observation.noise, operators) * area**2
        rms, photons = _noise_unit(image, variance, known, border)
    image = np.where(known, image / rms, 0.0)
    if not np.isfinite(image).all():
        raise UnusableImageError("its noise cannot be measured")
    return Cutout(
        image=image.astype(np.float32),
        photons=photons,
        psf_ratio=psf_ratio,
        finer_by=grid.pixel_scale / scale,
        border_rms=measured / rms,
        observation=observation,
    )


def _blur(observation: Observation, grid: Grid) -> tuple[float, float]:
    """Width of the blur to the grid's PSF in pixels of the image, and ``psf_ratio``."""
    if observation.psf is None:
        return 0.0, np.nan
    fwhm = observation.psf.fwhm
    if fwhm >= grid.psf_fwhm:
        ratio = fwhm / grid.psf_fwhm
        return 0.0, ratio if ratio > PSF_TOLERANCE else 1.0
    sigma = np.sqrt(grid.psf_fwhm**2 - fwhm**2) / FWHM_PER_SIGMA
    return sigma / observation.scale.arcsec, 1.0


def operator(n: int, middle: float, scale: float, grid: Grid, sigma: float) -> np.ndarray:
    """What blurring and averaging do along an axis, (num_pix, n): rows sum to 1.

    Every pixel of the grid is the mean of a cubic spline through the blurred image at even points.

    Args:
        n: pixels of the image.
        middle: of the grid, pixels of the image.
        scale: arcsec per pixel of the image.
        grid: where to.
        sigma: of the blur, pixels of the image; 0 for none.
    """
    ratio = grid.pixel_scale / scale
    per_pixel = SUBPIXELS * max(int(np.ceil(ratio)), 1)
    fine = grid.num_pix * per_pixel
    where = middle + (np.arange(fine) - (fine - 1) / 2) * ratio / per_pixel
    unit = np.eye(n)
    if sigma > 0:
        unit = gaussian_filter1d(unit, sigma, axis=0, mode="nearest")
    at = np.meshgrid(where, np.arange(n), indexing="ij")
    samples = map_coordinates(unit, at, order=3, mode="nearest")
    return samples.reshape(grid.num_pix, per_pixel, n).mean(1)


def _apply(operators: list[np.ndarray], image: np.ndarray) -> np.ndarray:
    return operators[0] @ image @ operators[1].T


def resample(image: np.ndarray, center: list[float], scale: float, grid: Grid) -> np.ndarray:
    """Flux per pixel of the grid, (num_pix, num_pix), without a blur.

    Args:
        image: (H, W) per pixel.
        center: x, y of the grid's middle, pixels of the image.
        scale: arcsec per pixel of the image.
        grid: where to.
    """
    operators = [
        operator(n, middle, scale, grid, 0.0)
        for n, middle in zip(image.shape, center[::-1], strict=True)
    ]
    return _apply(operators, image) * (grid.pixel_scale / scale) ** 2


def propagated(noise: Noise, operators: list[np.ndarray]) -> np.ndarray:
    """Variance of every pixel of the grid, (num_pix, num_pix), before the ratio of the areas.

    Of pixels whose noise is independent it is A_y^2 V (A_x^2)^T. What neighbours share multiplies
    it by sum_l rho(l) sum_j A_j A_{j+l} / sum_j A_j^2 on both axes, as V varies little over a
    pixel of the grid.

    Args:
        noise: at the image's pixels.
        operators: (num_pix, H) and (num_pix, W).
    """
    overlaps = [_overlaps(a) for a in operators]
    alone = np.outer(*(overlap[:, LAGS] for overlap in overlaps))
    shared = overlaps[0] @ noise.correlation @ overlaps[1].T
    independent = _apply([a**2 for a in operators], noise.variance)
    return independent * np.maximum(shared, ROUNDING * alone) / alone


def _overlaps(a: np.ndarray) -> np.ndarray:
    """sum_j A_j A_{j+l} of every row and lag l, (num_pix, 2 LAGS + 1)."""
    n = a.shape[1]
    one_sided = [np.einsum("ij,ij->i", a[:, : n - lag], a[:, lag:]) for lag in range(LAGS + 1)]
    return np.stack([*one_sided[:0:-1], *one_sided], axis=1)


def _check_inner(known: np.ndarray) -> None:
    """Refuse a cut-out that lacks data where lensed images are."""
    axis = np.arange(len(known)) - (len(known) - 1) / 2
    inner = np.hypot(axis[:, None], axis) < INNER * len(known)
    missing = 1 - known[inner].mean()
    if missing > MISSING:
        raise UnusableImageError(f"{missing:.0%} of the pixels near the lens hold no data")


def _noise_unit(
    image: np.ndarray, variance: np.ndarray, known: np.ndarray, border: np.ndarray
) -> tuple[float, float]:
    """Background's rms per pixel of the grid, and ``photons`` of :class:`Cutout`.

    Photons follow from how the variance grows with the image, by the median of bright pixels.
    """
    background = float(np.median(variance[border]))
    rms = np.sqrt(background)
    bright = known & (image > BRIGHT * rms)
    if not bright.any():
        return rms, np.inf
    slope = float(np.median((variance[bright] - background) / image[bright]))
    return rms, rms / slope if slope > 0 else np.inf
