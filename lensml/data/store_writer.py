"""Writing datasets: blocks by independent jobs, then one job that seals them.

A block is a whole chunk of the store, so parallel jobs never share a file. The job of a block
writes the chunk in place and its truth as a part beside the store; sealing collects the parts,
writes the Zarr metadata and the manifest.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from zarr.codecs import BytesCodec, Crc32cCodec
from zarr.storage import MemoryStore

from lensml.data.files import write_atomic, write_bytes
from lensml.data.manifest import DamagedStoreError, write_manifest
from lensml.data.store import CRC_BYTES

IMAGES = ("lens", "y", "x")  # dimensions, by which xarray opens a store
PERTURBERS, BOUNDARIES = ("perturber",), ("boundary",)


def chunk_file(store: str | Path, block: int, array: str = "image") -> Path:
    """File of a chunk of an array of images."""
    return Path(store) / array / "c" / str(block) / "0" / "0"


def encode_chunk(images: np.ndarray, images_per_chunk: int) -> bytes:
    """Bytes of an image chunk as Zarr writes them: little-endian float32, then crc32c.

    Args:
        images: (n, H, W) with n <= images_per_chunk; what is missing is NaN.
        images_per_chunk: rows of a full chunk.

    Raises:
        ValueError: too many images, or an image is not finite.
    """
    if not 0 < len(images) <= images_per_chunk:
        raise ValueError(f"a chunk holds 1 to {images_per_chunk} images, got {len(images)}")
    bad = np.flatnonzero(~np.isfinite(images).all(axis=(1, 2)))
    if bad.size:
        raise ValueError(f"image {bad[0]} of the block is not finite")
    content: dict[str, Any] = {}
    chunks = (images_per_chunk, *images.shape[1:])
    array = create_array(MemoryStore(content), "image", images.shape, chunks, "<f4")
    array[...] = images
    return content["image/c/0/0/0"].to_bytes()


def create_array(
    store: Any,
    name: str,
    shape: tuple[int, ...],
    chunks: tuple[int, ...],
    dtype: Any,
    dimensions: Sequence[str] | None = None,
    attributes: Mapping[str, Any] | None = None,
) -> zarr.Array:
    """An array of a dataset: plain bytes and a crc32c, NaN where nothing is written.

    Args:
        store: where to, as zarr takes it.
        name: in the store.
        shape, chunks, dtype: of the array.
        dimensions: names that xarray asks for, one per axis.
        attributes: of the array, written at once: a full disk leaves no other metadata.
    """
    kind = np.dtype(dtype).kind
    return zarr.create_array(
        store,
        name=name,
        shape=shape,
        chunks=chunks,
        dtype=dtype,
        filters=None,
        serializer=BytesCodec(endian="little"),
        compressors=[Crc32cCodec()],
        fill_value=np.nan if kind == "f" else 0,
        dimension_names=dimensions,
        attributes=dict(attributes or {}),
        zarr_format=3,
        overwrite=True,
    )


def write_block(
    chunk: str | Path,
    part: str | Path,
    *,
    images: np.ndarray,
    images_per_chunk: int,
    truth: Mapping[str, np.ndarray],
    offset: np.ndarray | None,
    perturbers: Mapping[str, np.ndarray],
) -> None:
    """Write one block: its chunk of images and its part of the truth.

    Args:
        chunk: file of the chunk inside the store.
        part: ``.npz`` file beside the store.
        images: (n, H, W) float32.
        images_per_chunk: rows of a full chunk.
        truth: column -> (n,).
        offset: (n+1,) int64, or None for a pool without perturbers.
        perturbers: column -> (P,).
    """
    arrays = {f"truth/{name}": column for name, column in truth.items()}
    arrays |= {f"perturbers/{name}": column for name, column in perturbers.items()}
    if offset is not None:
        arrays["offset"] = offset
    write_bytes(chunk, encode_chunk(images, images_per_chunk))
    write_atomic(part, lambda stream: np.savez(stream, **arrays))  # type: ignore[arg-type]


def seal_store(
    store: str | Path,
    parts: Sequence[str | Path],
    *,
    n_images: int,
    images_per_chunk: int,
    image_shape: tuple[int, int],
    attributes: Mapping[str, Any],
) -> None:
    """Turn written blocks into a complete store and write its manifest.

    Args:
        store: path of the Zarr group; its chunks are already there.
        parts: truth of every block, in order.
        n_images: in all blocks together.
        images_per_chunk: rows of a chunk.
        image_shape: (H, W).
        attributes: written to the group; ``units`` maps columns to units.

    Raises:
        DamagedStoreError: a chunk is missing or of the wrong size, or the counts do not add up.
    """
    store = Path(store)
    blocks = -(-n_images // images_per_chunk)
    check_chunks(store, blocks, images_per_chunk, image_shape)
    names = checked_columns(parts, n_images, images_per_chunk)
    group = zarr.open_group(store, mode="a", zarr_format=3)
    group.attrs.put(dict(attributes))
    for name in ("truth", "perturbers"):
        shutil.rmtree(store / name, ignore_errors=True)
    shape = (n_images, *image_shape)
    about = {"units": "e-/s per pixel", "long_name": "image of a lens"}
    write_metadata(store, "image", shape, images_per_chunk, about, IMAGES)
    units = attributes["units"]
    # One column at a time: all perturbers of a large dataset would fill the memory twice over.
    for name in names:
        folder, _, key = name.rpartition("/")
        unit = units[folder][key] if folder else ""
        column = joined(parts, name) if folder else _joined_offsets(parts)
        path = f"{folder or 'perturbers'}/{key}"
        write_column(group, path, column, {"units": unit}, _dimensions(folder))
    seal(store, n_images=n_images, images_per_chunk=images_per_chunk, image_shape=image_shape)


def _dimensions(folder: str) -> tuple[str, ...]:
    """Of a column of a folder; the one outside of any says where a lens's perturbers begin."""
    return {"truth": IMAGES[:1], "perturbers": PERTURBERS}.get(folder, BOUNDARIES)


