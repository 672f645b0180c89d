"""Images that a user has in files: npy, npz, HDF5, Zarr, FITS, folders, lists; batch by batch.

Images are those of a network's camera: its number of pixels and its pixel scale, e-/s per pixel,
sky subtracted. (Cut-outs with pixels of their own go through ``snakemake observed``.) A file that
cannot be read is a batch that says why.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from glob import glob, has_magic
from pathlib import Path
from typing import Any

import numpy as np
import zarr

from lensml.data.imported.arrays import (
    BESIDE,
    HDF5_ENDINGS,
    IMAGE_KEYS,
    ZARR_MARKS,
    Images,
    array_in,
    column_in,
    holds_named_arrays,
    images_in,
    is_zarr,
)
from lensml.data.imported.reading import FITS_ENDINGS, array_of
from lensml.data.observed.errors import UnusableImageError
from lensml.data.observed.planes import read_plane
from lensml.data.observed.scale import scale_of
from lensml.data.store import open_store
from lensml.fit.observed import observed

ENDINGS = (".npy", ".npz", *HDF5_ENDINGS, *FITS_ENDINGS)  # a picture has no e-/s
NOISE_MAP = "noise_map"  # rms of every pixel, e-/s
KNOWN = BESIDE[:2]  # background_rms (e-/s per pixel) and exposure_time (s)
SAME_SCALE = 1.02  # ratio of pixel scales below which they are one


@dataclass(frozen=True)
class Batch:
    """Images that were read together.

    Attributes:
        names: (N,) file, and the place in it where it holds several.
        images: (N, H, W) e-/s per pixel.
        background_rms, exposure_time: (N,), NaN where nothing says so.
        noise_map: (N, H, W) rms of every pixel, e-/s, or None.
        subtracted: (N, H, W) light of the lens that is not in the images any more, e-/s per
            pixel, or None.
        problem: why none of them can be used; empty where they can.
    """

    names: list[str]
    images: np.ndarray = field(repr=False)
    background_rms: np.ndarray
    exposure_time: np.ndarray
    noise_map: np.ndarray | None = field(default=None, repr=False)
    subtracted: np.ndarray | None = field(default=None, repr=False)
    problem: str = ""

    def __len__(self) -> int:
        return len(self.names)

    @classmethod
    def unusable(cls, name: str, problem: str) -> Batch:
        """Of an image that cannot be read."""
        nothing = np.full(1, np.nan)
        return cls([name], np.zeros((1, 0, 0)), nothing, nothing, problem=problem)


@dataclass(frozen=True)
class Source:
    """Where images lie.

    Attributes:
        path: of a file or store.
        known: what a list says of its image, by name in ``KNOWN``.
        noise_map: file of the rms of its pixels, where a list names one.
        array: name of the array of images, in a file of many.
    """

    path: Path
    known: dict[str, float] = field(default_factory=dict)
    noise_map: Path | None = None
    array: str | None = None


def sources_of(images: Iterable[str | Path], array: str | None = None) -> list[Source]:
    """Files and stores that are meant, in the order given; a folder's are sorted.

    Args:
        images: files, stores, folders of these, patterns such as ``cutouts/*.fits``, and lists:
            CSV files with a column ``image`` (beside the list, or absolute) and, where they are
            known, ``background_rms``, ``exposure_time`` and ``noise_map`` (a file).
        array: name of the array of images in npz, HDF5 and Zarr files that hold many.

    Raises:
        FileNotFoundError: a pattern or folder matches nothing.
        ValueError: a list has no column ``image``, or a number in it is none.
    """
    found: list[Source] = []
    for given in map(str, images):
        path = Path(given)
        if is_zarr(path) or path.is_file():
            found += _listed(path) if path.suffix == ".csv" else [Source(path)]
        elif path.is_dir():
            found += [Source(each) for each in _in_folder(path)]
        elif has_magic(given):
            matched = sorted(glob(given, recursive=True))  # noqa: PTH207 - absolute, too
            if not matched:
                raise FileNotFoundError(f"{given}: matches no file")
            found += sources_of(matched)
        else:
            found.append(Source(path))  # which a row says is missing
    return [replace(source, array=array) for source in found]


def count(sources: Sequence[Source]) -> int:
    """How many images they hold, for a progress bar; one of a file that cannot be read."""
    return sum(_length(source) for source in sources)


def read_batches(sources: Iterable[Source], *, size: int, pixel_scale: float) -> Iterator[Batch]:
    """Images in their order.

    Args:
        sources: where they lie.
        size: most images of a batch.
        pixel_scale: arcsec, of the network's camera: a FITS header that says another is refused.
    """
    for source in sources:
        try:
            yield from _read(source, size, pixel_scale)
        except (OSError, RuntimeError, ValueError, KeyError, EOFError) as error:
            yield Batch.unusable(str(source.path), " ".join(str(error).split()))


def _is_store(path: Path) -> bool:
    """Whether a Zarr group is one that lensml wrote, which is checked where it is read."""
    mark = path / "zarr.json"
    return mark.is_file() and "lensml_version" in mark.read_text(errors="replace")


def _in_folder(folder: Path) -> list[Path]:
    """Images of a folder and those below it, stores among them."""
    stores = sorted({p.parent for m in ZARR_MARKS for p in folder.rglob(m) if _is_whole(p.parent)})
    inside = {str(store) for store in stores}
    files = [
        path
        for path in sorted(folder.rglob("*"))
        if path.name.lower().endswith(ENDINGS) and not inside.intersection(map(str, path.parents))
    ]
    if not stores + files:
        allowed = ", ".join(ENDINGS)
        raise FileNotFoundError(f"{folder}: holds no image; allowed are {allowed} and Zarr")
    return [*stores, *files]


def _is_whole(path: Path) -> bool:
    """Whether a Zarr folder is a group with images, or an array that is in no group."""
    if any(is_zarr(path / key) for key in IMAGE_KEYS):
        return True
    return not is_zarr(path.parent) and not isinstance(zarr.open(path, mode="r"), zarr.Group)


def _listed(path: Path) -> list[Source]:
    with path.open(newline="", encoding="utf-8-sig") as stream:
        rows = list(csv.DictReader(stream))
    if not rows or "image" not in rows[0]:
        raise ValueError(f"{path}: a list of images has a column 'image' and a row for each")
    found = []
    for number, row in enumerate(rows, start=2):
        try:
            known = {name: float(row[name]) for name in KNOWN if row.get(name)}
        except ValueError as error:
            raise ValueError(f"{path}, line {number}: {error}") from None
        noise = path.parent / row[NOISE_MAP] if row.get(NOISE_MAP) else None
        found.append(Source(path.parent / row["image"], known, noise))
    return found


def _length(source: Source) -> int:
    path = source.path
    try:
        if _is_store(path):
            return len(open_store(path, check=False))
        if path.suffix == ".npy":
            shape = np.load(path, mmap_mode="r").shape
        elif path.name.lower().endswith(HDF5_ENDINGS) or is_zarr(path):
            shape = images_in(path, source.array).shape
        else:
            return 1
    except (OSError, RuntimeError, ValueError):
        return 1
    return shape[0] if len(shape) == 3 else 1


def _read(source: Source, size: int, pixel_scale: float) -> Iterator[Batch]:
    path = source.path
    if _is_store(path):
        yield from _from_store(path, size)
        return
    images, known = _content(source, pixel_scale)
    if source.noise_map is not None:
        known[NOISE_MAP] = _content(Source(source.noise_map), pixel_scale)[0]
    yield from _batches(path, images, {**known, **source.known}, size)


def _content(source: Source, pixel_scale: float) -> tuple[Images, dict[str, Any]]:
    """Images of a file, and what it says of them."""
    path = source.path
    name = path.name.lower()
    if path.is_file() and not name.endswith(ENDINGS):
        raise ValueError(f"{path}: allowed are {', '.join(ENDINGS)} and Zarr")
    if name.endswith(FITS_ENDINGS):
        return _from_fits(path, pixel_scale), {}
    images = array_of(path, source.array)
    if not holds_named_arrays(path):
        return images, {}
    beside = {key: column_in(path, key) for key in KNOWN}
    beside[NOISE_MAP] = array_in(path, NOISE_MAP)
    return images, {key: found for key, found in beside.items() if found is not None}


def _batches(path: Path, images: Images, known: dict[str, Any], size: int) -> Iterator[Batch]:
    noise: Images | None = known.get(NOISE_MAP)
    if noise is not None and noise.shape != images.shape:
        raise ValueError(f"its noise map has shape {noise.shape}, the image {images.shape}")
    single = images.ndim == 2
    if single:
        images = np.asarray(images)[None]
        noise = None if noise is None else np.asarray(noise)[None]
    n = images.shape[0]
    rms, times = (np.broadcast_to(np.asarray(known.get(key, np.nan), float), n) for key in KNOWN)
    for start in range(0, n, size):
        rows = slice(start, min(start + size, n))
        names = [f"{path}[{i}]" for i in range(rows.start, rows.stop)]
        yield Batch(
            [str(path)] if single else names,
            np.asarray(images[rows], dtype=np.float32),
            rms[rows],
            times[rows],
            noise_map=None if noise is None else np.asarray(noise[rows], dtype=float),
        )


def _from_fits(path: Path, pixel_scale: float) -> np.ndarray:
    plane = read_plane(str(path), None)
    try:
        scale = scale_of(plane, None)
    except UnusableImageError:  # it says none: the image is taken for one of the network's camera
        return plane.array
    ratio = scale.arcsec / pixel_scale
    if max(ratio, 1 / ratio) > SAME_SCALE:
        raise ValueError(
            f"its header says {scale.arcsec:.4g} arcsec per pixel, the network's camera has "
            f"{pixel_scale:.4g}; cut-outs with pixels of their own go through snakemake observed"
        )
    return plane.array


def _from_store(path: Path, size: int) -> Iterator[Batch]:
    store = open_store(path)
    for start in range(0, len(store), size):
        stop = min(start + size, len(store))
        images = observed(store, start, stop)
        yield Batch(
            [f"{path}[{i}]" for i in range(start, stop)],
            images.image,
            images.background_rms.astype(float),
            images.exposure_time.astype(float),
            subtracted=images.subtracted,
        )
