"""Files of named arrays: npz, HDF5 and Zarr, of which no more is read than is asked for."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import zarr

HDF5_ENDINGS = (".h5", ".hdf5")
ZARR_MARKS = ("zarr.json", ".zgroup", ".zarray")  # of version 3, and of version 2
IMAGE_KEYS = ("image", "images")  # of a file that has other arrays beside
BESIDE = ("background_rms", "exposure_time", "noise_map")  # what it may say of its images
MEMBERS = ("split", "group")  # where an image belongs
CHUNK_CACHE = 2**26  # bytes; h5py's own is smaller than a chunk of a hundred images
UNREADABLE = (  # what readers of damaged files raise
    *(OSError, RuntimeError, ValueError, KeyError, TypeError, EOFError),
    *(zipfile.BadZipFile, zlib.error),
)

Images = Any  # an array of numpy, h5py or zarr: each has a shape, a dtype and rows


def is_zarr(path: Path) -> bool:
    """Whether a folder is a Zarr array or group."""
    return path.is_dir() and any((path / mark).is_file() for mark in ZARR_MARKS)


def holds_named_arrays(path: Path) -> bool:
    """Whether a file is an npz, HDF5 or Zarr."""
    return path.name.lower().endswith((".npz", *HDF5_ENDINGS)) or is_zarr(path)


def images_in(path: Path, key: str | None = None, beside: Collection[str] = ()) -> Images:
    """The images of a file, of which rows are read when they are asked for.

    Args:
        path: .npz, HDF5, or a Zarr array or group.
        key: name of their array, ``group/name`` of one below; by default ``image`` or ``images``,
            or the only one.
        beside: arrays that hold none.

    Raises:
        ValueError: the file cannot be read, or does not say which array is that of the images.
    """
    arrays = _opened(path)
    if not isinstance(arrays, Mapping | zarr.Group):
        return arrays  # a Zarr array is all that there is
    names = _names(arrays)
    named = [name for name in IMAGE_KEYS if name in names]
    known = {*BESIDE, *MEMBERS, *beside}
    others = [name for name in names if name not in known and not _is_column(arrays, name)]
    keys = [key] if key else named or others
    if len(keys) != 1 or not _is_array(arrays, keys[0]):
        held = ", ".join(names) or "no array"
        lacks = f"and no array '{key}'" if key else "that of the images is to be called 'image'"
        raise ValueError(f"{path}: holds {held}{', ' if key else '; '}{lacks}")
    return _array(path, arrays, keys[0])


def array_in(path: Path, name: str) -> Images | None:
    """An array of a file by its name, of which rows are read when they are asked for.

    Raises:
        ValueError: the file cannot be read.
    """
    arrays = _opened(path) if holds_named_arrays(path) else {}
    named = isinstance(arrays, Mapping | zarr.Group)
    return _array(path, arrays, name) if named and _is_array(arrays, name) else None


def column_in(path: Path, name: str) -> np.ndarray | None:
    """An array (N,) or a number that lies beside images; None where there is none of that name.

    Raises:
        ValueError: the file cannot be read.
    """
    found = array_in(path, name)
    if found is None:
        return None
    if found.dtype.kind == "O" and hasattr(found, "asstr"):
        found = found.asstr()  # text in HDF5
    try:
        return np.asarray(found[()])
    except UNREADABLE as error:
        raise ValueError(f"{path}: {name} cannot be read ({_line(error)})") from None


def rows_of(images: Images, indices: np.ndarray, path: Path) -> np.ndarray:
    """Images at places in any order, (len(indices), H, W): every chunk of a file is read once.

    Raises:
        ValueError: a part of the file is damaged.
    """
    unique, inverse = np.unique(indices, return_inverse=True)
    try:
        if isinstance(images, zarr.Array):
            return np.asarray(images.oindex[unique])[inverse]
        return np.stack([np.asarray(images[i]) for i in unique])[inverse]
    except UNREADABLE as error:
        raise ValueError(f"{path}: cannot be read ({_line(error)})") from None


def _opened(path: Path) -> Any:
    """Arrays of a file by name, or the only one that there is."""
    try:
        if is_zarr(path):
            return zarr.open(path, mode="r")
        if path.name.lower().endswith(HDF5_ENDINGS):
            return _hdf5(path)
        if not zipfile.is_zipfile(path):
            raise ValueError("it is no whole npz")
        return np.load(path)
    except UNREADABLE as error:
        raise ValueError(f"{path}: cannot be read ({_line(error)})") from None


def _hdf5(path: Path) -> Any:
    try:
        import h5py
    except ImportError:
        raise ValueError("HDF5 needs h5py: pip install h5py") from None
    return h5py.File(path, "r", rdcc_nbytes=CHUNK_CACHE)


def _array(path: Path, arrays: Any, name: str) -> Images:
    try:
        return arrays[name]  # which an npz reads now
    except UNREADABLE as error:
        raise ValueError(f"{path}: {name} cannot be read ({_line(error)})") from None


def _names(arrays: Any) -> list[str]:
    """Of arrays, without those of groups below."""
    if isinstance(arrays, np.lib.npyio.NpzFile):
        return list(arrays.files)
    return sorted(name for name in arrays if _is_array(arrays, name))


def _is_array(arrays: Any, name: str) -> bool:
    if isinstance(arrays, np.lib.npyio.NpzFile):
        return name in arrays.files
    return name in arrays and hasattr(arrays[name], "shape")


def _is_column(arrays: Any, name: str) -> bool:
    """Whether an array has one value for each image; an npz says so only where it is read."""
    return not isinstance(arrays, np.lib.npyio.NpzFile) and arrays[name].ndim < 2


def _line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
