"""Reading datasets: a Zarr v3 group whose image chunks are plain enough to be memory-mapped."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import zarr

from lensml.data.manifest import DamagedStoreError, read_manifest, verify

SCHEMA_VERSION = 1
CRC_BYTES = 4  # crc32c at the end of every chunk
DATASETS = "datasets"  # folder of <domain>/<class>/<split>.zarr


class ChunkedImages:
    """Images of a store as one array, mapped from its chunk files.

    Reading a random image through ``zarr`` decodes its whole chunk; mapped chunks are 50 to 1000
    times faster. Index with an array of integers, or with a slice.
    """

    def __init__(self, chunks: list[np.ndarray], rows: int, n_images: int) -> None:
        self._chunks = chunks
        self._rows = rows
        self.shape = (n_images, *chunks[0].shape[1:])

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, index: np.ndarray | slice) -> np.ndarray:
        """Images at ``index`` (any order), (len(index), H, W) float32."""
        index = np.arange(len(self))[index] if isinstance(index, slice) else np.asarray(index)
        if index.dtype == bool:
            raise IndexError("index images with integers, not with a mask")
        if index.size and (index.min() < 0 or index.max() >= len(self)):
            raise IndexError(f"image index outside 0 to {len(self) - 1}")
        out = np.empty((len(index), *self.shape[1:]), np.float32)
        chunk = index // self._rows
        for c in np.unique(chunk):
            mask = chunk == c
            out[mask] = self._chunks[c][index[mask] - c * self._rows]
        return out

    def load(self) -> np.ndarray:
        """Every image in memory, (N, H, W) float32."""
        return np.concatenate(self._chunks)


class Columns(Mapping[str, np.ndarray]):
    """Columns that are read when they are asked for: subhalos outweigh images in memory."""

    def __init__(self, arrays: dict[str, zarr.Array]) -> None:
        self._arrays = arrays

    def __getitem__(self, name: str) -> np.ndarray:
        return np.asarray(self._arrays[name][...])

    def __iter__(self) -> Iterator[str]:
        return iter(self._arrays)

    def __len__(self) -> int:
        return len(self._arrays)

    def rows(self, start: int, stop: int) -> dict[str, np.ndarray]:
        """Rows ``start`` to ``stop - 1`` of every column."""
        return {name: np.asarray(array[start:stop]) for name, array in self._arrays.items()}


@dataclass(frozen=True)
class Store:
    """An opened dataset.

    Attributes:
        path: of the Zarr group.
        attributes: domain, class, split, seed, configuration, units.
        image: (N, H, W) float32, e-/s per pixel.
        truth: column -> (N,).
        perturber_offset: (N+1,) int64, empty for a pool without labels.
        perturbers: column -> (P,), read when asked for.
    """

    path: Path
    attributes: dict[str, Any]
    image: ChunkedImages
    truth: dict[str, np.ndarray]
    perturber_offset: np.ndarray
    perturbers: Columns

    def __len__(self) -> int:
        return len(self.image)


def open_store(path: str | Path, *, check: bool = True) -> Store:
    """Open a sealed dataset.

    Args:
        path: of the ``{split}.zarr`` group.
        check: compare every file with the manifest first.

    Raises:
        DamagedStoreError: the store is incomplete, damaged, of another layout, or lies where
            another dataset belongs.
    """
    path = Path(path)
    manifest = verify(path) if check else read_manifest(path)
    try:
        group = zarr.open_group(path, mode="r")
        attributes = dict(group.attrs)
        if attributes["schema_version"] != SCHEMA_VERSION:
            raise DamagedStoreError(
                f"{path}: layout version {attributes['schema_version']}, "
                f"this lensml reads {SCHEMA_VERSION}; simulate the dataset again"
            )
        check_place(path, attributes, DATASETS)
        truth = {name: np.asarray(array[...]) for name, array in _arrays(group, "truth").items()}
        perturbers = _arrays(group, "perturbers")
        offset = perturbers.pop("offset", None)
        offset = np.zeros(0, np.int64) if offset is None else np.asarray(offset[...])
    except (KeyError, OSError, ValueError) as error:
        if isinstance(error, DamagedStoreError):
            raise
        raise DamagedStoreError(f"{path}: not a lensml dataset ({error})") from None
    return Store(
        path=path,
        attributes=attributes,
        image=map_images(path, manifest),
        truth=truth,
        perturber_offset=offset,
        perturbers=Columns(perturbers),
    )


def check_place(path: Path, attributes: Mapping[str, Any], folder: str) -> None:
    """Refuse a store under the name of another: labels come from where a store lies.

    Its manifest moves with a store, and vouches for it wherever it is.

    Args:
        path: of the store.
        attributes: its own.
        folder: name of the one in which <domain>/<class>/<split>.zarr must be what it says.

    Raises:
        DamagedStoreError: it is not.
    """
    *above, domain, substructure, file = path.absolute().parts
    if not above or above[-1] != folder:
        return
    place = {"domain": domain, "substructure": substructure, "split": Path(file).stem}
    for name, expected in place.items():
        found = attributes.get(name, expected)
        if found != expected:
            raise DamagedStoreError(
                f"{path}: holds {name} '{found}', which does not belong there: "
                "two datasets were exchanged, or a folder was renamed"
            )


def _arrays(group: zarr.Group, name: str) -> dict[str, zarr.Array]:
    """Arrays by name, in the order of names: that of a folder's entries differs between disks."""
    return dict(sorted(group[name].arrays())) if name in group else {}  # type: ignore[union-attr]


def map_images(path: Path, manifest: dict[str, Any], array: str = "image") -> ChunkedImages:
    """An array of images of a store, mapped from its chunk files."""
    n, rows = manifest["n_images"], manifest["images_per_chunk"]
    height, width = manifest["image_shape"]
    chunks = []
    for c in range(-(-n // rows)):
        file = path / array / "c" / str(c) / "0" / "0"
        mapped = np.memmap(file, "<f4", "r", shape=(rows, height, width))
        chunks.append(mapped[: min(rows, n - c * rows)])
    return ChunkedImages(chunks, rows, n)
