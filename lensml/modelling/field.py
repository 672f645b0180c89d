"""An observed lens as it is modelled: its pixels, their noise, and the PSF."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.fft import irfft2, next_fast_len, rfft2

from lensml.data.observed import (
    Grid,
    Observation,
    Psf,
    UnusableImageError,
    read_observation,
    resample,
    widest,
)
from lensml.data.observed.noise import border_of
from lensml.schema.observed import ObservedLens

NARROWEST, WIDEST = 1.0, 8.0  # arcsec of a cut-out: what is needed, what is looked at
PSF_REACH = 1.1  # arcsec from its middle within which a PSF is used
SAME_SCALE = 0.02  # relative difference of two scales that are the same
FWHM_PER_SIGMA = 2 * np.sqrt(2 * np.log(2))


class Blur:
    """Convolution with a PSF.

    Args:
        psf: (K, K), K odd.
        n: pixels along an axis of the images.
    """

    def __init__(self, psf: np.ndarray, n: int) -> None:
        self._n, self._half = n, psf.shape[0] // 2
        self._size = next_fast_len(n + psf.shape[0] - 1, real=True)
        self._kernel = np.asarray(rfft2(psf, (self._size, self._size)))

    def __call__(self, image: np.ndarray) -> np.ndarray:
        """Of images (..., n, n); beyond the edges is nothing."""
        size, kept = (self._size, self._size), slice(self._half, self._half + self._n)
        blurred: Any = irfft2(np.asarray(rfft2(image, size)) * self._kernel, size)
        return blurred[..., kept, kept]


@dataclass(frozen=True)
class Field:
    """What is modelled.

    Attributes:
        image: (n, n) float64, background 0, any unit.
        noise: (n, n) rms by the noise map. Of drizzled images it is above the scatter of blank
            sky.
        known: (n, n) bool, pixels with data that are not masked.
        pixel_scale: arcsec.
        x, y: (n, n) arcsec from the lens.
        psf: (K, K), K odd, sum 1, of the image's pixels.
        correlation: (2 L + 1, 2 L + 1) of the noise of two pixels by their distance.
        blank_chi2: of the background's pixels, in which there is nothing: what chi2 is held
            against.
    """

    image: np.ndarray
    noise: np.ndarray
    known: np.ndarray
    pixel_scale: float
    x: np.ndarray
    y: np.ndarray
    psf: np.ndarray
    correlation: np.ndarray
    blank_chi2: float

    @property
    def n(self) -> int:
        """Pixels along an axis."""
        return len(self.image)

    @property
    def radius(self) -> np.ndarray:
        """(n, n) arcsec from the lens."""
        return np.hypot(self.x, self.y)

    @property
    def half_width(self) -> float:
        """Arcsec from the middle to the edge."""
        return self.n * self.pixel_scale / 2


def read_field(lens: ObservedLens) -> Field:
    """What is modelled of an observed lens: at most :data:`WIDEST` about it.

    Raises:
        UnusableImageError: see :func:`lensml.data.observed.read_observation` and
            :func:`field_of`.
    """
    return field_of(read_observation(lens, min(widest(lens), WIDEST)))


def field_of(observation: Observation) -> Field:
    """A field around a lens.

    Args:
        observation: read with its noise map and PSF.

    Raises:
        UnusableImageError: noise or PSF are not known, the cut-out is narrower than
            :data:`NARROWEST`, or too few of its pixels hold data.
    """
    if observation.noise is None:
        raise UnusableImageError("a lens is modelled with the noise of its pixels: give noise_map")
    if observation.psf is None:
        raise UnusableImageError("a lens is modelled with its PSF: give psf, or psf_fwhm")
    scale = observation.scale.arcsec
    rows, columns, n = _square(observation)
    if n * scale < NARROWEST:
        raise UnusableImageError(
            f"covers {n * scale:.2f} arcsec about the lens; a model needs {NARROWEST:g}"
        )
    cut = (rows, columns)
    known = observation.known[cut] & ~observation.masked[cut]
    if known.mean() < 0.5:
        raise UnusableImageError(
            f"{1 - known.mean():.0%} of its pixels hold no data or are masked"
        )
    middle_x = observation.center[0] - columns.start
    middle_y = observation.center[1] - rows.start
    variance = observation.noise.variance * observation.noise.claimed
    axis = np.arange(n)
    x, y = np.meshgrid((axis - middle_x) * scale, (axis - middle_y) * scale)
    return Field(
        image=observation.image[cut],
        noise=np.sqrt(variance[cut]),
        known=known,
        pixel_scale=scale,
        x=x,
        y=y,
        psf=psf_kernel(observation.psf, scale),
        correlation=observation.noise.correlation,
        blank_chi2=observation.rms**2 / float(np.median(variance[border_of(observation.known)])),
    )


def _square(observation: Observation) -> tuple[slice, slice, int]:
    """Rows and columns of the largest square about the lens, not wider than :data:`WIDEST`."""
    height, width = observation.image.shape
    x, y = (round(c) for c in observation.center)
    half = min(x, y, width - 1 - x, height - 1 - y, int(WIDEST / 2 / observation.scale.arcsec))
    return slice(y - half, y + half + 1), slice(x - half, x + half + 1), 2 * half + 1


def psf_kernel(psf: Psf, pixel_scale: float) -> np.ndarray:
    """A PSF on an image's pixels, (K, K), K odd, sum 1.

    Args:
        psf: image of it, of these pixels or finer ones, or its width alone: then a Gaussian.
        pixel_scale: of the image, arcsec.

    Raises:
        UnusableImageError: its pixels are larger than the image's.
    """
    if psf.kernel is None or psf.scale is None:
        return _gaussian(psf.fwhm / FWHM_PER_SIGMA, pixel_scale)
    kernel = np.where(np.isfinite(psf.kernel), psf.kernel, 0.0)
    ratio = psf.scale.arcsec / pixel_scale
    if ratio > 1 + SAME_SCALE:
        raise UnusableImageError(
            f"the PSF's pixels of {psf.scale.arcsec:.4g} arcsec are larger than the image's "
            f"({pixel_scale:.4g})"
        )
    odd = kernel.shape[0] == kernel.shape[1] and kernel.shape[0] % 2 == 1
    if not odd or abs(ratio - 1) > SAME_SCALE:
        kernel = _on_pixels(kernel, psf.scale.arcsec, pixel_scale)
    middle = len(kernel) // 2
    reach = min(middle, round(PSF_REACH / pixel_scale))
    kept = slice(middle - reach, middle + reach + 1)
    return kernel[kept, kept] / kernel[kept, kept].sum()


def _on_pixels(kernel: np.ndarray, scale: float, pixel_scale: float) -> np.ndarray:
    """A finely sampled PSF, or one with an even number of pixels, about its centroid."""
    y, x = (np.arange(n) for n in kernel.shape)
    light = np.clip(kernel, 0, None)
    center = [float((light * x).sum() / light.sum()), float((light.T * y).sum() / light.sum())]
    across = min(kernel.shape) * scale / pixel_scale
    n = max(2 * int((across - 1) / 2) + 1, 3)
    return resample(kernel, center, scale, Grid(n, pixel_scale, 0.0))


def _gaussian(sigma: float, pixel_scale: float) -> np.ndarray:
    """A Gaussian, averaged over the pixels."""
    reach = max(round(min(5 * sigma, PSF_REACH) / pixel_scale), 1)
    fine = 9
    axis = (np.arange((2 * reach + 1) * fine) - ((2 * reach + 1) * fine - 1) / 2) / fine
    row = np.exp(-((axis * pixel_scale) ** 2) / (2 * sigma**2)).reshape(-1, fine).sum(1)
    return np.outer(row, row) / row.sum() ** 2
