"""Observed cut-outs, brought to the pixel grid and the noise scale of a domain.

Nothing is added: an image sharper than the domain's camera is blurred to it, a finer one is
averaged, and its noise becomes the unit. One that is blurred more, or deeper, stays so.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits
from astropy.wcs import WCS
from astropy.wcs.utils import proj_plane_pixel_scales
from scipy.ndimage import gaussian_filter, map_coordinates

from lensml.schema.observed import Hdu, ObservedLens

FWHM_PER_SIGMA = 2 * np.sqrt(2 * np.log(2))
MAD_PER_SIGMA = 0.6745
SUBPIXELS = 4  # samples per axis of a pixel of the image or of the domain, whichever is finer
BORDER = 0.1  # share of the field's width at each edge in which the background is measured
ROUNDING = 1e-10  # of the brightest pixel: less is no noise
FLAGGED = 100.0  # noise above so many medians of the map marks a pixel without data
BRIGHT = 5.0  # pixels above so many rms tell the photon noise
FINE = 16  # samples per pixel of a PSF, whose width is measured
PSF_TOLERANCE = 1.02  # a PSF that is wider by less is as good as the domain's


class UnusableImageError(ValueError):
    """Why a cut-out cannot be scored."""


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
    """

    image: np.ndarray
    photons: float
    psf_ratio: float
    finer_by: float


def read_cutout(lens: ObservedLens, grid: Grid) -> Cutout:
    """Read a cut-out and bring it to a grid.

    Args:
        lens: files, and what is known of them.
        grid: of the domain.

    Raises:
        UnusableImageError: a file cannot be read, or does not hold what is needed; says why.
    """
    image, header = _read(lens.image, lens.hdu)
    scale = lens.pixel_scale or _scale_of(header, lens.image)
    noise = None if lens.noise_map is None else _read(lens.noise_map, lens.noise_hdu)[0]
    if noise is not None and noise.shape != image.shape:
        raise UnusableImageError(
            f"noise map of {_size(noise)} pixels for an image of {_size(image)}"
        )
    middle = [(n - 1) / 2 for n in image.shape[::-1]]
    center = middle if lens.center is None else lens.center
    image, noise, center = _field(image, noise, center, scale, grid)
    psf_fwhm = lens.psf_fwhm
    if lens.psf is not None:
        psf_fwhm = fwhm_of(_read(lens.psf, lens.psf_hdu)[0]) * scale
    blurred, psf_ratio = _matched(image, psf_fwhm, scale, grid)
    resampled = resample(blurred, center, scale, grid)
    border = resampled[_border(grid.num_pix)]
    if noise is None and np.ptp(border) <= ROUNDING * np.abs(image).max():
        raise UnusableImageError("its border has no noise; give a noise map")
    resampled = resampled - np.median(border)
    rms, photons = _noise_of(resampled, noise, center, scale, grid)
    finer_by = grid.pixel_scale / scale
    return Cutout((resampled / rms).astype(np.float32), photons, psf_ratio, finer_by)


def _read(path: str, hdu: Hdu) -> tuple[np.ndarray, fits.Header | None]:
    """An image in float64, and the header of a FITS file."""
    if not Path(path).is_file():
        raise UnusableImageError(f"{path}: there is no such file")
    header = None
    try:
        if path.endswith(".npy"):
            data = np.load(path, allow_pickle=False)
        else:
            with fits.open(path, memmap=False) as opened:
                extension: Any = opened[hdu]
                data, header = extension.data, extension.header
    except (OSError, ValueError, KeyError, IndexError, TypeError) as error:
        reason = " ".join(str(error).split())
        raise UnusableImageError(f"{path}: cannot be read ({reason})") from None
    if data is None or np.ndim(data) != 2 or np.asarray(data).dtype.kind not in "iuf":
        found = "no array" if data is None else f"an array of shape {np.shape(data)}"
        raise UnusableImageError(f"{path}, extension {hdu}: holds {found}, not an image")
    return np.asarray(data, dtype=float), header


def _scale_of(header: fits.Header | None, path: str) -> float:
    wcs = None if header is None else WCS(header)
    if wcs is None or not wcs.has_celestial:
        raise UnusableImageError(f"{path}: has no WCS; give pixel_scale in arcsec")
    return float(np.mean(proj_plane_pixel_scales(wcs.celestial)) * 3600)


def fwhm_of(psf: np.ndarray) -> float:
    """Diameter of the disc as large as what of a PSF is above half its peak, pixels.

    Args:
        psf: (H, W).

    Raises:
        UnusableImageError: it has no peak.
    """
    if not np.isfinite(psf).all() or psf.max() <= 0:
        raise UnusableImageError("the image of the PSF has no finite peak above 0")
    y, x = (np.arange(0, n - 1 + 1e-9, 1 / FINE) for n in psf.shape)
    fine = map_coordinates(psf, np.meshgrid(y, x, indexing="ij"), order=3)
    area = np.count_nonzero(fine > fine.max() / 2) / FINE**2
    return float(2 * np.sqrt(area / np.pi))


