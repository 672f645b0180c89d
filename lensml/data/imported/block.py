"""Images of files as a block of a store."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

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
    images = np.stack([_image(entry, domain.num_pix) * scale for entry in entries])
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


def _image(entry: Entry, num_pix: int) -> np.ndarray:
    found = array_of(entry.path)
    if entry.index >= 0:
        if found.ndim != 3 or entry.index >= len(found):
            raise ValueError(f"{entry.path}: holds no image {entry.index}")
        found = found[entry.index]
    if found.shape != (num_pix, num_pix):
        raise ValueError(
            f"{entry.path}: an image of shape {found.shape}, the domain's num_pix is {num_pix}"
        )
    if not np.isfinite(found).all():
        raise ValueError(f"{entry.group}: has pixels that are not finite")
    return found.astype(float)


def _rms(entry: Entry, image: np.ndarray, scale: float) -> float:
    if entry.background_rms is not None:
        return entry.background_rms * scale
    try:
        return border_rms(image, np.ones(image.shape, bool))
    except UnusableImageError as error:
        raise ValueError(
            f"{entry.group}: {error}; give background_rms in a table, or set "
            "instrument_changes.noise: none if the images have none"
        ) from None
