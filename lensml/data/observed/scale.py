"""Arcsec per pixel: from the configuration, or from the linear part of a header's WCS.

The header is read by hand. A reader of whole coordinate systems fails on distortions that are
incomplete or in other files, and none of these changes the size of a pixel by much.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from astropy import units
from astropy.io import fits

from lensml.data.observed.errors import UnusableImageError
from lensml.data.observed.planes import Plane

SMALLEST, LARGEST = 1e-4, 5.0  # arcsec per pixel of any image or PSF of a lens
SQUARE = 1.05  # longer over shorter side of a pixel, above which no single scale describes it
AGREE = 1.02  # two scales whose ratio is below say the same
SKY = ("RA", "DEC", "GLON", "GLAT", "ELON", "ELAT")
DISTORTED = ("A_ORDER", "B_ORDER", "CPDIS1", "CPDIS2", "D2IMDIS1", "D2IMDIS2")
CD, CDELT = "CD matrix", "CDELT"
DISTORTION = ", distortion left out"
HEADER = {CD, CDELT, CD + DISTORTION, CDELT + DISTORTION}  # sources in a header, of units
GUESSES = (
    (1 / 3600, "is it in arcsec though labelled deg?"),
    (1e-3, "is it in milliarcsec?"),
    (3600.0, "is it in degrees?"),
)
GIVE = "give pixel_scale in arcsec"


@dataclass(frozen=True)
class Scale:
    """Size of a pixel.

    Attributes:
        arcsec: per pixel.
        source: what says so.
    """

    arcsec: float
    source: str


def scale_of(plane: Plane, given: float | None) -> Scale:
    """Scale of an image.

    Args:
        plane: with its header.
        given: arcsec, by the configuration; it wins, and the header's is named where it differs.

    Raises:
        UnusableImageError: there is none, or it is none of an image of a lens.
    """
    if given is None:
        return plausible(header_scale(plane), plane.where)
    try:
        header = header_scale(plane).arcsec
    except UnusableImageError:
        header = given
    same = 1 / AGREE < header / given < AGREE
    source = "pixel_scale" if same else f"pixel_scale, against {header:.4g} of the header"
    return plausible(Scale(given, source), plane.where)


def plausible(scale: Scale, where: str) -> Scale:
    """The scale, if an image of a lens may have it.

    Raises:
        UnusableImageError: it may not; guesses which unit was meant.
    """
    if SMALLEST <= scale.arcsec <= LARGEST:
        return scale
    guesses = GUESSES if scale.source in HEADER else GUESSES[1:]
    meant = [text for factor, text in guesses if _usual(scale.arcsec * factor)]
    guess = f"; {meant[0]}" if meant else ""
    raise UnusableImageError(
        f"{where}: {scale.arcsec:.4g} arcsec per pixel by {scale.source}, where {SMALLEST:g} to "
        f"{LARGEST:g} are possible{guess}"
    )


def _usual(arcsec: float) -> bool:
    return 0.005 <= arcsec <= 1.0


def header_scale(plane: Plane) -> Scale:
    """Scale of the linear part of a header's WCS.

    Raises:
        UnusableImageError: it has none on the sky, of an unknown unit or of pixels that are not
            square; says which key is wrong.
    """
    header, where = plane.header, plane.where
    if header is None:
        raise UnusableImageError(f"{where}: has no WCS; {GIVE}")
    for axis in (1, 2):
        ctype = str(header.get(f"CTYPE{axis}", "")).strip().upper()
        if not ctype:
            raise UnusableImageError(f"{where}: has no WCS (CTYPE{axis} is missing); {GIVE}")
        if ctype.split("-")[0] not in SKY:
            raise UnusableImageError(f"{where}: CTYPE{axis} = '{ctype}' is no sky; {GIVE}")
    matrix, source = _linear(header, where)
    matrix *= np.array([[_arcsec_per_unit(header, axis, where)] for axis in (1, 2)])
    sides = np.linalg.svd(matrix, compute_uv=False)
    if not np.isfinite(sides).all() or sides[1] <= 0:
        raise UnusableImageError(f"{where}: {source} gives pixels of no area; {GIVE}")
    if sides[0] > SQUARE * sides[1]:
        raise UnusableImageError(
            f"{where}: {source} gives pixels of {sides[0]:.4g} x {sides[1]:.4g} arcsec, which are "
            "not square"
        )
    if any(key in header for key in DISTORTED):
        source += DISTORTION
    return Scale(float(np.sqrt(sides.prod())), source)


def _linear(header: fits.Header, where: str) -> tuple[np.ndarray, str]:
    """Matrix from pixels to the header's units, and the keys that it is from."""
    keys = {(i, j): f"{i}_{j}" for i in (1, 2) for j in (1, 2)}
    if any(f"CD{key}" in header for key in keys.values()):
        matrix, source = np.zeros((2, 2)), CD
        for (i, j), key in keys.items():
            matrix[i - 1, j - 1] = number(header, f"CD{key}", where, 0.0)
        return matrix, source
    if "CDELT1" in header and "CDELT2" in header:
        matrix = np.eye(2)
        for (i, j), key in keys.items():
            matrix[i - 1, j - 1] = number(header, f"PC{key}", where, float(i == j))
        steps = [number(header, f"CDELT{axis}", where, 0.0) for axis in (1, 2)]
        return np.array(steps)[:, None] * matrix, CDELT
    raise UnusableImageError(f"{where}: has neither a CD matrix nor CDELT; {GIVE}")


def number(header: fits.Header, key: str, where: str, default: float) -> float:
    """A number of a header.

    Raises:
        UnusableImageError: it is something else.
    """
    value: Any = header.get(key, default)
    try:
        return float(value)
    except (TypeError, ValueError):
        raise UnusableImageError(f"{where}: {key} = {value!r} is no number") from None


def _arcsec_per_unit(header: fits.Header, axis: int, where: str) -> float:
    text = str(header.get(f"CUNIT{axis}", "deg")).strip() or "deg"
    for name in (text, text.lower(), text.lower().removesuffix("s")):
        try:
            factor: Any = units.Unit(name).to(units.arcsec)
            return float(factor)
        except (ValueError, units.UnitConversionError):
            continue
    raise UnusableImageError(f"{where}: CUNIT{axis} = '{text}' is no angle; {GIVE}")
