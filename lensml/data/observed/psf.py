"""The image of a PSF: size of its pixels, which are often finer than the image's, and width."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import ndimage

from lensml.data.observed.errors import UnusableImageError
from lensml.data.observed.planes import Plane, read_plane
from lensml.data.observed.scale import Scale, header_scale, number, plausible
from lensml.schema.observed import ObservedLens

FINE = 16  # samples per pixel and axis with which the width is measured
MOST = 1024  # samples per axis: a finely sampled PSF needs fewer per pixel
MARGIN = 4  # pixels around the core that the splines need
KEYS = ("PIXELSCL", "PIXSCALE")  # arcsec, by webbpsf and poppy, by others


@dataclass(frozen=True)
class Psf:
    """What a PSF looks like.

    Attributes:
        kernel: (H, W) as in its file, or None where only the width is known.
        scale: of the kernel's pixels, or None without one.
        fwhm: arcsec.
    """

    kernel: np.ndarray | None
    scale: Scale | None
    fwhm: float


def read_psf(lens: ObservedLens, image: Plane, image_scale: Scale) -> Psf | None:
    """PSF of a cut-out, or None if it is not known.

    Args:
        lens: what is known of it.
        image: plane of the cut-out.
        image_scale: of its pixels, which the PSF is taken to have where nothing says otherwise.

    Raises:
        UnusableImageError: a file cannot be read, or holds no PSF.
    """
    if lens.psf is None:
        return None if lens.psf_fwhm is None else Psf(None, None, lens.psf_fwhm)
    plane = read_plane(lens.psf, lens.psf_hdu)
    if plane.where == image.where:
        raise UnusableImageError(f"{plane.where}: the PSF is the image itself; give psf_hdu")
    kernel = plane.array.astype(float)
    scale = plausible(psf_scale(plane, lens.psf_pixel_scale, image_scale), plane.where)
    return Psf(kernel, scale, fwhm_of(kernel) * scale.arcsec)


def psf_scale(plane: Plane, given: float | None, image_scale: Scale) -> Scale:
    """Scale of a PSF's pixels: as configured, by its header, by its WCS, or the image's."""
    if given is not None:
        return Scale(given, "psf_pixel_scale")
    for key in KEYS:
        if plane.header is not None and key in plane.header:
            return Scale(number(plane.header, key, plane.where, 0.0), key)
    try:
        return header_scale(plane)
    except UnusableImageError:
        return Scale(image_scale.arcsec, "the image's pixels")


def fwhm_of(psf: np.ndarray) -> float:
    """Diameter of the disc as large as what of a PSF's core is above half its peak, pixels.

    Args:
        psf: (H, W); only a crop about the peak is sampled more finely.

    Raises:
        UnusableImageError: it has no peak, or is cut off within its core.
    """
    if not np.isfinite(psf).all() or psf.max() <= 0:
        raise UnusableImageError("the image of the PSF has no finite peak above 0")
    core = _core(psf)
    factor = max(min(FINE, MOST // max(core.shape)), 1)
    y, x = (np.arange(0, n - 1 + 1e-9, 1 / factor) for n in core.shape)
    fine = ndimage.map_coordinates(core, np.meshgrid(y, x, indexing="ij"), order=3)
    area = np.count_nonzero(fine > fine.max() / 2) / factor**2
    return float(2 * np.sqrt(area / np.pi))


def _core(psf: np.ndarray) -> np.ndarray:
    """What is above half the peak and hangs together with it, with a margin."""
    labelled: Any = ndimage.label(psf > psf.max() / 2, structure=np.ones((3, 3)))
    labels = labelled[0]
    peak = labels[np.unravel_index(psf.argmax(), psf.shape)]
    edge = np.ones(psf.shape, bool)
    edge[1:-1, 1:-1] = False
    if (labels[edge] == peak).any():
        raise UnusableImageError("the PSF is above half its peak at the edge of its image")
    (found,) = ndimage.find_objects((labels == peak).astype(int))
    rows, columns = (slice(max(s.start - MARGIN, 0), s.stop + MARGIN) for s in found)
    return psf[rows, columns]
