"""One image of a FITS or npy file, and which extensions hold images where none was named."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits
from astropy.utils.exceptions import AstropyWarning

from lensml.data.observed.errors import UnusableImageError
from lensml.schema.observed import Hdu

SCIENCE = "SCI"  # what the archives of HST and JWST call the image among its companions


@dataclass(frozen=True)
class Plane:
    """An image as it lies in a file.

    Attributes:
        array: (H, W), of the file's own type.
        header: of the extension, or None of an npy file.
        where: file and extension, for messages and to tell two planes apart.
    """

    array: np.ndarray
    header: fits.Header | None
    where: str


def read_plane(path: str, hdu: Hdu | None) -> Plane:
    """Read an image.

    Args:
        path: ``.npy``, anything else is FITS.
        hdu: number, name or [name, version] of the extension; None where the file leaves no
            choice: the primary image, the only one, or the one called SCI.

    Raises:
        UnusableImageError: there is no such file or extension, or it holds no single plane; names
            the extensions that do.
    """
    if not Path(path).is_file():
        raise UnusableImageError(f"{path}: there is no such file")
    read = _npy if path.endswith(".npy") else _fits
    try:
        return read(path, hdu)
    except UnusableImageError:
        raise
    # Readers of damaged files raise whatever they come across.
    except Exception as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise UnusableImageError(f"{path}: cannot be read ({reason})") from None


def _npy(path: str, hdu: Hdu | None) -> Plane:
    return Plane(_single(np.load(path, allow_pickle=False), path), None, path)


def _fits(path: str, hdu: Hdu | None) -> Plane:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AstropyWarning)  # of headers that are not by the book
        with fits.open(path, memmap=False) as opened:
            number = _only_image(opened, path) if hdu is None else _number(opened, hdu, path)
            extension: Any = opened[number]
            where = f"{path}, extension {number}"
            if not _plane_shape(extension):
                where += f": holds {_found(extension)}, not an image"
                raise UnusableImageError(f"{where}; {_images(opened)}")
            return Plane(_single(extension.data, where), extension.header.copy(), where)


def _only_image(opened: fits.HDUList, path: str) -> int:
    extensions: list[Any] = list(opened)
    candidates = [i for i, extension in enumerate(extensions) if _plane_shape(extension)]
    named = [i for i in candidates if extensions[i].name == SCIENCE]
    if 0 in candidates:
        return 0
    if len(candidates) == 1 or len(named) == 1:
        return (named or candidates)[0]
    if not candidates:
        raise UnusableImageError(f"{path}: holds {_found(opened[0])}, not an image")
    raise UnusableImageError(f"{path}: holds several images, say which; {_images(opened)}")


def _number(opened: fits.HDUList, hdu: Hdu, path: str) -> int:
    key: Any = tuple(hdu) if isinstance(hdu, list) else hdu
    try:
        number = opened.index_of(key)
        _ = opened[number]
    except (KeyError, IndexError):
        raise UnusableImageError(f"{path}: has no extension {hdu}; {_images(opened)}") from None
    return number


def _plane_shape(extension: Any) -> tuple[int, ...]:
    """Shape of a single plane, or nothing; reads the header only."""
    shape = tuple(extension.shape) if extension.is_image else ()
    return shape if len(shape) >= 2 and set(shape[:-2]) <= {1} else ()


def _found(extension: Any) -> str:
    if not extension.is_image:
        return "a table"
    return f"an array of shape {tuple(extension.shape)}" if extension.shape else "no array"


def _images(opened: fits.HDUList) -> str:
    found = [
        f"{i} '{extension.name}'" + (f" version {extension.ver}" if extension.ver > 1 else "")
        for i, extension in enumerate(opened)
        if _plane_shape(extension)
    ]
    return f"images are in {', '.join(found)}" if found else "no extension holds an image"


def _single(data: Any, where: str) -> np.ndarray:
    """A plane, without axes of length 1 before it."""
    array = np.asarray(data)
    while array.ndim > 2 and array.shape[0] == 1:
        array = array[0]
    if array.ndim != 2 or array.dtype.kind not in "iufb" or not array.size:
        found = f"an array of shape {array.shape} and type {array.dtype}"
        raise UnusableImageError(f"{where}: holds {found}, not an image")
    return array
