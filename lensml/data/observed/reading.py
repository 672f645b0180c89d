"""A cut-out at its own pixels, with all that is known of it: nothing is resampled here."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lensml.data.observed.errors import UnusableImageError
from lensml.data.observed.folder import resolved
from lensml.data.observed.gaps import without_data
from lensml.data.observed.noise import (
    Noise,
    border_of,
    border_rms,
    frame_holds_data,
    noise_of,
    variance_of,
)
from lensml.data.observed.planes import Plane, read_plane
from lensml.data.observed.psf import Psf, read_psf
from lensml.data.observed.scale import Scale, scale_of
from lensml.schema.observed import Hdu, NoiseKind, ObservedLens

COARSEST = 16  # pixels across the field: of fewer, one is as large as a ring
SLACK = 0.01  # pixels that the field may reach beyond the image: a header's rounding
BRIGHTEST = 1e6  # units of the noise: brighter than any pixel of a camera


@dataclass(frozen=True)
class Observation:
    """What the files of a lens hold around it.

    Attributes:
        image: (H, W) float64 in the image's unit, background 0; 0 where no data are.
        known: (H, W) bool, pixels that hold data in image and noise map.
        noise: of a map that agrees with the border; even, of the border's rms, where there is no
            map and data are missing at the border; None if there is neither.
        rms: of the pixels at the border, light that varies slowly taken out.
        background: that was subtracted, in the image's unit.
        center: x, y of the lens in pixels of ``image``, counted from 0.
        scale: of the pixels.
        psf: or None if it is not known.
        n_missing: pixels without data in the field that was asked for, its margin left out.
        masked: (H, W) bool, pixels that a model of the lens is to leave out.
    """

    image: np.ndarray
    known: np.ndarray
    noise: Noise | None
    rms: float
    background: float
    center: tuple[float, float]
    scale: Scale
    psf: Psf | None
    n_missing: int
    masked: np.ndarray


def widest(lens: ObservedLens) -> float:
    """Width of the largest square about a lens that its image covers, arcsec.

    Raises:
        UnusableImageError: see :func:`read_observation`.
    """
    lens = resolved(lens)
    plane = read_plane(lens.image, lens.hdu)
    shape = plane.array.shape[::-1]
    middle = lens.center or [(n - 1) / 2 for n in shape]
    reach = min(min(c, n - 1 - c) for c, n in zip(middle, shape, strict=True)) + 0.5
    return max(2 * reach * scale_of(plane, lens.pixel_scale).arcsec, 0.0)


def read_observation(lens: ObservedLens, width: float, *, margin: float = 0.0) -> Observation:
    """Read what the files of a lens hold around it, and check all of it.

    Args:
        lens: files, and what is known of them.
        width: of the square field around the lens that must be covered, arcsec.
        margin: on each side of it that is taken where there is one, arcsec.

    Raises:
        UnusableImageError: a file cannot be read, does not hold what is needed, or not what it is
            said to hold; says why.
    """
    lens = resolved(lens)
    plane = read_plane(lens.image, lens.hdu)
    scale = scale_of(plane, lens.pixel_scale)
    x, y = lens.center or [(n - 1) / 2 for n in plane.array.shape[::-1]]
    _check_coverage(plane, (x, y), width, scale)
    noise_map = _noise_map(lens, plane)
    psf = read_psf(lens, plane, scale)
    inner, window = (
        _window(plane, (x, y), r / scale.arcsec) for r in (width / 2, width / 2 + margin)
    )
    image = plane.array[window].astype(float)
    known, variance = ~without_data(image), None
    if noise_map is not None:
        variance = variance_of(noise_map.array[window].astype(float), lens.noise_kind)
        known &= np.isfinite(variance)
    rms, background = _background(image, known)
    rows, columns = window
    return Observation(
        image=np.where(known, image - background, 0.0),
        known=known,
        noise=_noise(image, variance, known, lens.noise_kind, rms),
        rms=rms,
        background=background,
        center=(x - columns.start, y - rows.start),
        scale=scale,
        psf=psf,
        n_missing=_missing(known, inner, window),
        masked=_mask(lens, plane)[window],
    )


def _background(image: np.ndarray, known: np.ndarray) -> tuple[float, float]:
    """Rms and median of the border."""
    rms = border_rms(image, known)
    background = float(np.median(image[border_of(known)]))
    brightest = np.abs(image[known] / rms - background / rms).max()
    if brightest > BRIGHTEST:
        raise UnusableImageError(f"its brightest pixel is {brightest:.1g} times the noise")
    return rms, background


def _noise(
    image: np.ndarray,
    variance: np.ndarray | None,
    known: np.ndarray,
    kind: NoiseKind,
    rms: float,
) -> Noise | None:
    if variance is None:
        if frame_holds_data(known):
            return None
        variance = np.full(image.shape, rms**2)  # too few pixels for a rms after resampling
    return noise_of(image, variance, known, kind, rms)


def _missing(known: np.ndarray, inner: tuple[slice, slice], window: tuple[slice, slice]) -> int:
    """Pixels without data in the inner of two windows, of which the outer was read."""
    rows, columns = (
        slice(i.start - w.start, i.stop - w.start) for i, w in zip(inner, window, strict=True)
    )
    return int(np.count_nonzero(~known[rows, columns]))


def _noise_map(lens: ObservedLens, image: Plane) -> Plane | None:
    if lens.noise_map is None:
        return None
    return _companion(lens.noise_map, lens.noise_hdu, image, "noise map", "noise_hdu")


def _mask(lens: ObservedLens, image: Plane) -> np.ndarray:
    """Pixels that are left out, (H, W) bool."""
    if lens.mask is None:
        return np.zeros(image.array.shape, bool)
    return _companion(lens.mask, lens.mask_hdu, image, "mask", "mask_hdu").array != 0


def _companion(path: str, hdu: Hdu | None, image: Plane, what: str, key: str) -> Plane:
    """Another plane of as many pixels as the image."""
    plane = read_plane(path, hdu)
    if plane.where == image.where:
        raise UnusableImageError(f"{plane.where}: the {what} is the image; give {key}")
    if plane.array.shape != image.array.shape:
        found, wanted = (f"{p.array.shape[1]} x {p.array.shape[0]}" for p in (plane, image))
        raise UnusableImageError(f"{what} of {found} pixels for an image of {wanted}")
    return plane


def _check_coverage(image: Plane, center: tuple[float, float], width: float, scale: Scale) -> None:
    n_across = width / scale.arcsec
    if n_across < COARSEST:
        raise UnusableImageError(
            f"its pixels of {scale.arcsec:.3g} arcsec (by {scale.source}) are as large as a ring: "
            f"{n_across:.0f} across the field of {width:.1f} arcsec, where {COARSEST} are needed"
        )
    half = n_across / 2 - SLACK
    for axis, (middle, n) in enumerate(zip(center, image.array.shape[::-1], strict=True)):
        if middle - half < -0.5 or middle + half > n - 0.5:
            reach = 2 * (min(middle, n - 1 - middle) + 0.5) * scale.arcsec
            raise UnusableImageError(
                f"covers {max(reach, 0):.1f} arcsec around the lens in {'xy'[axis]}; "
                f"{width:.1f} are needed (its pixels have {scale.arcsec:.4g} by {scale.source})"
            )


def _window(image: Plane, center: tuple[float, float], half: float) -> tuple[slice, slice]:
    """Rows and columns of the pixels within ``half`` pixels of the centre, as far as there are."""
    rows, columns = (
        slice(max(int(c - half), 0), min(int(c + half) + 2, n))
        for c, n in zip(center[::-1], image.array.shape, strict=True)
    )
    return rows, columns