def seal(
    store: Path, *, n_images: int, images_per_chunk: int, image_shape: tuple[int, int]
) -> None:
    """Write the manifest of a store of which everything else is written."""
    for leftover in store.rglob(".*.tmp"):  # of a writer that was killed
        leftover.unlink()
    files = [p for p in store.rglob("*") if p.is_file()]
    summary = {
        "n_images": n_images,
        "images_per_chunk": images_per_chunk,
        "image_shape": list(image_shape),
    }
    write_manifest(store, files, summary)


def check_chunks(
    store: Path, blocks: int, rows: int, image_shape: tuple[int, int], array: str = "image"
) -> None:
    """Refuse an array of images with chunks that are missing, and drop those beyond the last.

    Raises:
        DamagedStoreError: names the chunk.
    """
    size = rows * image_shape[0] * image_shape[1] * 4 + CRC_BYTES
    for block in range(blocks):
        file = chunk_file(store, block, array)
        found = file.stat().st_size if file.exists() else 0
        if found != size:
            raise DamagedStoreError(f"{file}: holds {found} bytes, should hold {size}")
    for folder in (store / array / "c").iterdir():  # left over from a larger dataset
        if not (folder.name.isdigit() and int(folder.name) < blocks):
            shutil.rmtree(folder)


def checked_columns(
    parts: Sequence[str | Path], n_images: int, rows: int, prefix: str = "truth/"
) -> list[str]:
    """Names of the arrays in every part, whose counts of images are checked.

    Args:
        parts: of every block, in order.
        n_images: in all blocks together.
        rows: images of a full block.
        prefix: of the names of arrays that hold one number per image.

    Raises:
        DamagedStoreError: the counts do not add up.
    """
    names, counts = [], []
    for part in parts:
        with np.load(part) as archive:  # no pickles: numpy's default
            names = archive.files
            counts.append(len(archive[next(n for n in names if n.startswith(prefix))]))
    expected = [min(rows, n_images - b * rows) for b in range(len(parts))]
    if counts != expected:
        raise DamagedStoreError(f"{parts[0]}: blocks hold {counts} images, should hold {expected}")
    return names


def _pieces(parts: Sequence[str | Path], name: str) -> Iterator[np.ndarray]:
    for part in parts:
        with np.load(part) as archive:
            yield archive[name]


def joined(parts: Sequence[str | Path], name: str) -> np.ndarray:
    """A column of all blocks."""
    return np.concatenate(list(_pieces(parts, name)))


def _joined_offsets(parts: Sequence[str | Path]) -> np.ndarray:
    lengths = np.concatenate([np.diff(offset) for offset in _pieces(parts, "offset")])
    return np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)


def write_metadata(
    store: Path,
    name: str,
    shape: tuple[int, ...],
    rows: int,
    attributes: Mapping[str, Any],
    dimensions: Sequence[str] | None = None,
) -> None:
    """Metadata of an array of images without touching its chunks.

    Args:
        store: path of the Zarr group.
        name: of the array.
        shape: (N, H, W).
        rows: images of a chunk.
        attributes: of the array.
        dimensions: see :func:`create_array`.
    """
    content: dict[str, Any] = {}
    chunks = (rows, *shape[1:])
    create_array(MemoryStore(content), name, shape, chunks, "<f4", dimensions, attributes)
    write_bytes(store / name / "zarr.json", content[f"{name}/zarr.json"].to_bytes())


def write_column(
    group: zarr.Group,
    name: str,
    column: np.ndarray,
    attributes: Mapping[str, Any],
    dimensions: Sequence[str] | None = None,
) -> None:
    """A column of one number per row, in one chunk.

    Args:
        group: of the store.
        name: of the array, in a folder or not.
        column: (N,).
        attributes: of the array.
        dimensions: see :func:`create_array`.
    """
    folder = name.rpartition("/")[0]
    place = group.require_group(folder) if folder else group
    rows = (max(len(column), 1),)
    about = (dimensions, attributes)
    array = create_array(place.store, name, column.shape, rows, column.dtype, *about)
    if len(column):
        array[...] = column