def _size(image: np.ndarray) -> str:
    return f"{image.shape[1]} x {image.shape[0]}"


def _field(
    image: np.ndarray,
    noise: np.ndarray | None,
    center: list[float],
    scale: float,
    grid: Grid,
) -> tuple[np.ndarray, np.ndarray | None, list[float]]:
    """What of an image the grid covers, with a margin for the blur, and the centre within it."""
    half = grid.num_pix * grid.pixel_scale / 2 / scale  # pixels of the image
    for axis, (middle, n) in enumerate(zip(center, image.shape[::-1], strict=True)):
        if middle - half < -0.5 or middle + half > n - 0.5:
            reach = 2 * (min(middle, n - 1 - middle) + 0.5) * scale
            raise UnusableImageError(
                f"covers {max(reach, 0):.1f} arcsec around the lens in {'xy'[axis]}; "
                f"{grid.num_pix * grid.pixel_scale:.1f} are needed"
            )
    margin = half + 4 * grid.psf_fwhm / scale
    columns, rows = (
        slice(max(int(c - margin), 0), min(int(c + margin) + 2, n))
        for c, n in zip(center, image.shape[::-1], strict=True)
    )
    image, inside = image[rows, columns], [center[0] - columns.start, center[1] - rows.start]
    noise = None if noise is None else noise[rows, columns]
    if bad := np.count_nonzero(~np.isfinite(image)):
        raise UnusableImageError(f"{bad} pixels near the lens are not finite")
    if noise is not None and not (np.isfinite(noise).all() and (noise > 0).all()):
        raise UnusableImageError("the noise map is not above 0 and finite near the lens")
    return image, noise, inside


def _matched(
    image: np.ndarray, psf_fwhm: float | None, scale: float, grid: Grid
) -> tuple[np.ndarray, float]:
    """The image, blurred to the grid's PSF where it is sharper, and the ratio of the two."""
    if psf_fwhm is None:
        return image, np.nan
    if psf_fwhm >= grid.psf_fwhm:
        ratio = psf_fwhm / grid.psf_fwhm
        return image, ratio if ratio > PSF_TOLERANCE else 1.0
    sigma = np.sqrt(grid.psf_fwhm**2 - psf_fwhm**2) / FWHM_PER_SIGMA / scale
    return gaussian_filter(image, sigma, mode="nearest"), 1.0


def resample(image: np.ndarray, center: list[float], scale: float, grid: Grid) -> np.ndarray:
    """Flux per pixel of the grid, (num_pix, num_pix).

    Every pixel of the grid is the mean of cubic splines through the image at even points, times
    the ratio of the areas.

    Args:
        image: (H, W) per pixel.
        center: x, y of the grid's middle, pixels of the image.
        scale: arcsec per pixel of the image.
        grid: where to.
    """
    ratio = grid.pixel_scale / scale
    per_axis = SUBPIXELS * max(int(np.ceil(ratio)), 1)
    n = grid.num_pix * per_axis
    steps = (np.arange(n) - (n - 1) / 2) * ratio / per_axis
    y, x = np.meshgrid(center[1] + steps, center[0] + steps, indexing="ij")
    fine = map_coordinates(image, [y, x], order=3, mode="nearest")
    shape = (grid.num_pix, per_axis, grid.num_pix, per_axis)
    return fine.reshape(shape).mean((1, 3)) * ratio**2


def _border(num_pix: int) -> np.ndarray:
    """Mask of the pixels in which the background is measured."""
    width = max(int(BORDER * num_pix), 1)
    mask = np.ones((num_pix, num_pix), bool)
    mask[width:-width, width:-width] = False
    return mask


def _noise_of(
    resampled: np.ndarray,
    noise: np.ndarray | None,
    center: list[float],
    scale: float,
    grid: Grid,
) -> tuple[float, float]:
    """Background's rms per pixel of the grid, and ``photons`` of :class:`Cutout`.

    Without a noise map the rms is the median absolute deviation at the border. With one it is the
    map's, and photons follow from how the map's variance grows with the image, by the median of
    bright pixels: pipelines mark pixels without data by an enormous noise.
    """
    border = _border(grid.num_pix)
    if noise is None:
        spread = np.abs(resampled[border] - np.median(resampled[border]))
        return float(np.median(spread) / MAD_PER_SIGMA), np.inf
    known = np.minimum(noise, FLAGGED * np.median(noise))
    variance = resample(known**2, center, scale, grid)
    background = float(np.median(variance[border]))
    rms = np.sqrt(background)
    bright = resampled > BRIGHT * rms
    if not bright.any():
        return rms, np.inf
    slope = float(np.median((variance[bright] - background) / resampled[bright]))
    return rms, rms / slope if slope > 0 else np.inf
