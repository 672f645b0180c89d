"""Fits of a pool without labels: those of every class, in the order of the pool's images."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import zarr

from lensml.data.files import write_bytes
from lensml.data.fits import MAPS, Fits, open_fits
from lensml.data.manifest import read_manifest
from lensml.data.store import open_store
from lensml.data.store_writer import (
    IMAGES,
    chunk_file,
    encode_chunk,
    seal,
    write_column,
    write_metadata,
)
from lensml.simulate.dataset import pool_order

LEFT_OUT = ("model",)  # of no use to a network, and as large as the images


def pool_fits(
    pool: str | Path, store: str | Path, labelled: Sequence[str | Path], *, seed: int
) -> None:
    """Mix the fits of every class as :func:`lensml.simulate.dataset.pool_unlabelled` mixes images.

    Args:
        pool: store of the images without labels.
        store: of their fits, to be written.
        labelled: stores of fits of one domain and split, one per class.
        seed: of the run, which the pool's order follows from.

    Raises:
        ValueError: the pool is not made of as many images as there are fits.
    """
    images, fits = open_store(pool, check=False), [open_fits(path) for path in labelled]
    sizes = np.cumsum([0, *(len(f) for f in fits)])
    if sizes[-1] != len(images):
        raise ValueError(f"{pool}: {len(images)} images for {sizes[-1]} fits")
    store, order = Path(store), pool_order(len(images), seed)
    rows, shape = read_manifest(pool)["images_per_chunk"], images.image.shape[1:]
    names = [name for name in MAPS if name in fits[0].maps and name not in LEFT_OUT]
    for block, start in enumerate(range(0, len(order), rows)):
        chosen = order[start : start + rows]
        for name in names:
            chunk = encode_chunk(_taken(fits, sizes, chosen, name), rows)
            write_bytes(chunk_file(store, block, name), chunk)
    group = zarr.open_group(store, mode="a", zarr_format=3)
    group.attrs.put({**fits[0].attributes, "substructure": images.path.parent.name})
    for name in names:
        unit, description = MAPS[name]
        about = {"units": unit, "long_name": description}
        write_metadata(store, name, (len(order), *shape), rows, about, IMAGES)
    for name in ("chi2", "outcome"):
        column = np.concatenate([f.columns[name] for f in fits])[order]
        write_column(group, name, column, {"units": ""}, IMAGES[:1])
    for name in ("parameters", "errors", "statistics"):
        group.require_group(name)
    seal(store, n_images=len(order), images_per_chunk=rows, image_shape=shape)


def _taken(fits: Sequence[Fits], sizes: np.ndarray, chosen: np.ndarray, name: str) -> np.ndarray:
    """A map of the images whose global indices are ``chosen``, (len(chosen), H, W)."""
    out = np.empty((len(chosen), *fits[0].maps[name].shape[1:]), np.float32)
    owner = np.searchsorted(sizes, chosen, side="right") - 1
    for k, one in enumerate(fits):
        mask = owner == k
        out[mask] = one.maps[name][chosen[mask] - sizes[k]]
    return out
