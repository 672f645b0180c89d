"""Images of files as a block of a store."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import numpy as np

from lensml.data.imported.arrays import rows_of
from lensml.data.imported.listing import Entry, entries_of
from lensml.data.imported.reading import array_of
from lensml.data.observed.errors import UnusableImageError
from lensml.data.observed.noise import border_rms
from lensml.data.store_writer import write_block
from lensml.schema.simulation import Domain


def import_block(
    chunk: str | Path,
    part: str | Path,
    *,
    domain: Domain,
    substructure: str,
    split: str,
    counts: Mapping[str, int],
    exposure: Mapping[str, float],
    seed: int,
    start: int,
    stop: int,
    images_per_block: int,
) -> None:
    """Write the images ``start`` to ``stop - 1`` of a class and split as one block.

    Of an image no more is known than its noise and exposure: the store has no other truth.

    Args:
        chunk: file of the chunk inside the store.
        part: what is known of the block, ``.npz``.
        domain: whose ``files`` say where images lie.
        substructure: class.
        split: 'train', 'val' or 'test'.
        counts: images of every split.
        exposure: the camera's ``background_rms`` (e-/s per pixel), for images without noise, and
            ``exposure_time`` (s), for images of which it is not known.
        seed: of the draw of splits.
        start, stop: indices of the images.
        images_per_block: rows of a full chunk.

    Raises:
        FileNotFoundError: files are missing.
        ValueError: there are too few images, or one cannot be used; names it and says why.
    """
    assert domain.files is not None
    entries = entries_of(domain.files, substructure, split, counts, seed=seed)[start:stop]
    scale = domain.files.flux_scale
    beside = [domain.files.labels or ""]
    images = _images(entries, domain.num_pix, domain.files.images, beside) * scale
    noiseless = domain.instrument.noise == "none"
    rms = [
        exposure["background_rms"] if noiseless else _rms(entry, image, scale)
        for entry, image in zip(entries, images, strict=True)
    ]
    times = [entry.exposure_time or exposure["exposure_time"] for entry in entries]
    truth = {
        "system_id": np.array([entry.system_id for entry in entries], np.int64),
        "background_rms": np.array(rms),
        "exposure_time": np.array(times, float),
    }
    write_block(
        chunk,
        part,
        images=images.astype(np.float32),
        images_per_chunk=images_per_block,
        truth=truth,
        offset=np.zeros(len(entries) + 1, np.int64),
        perturbers={},
    )


def _images(
    entries: Sequence[Entry], num_pix: int, key: str | None, beside: Collection[str]
) -> np.ndarray:
    """Images of the entries, (N, num_pix, num_pix); a file of many is opened once."""
    images = np.empty((len(entries), num_pix, num_pix))
    places: dict[Path, list[int]] = {}
    for i, entry in enumerate(entries):
        places.setdefault(entry.path, []).append(i)
    for path, rows in places.items():
        images[rows] = _of_file(path, [entries[i] for i in rows], num_pix, key, beside)
    bad = np.flatnonzero(~np.isfinite(images).all((1, 2)))
    if len(bad):
        raise ValueError(f"{entries[bad[0]].name}: has pixels that are not finite")
    return images


def _of_file(
    path: Path, entries: Sequence[Entry], num_pix: int, key: str | None, beside: Collection[str]
) -> np.ndarray:
    found = array_of(path, key, beside)
    indices = np.array([entry.index for entry in entries])
    held = found.shape[0] if found.ndim == 3 else 0
    missing = indices[indices >= held]
    if len(missing):
        raise ValueError(f"{path}: holds no image {missing[0]}")
    if held and (indices < 0).any():
        raise ValueError(f"{path}: holds {held} images; say which, as in {path.name}[0]")
    if found.shape[-2:] != (num_pix, num_pix):
        raise ValueError(
            f"{path}: an image of shape {found.shape[-2:]}, the domain's num_pix is {num_pix}"
        )
    return rows_of(found, indices, path) if held else np.asarray(found)[None]


def _rms(entry: Entry, image: np.ndarray, scale: float) -> float:
    if entry.background_rms is not None:
        return entry.background_rms * scale
    try:
        return border_rms(image, np.ones(image.shape, bool))
    except UnusableImageError as error:
        raise ValueError(
            f"{entry.name}: {error}; give background_rms in a table, or set "
            "instrument_changes.noise: none if the images have none"
        ) from None
