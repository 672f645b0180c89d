"""One image, or many, from a file of whatever kind.

Files of the published DeepLense sets hold Python objects (``[image, mass]``), which numpy reads
with pickle; a pickle can run any program. They are read by an unpickler that makes arrays and
numbers and nothing else.
"""

from __future__ import annotations

import io
import pickle
import warnings
from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits
from astropy.utils.exceptions import AstropyWarning
from numpy.lib import format as npy
from PIL import Image

from lensml.data.imported.arrays import HDF5_ENDINGS, Images, holds_named_arrays, images_in

FITS_ENDINGS = (".fits", ".fits.gz", ".fit")
ENDINGS = (".npy", ".npz", *HDF5_ENDINGS, *FITS_ENDINGS, ".png")
HARMLESS = {  # what an array of arrays and numbers is pickled from
    ("numpy", "ndarray"),
    ("numpy", "dtype"),
    *((core, "_reconstruct") for core in ("numpy.core.multiarray", "numpy._core.multiarray")),
    *((core, "scalar") for core in ("numpy.core.multiarray", "numpy._core.multiarray")),
    *((core, "_frombuffer") for core in ("numpy.core.numeric", "numpy._core.numeric")),
    ("_codecs", "encode"),  # of bytes in pickles of Python 2
}


class ArrayUnpickler(pickle.Unpickler):
    """Reads arrays and numbers; whatever else a pickle asks for is refused."""

    def find_class(self, module: str, name: str) -> Any:
        """A class or function that a pickle names.

        Raises:
            ValueError: it is none of those that arrays and numbers are made of.
        """
        if (module, name) not in HARMLESS:
            raise ValueError(f"asks for {module}.{name}, which an image has no need of: not read")
        return super().find_class(module, name)


def array_of(path: str | Path, key: str | None = None, beside: Collection[str] = ()) -> Images:
    """The image or images of a file, (H, W) or (N, H, W), as they lie in it.

    Args:
        path: .npy, .npz, HDF5, FITS or grey .png; a Zarr array or group.
        key: array of an npz, HDF5 or Zarr; by default the only one, or ``image``.
        beside: arrays of these that hold no images.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file holds no numbers of that shape, or what is not read.
    """
    path = Path(path)
    found = _found(path, key, beside)
    if found.dtype.kind not in "fiu" or found.ndim not in (2, 3):
        raise ValueError(
            f"{path}: holds {found.dtype} of shape {found.shape}; allowed are numbers of shape "
            "(H, W) or (N, H, W)"
        )
    return found


def _found(path: Path, key: str | None, beside: Collection[str]) -> Images:
    name = path.name.lower()
    if not path.exists():
        raise FileNotFoundError(f"{path}: there is no such file")
    if holds_named_arrays(path):
        return images_in(path, key, beside)
    if name.endswith(".npy"):
        found = _npy(path)
    elif name.endswith(FITS_ENDINGS):
        found = _fits(path)
    elif name.endswith(".png"):
        found = _png(path)
    else:
        raise ValueError(f"{path}: allowed are {', '.join(ENDINGS)} and Zarr")
    return found


def count(path: str | Path) -> int:
    """How many images a file holds, without reading more than it takes."""
    path = Path(path)
    if path.name.lower().endswith(".npy"):
        with path.open("rb") as stream:
            shape, _, dtype = _header(stream)
        if not dtype.hasobject:
            return shape[0] if len(shape) == 3 else 1
    if path.name.lower().endswith(".png"):
        return 1
    found = array_of(path)
    return found.shape[0] if found.ndim == 3 else 1


def _header(stream: Any) -> tuple[tuple[int, ...], bool, np.dtype]:
    version = npy.read_magic(stream)
    read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
    return read(stream)


def _npy(path: Path) -> np.ndarray:
    with path.open("rb") as stream:
        try:
            _, _, dtype = _header(stream)
            if not dtype.hasobject:
                return np.load(path, mmap_mode="r")
        except ValueError as error:
            raise ValueError(f"{path}: cannot be read ({error})") from None
        try:
            content = ArrayUnpickler(io.BytesIO(stream.read())).load()
        except (pickle.UnpicklingError, EOFError, AttributeError, TypeError) as error:
            raise ValueError(f"{path}: cannot be read ({error})") from None
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from None
    return _image_among(content, path)


def _image_among(content: Any, path: Path) -> np.ndarray:
    """The first image of what was pickled: a list such as [image, mass]."""
    parts = [content, *(content if isinstance(content, np.ndarray | list | tuple) else [])]
    for part in parts:
        if isinstance(part, np.ndarray) and part.dtype.kind in "fiu" and part.ndim == 2:
            return part
    raise ValueError(f"{path}: holds Python objects, none of which is an image")


def _fits(path: Path) -> np.ndarray:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AstropyWarning)
        try:
            with fits.open(path, memmap=False) as opened:
                planes = [np.asarray(e.data) for e in opened if _is_image(e)]  # type: ignore[attr-defined]
        except (OSError, ValueError, TypeError) as error:
            raise ValueError(f"{path}: cannot be read ({error})") from None
    if len(planes) != 1:
        raise ValueError(f"{path}: holds {len(planes)} images; one is needed")
    return planes[0].astype(planes[0].dtype.newbyteorder("="))


def _is_image(extension: Any) -> bool:
    data = getattr(extension, "data", None)
    return isinstance(data, np.ndarray) and data.dtype.kind in "fiu" and data.ndim in (2, 3)


def _png(path: Path) -> np.ndarray:
    with Image.open(path) as opened:
        if opened.mode not in ("L", "I", "I;16", "F"):
            raise ValueError(f"{path}: is of the kind {opened.mode}; allowed are grey images")
        return np.asarray(opened)
