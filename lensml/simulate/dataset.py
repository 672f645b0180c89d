"""Datasets of a class and split: simulating a block, sealing the store, pooling without labels."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from lensml import __version__
from lensml.data.store import SCHEMA_VERSION, open_store
from lensml.data.store_writer import chunk_file, seal_store, write_block
from lensml.schema.simulation import Domain
from lensml.simulate.noise import NOISE_MODEL, add_noise
from lensml.simulate.render import render, with_lens_light
from lensml.simulate.substructure import perturber_profile
from lensml.simulate.systems import TRUTH_UNITS, draw_systems, perturber_units

KNOWN_OF_A_POOL = ("background_rms", "exposure_time")  # an observer measures both


def simulate_block(
    chunk: str | Path,
    part: str | Path,
    *,
    domain: Domain,
    substructure: str,
    split: str,
    seed: int,
    start: int,
    stop: int,
    images_per_block: int,
    engine: str,
    precision: str,
) -> None:
    """Simulate the images ``start`` to ``stop - 1`` and write them as one block.

    Args:
        chunk: file of the chunk inside the store.
        part: truth of the block, ``.npz``.
        domain: camera, sampling and population.
        substructure: class.
        split: 'train', 'val' or 'test'.
        seed: of the run.
        start, stop: indices of the images.
        images_per_block: rows of a full chunk; ``start`` must be a multiple.
        engine, precision: see :func:`lensml.simulate.render.render`.

    Raises:
        ValueError: the block is not a whole chunk, or an image is not finite.
    """
    if start % images_per_block:
        raise ValueError(f"block starts at image {start}, not at a multiple of {images_per_block}")
    systems = draw_systems(domain, substructure, seed=seed, split=split, start=start, stop=stop)
    clean = render(systems, domain, engine=engine, precision=precision)
    clean, subtracted = with_lens_light(clean, systems, domain, precision=precision)
    if domain.instrument.noise == "none":
        noisy = clean.astype(np.float32)
    else:
        where = {"seed": seed, "domain": domain.name, "split": split, "start": start}
        noisy = add_noise(clean, systems, **where, subtracted=subtracted)
    write_block(
        chunk,
        part,
        images=noisy,
        images_per_chunk=images_per_block,
        truth=systems.truth,
        offset=systems.offset,
        perturbers=systems.perturbers,
    )


def seal_dataset(
    store: str | Path,
    parts: Sequence[str | Path],
    *,
    domain: Domain,
    substructure: str,
    split: str,
    seed: int,
    n_images: int,
    images_per_block: int,
    engine: str,
    precision: str,
) -> None:
    """Make a store of its blocks; see :func:`simulate_block` for the arguments."""
    units = perturber_units(domain, substructure)
    attributes = {
        "schema_version": SCHEMA_VERSION,
        "lensml_version": __version__,
        "domain": domain.name,
        "substructure": substructure,
        "split": split,
        "seed": seed,
        "config": {
            "domain": domain.model_dump(),
            "engine": engine,
            "precision": precision,
            "images_per_block": images_per_block,
        },
        "instrument": domain.instrument.model_dump(),
        "noise_model": NOISE_MODEL if domain.instrument.noise != "none" else "none",
        "perturber_profile": perturber_profile(domain, substructure),
        "units": {"truth": TRUTH_UNITS, "perturbers": units},
    }
    seal_store(
        store,
        parts,
        n_images=n_images,
        images_per_chunk=images_per_block,
        image_shape=(domain.num_pix, domain.num_pix),
        attributes=attributes,
    )


def pool_unlabelled(store: str | Path, labelled: Sequence[str | Path], *, seed: int) -> None:
    """Mix the images of every class into a store that holds no label and no truth.

    What adaptation may know of a target image is what its observer does: the image, its background
    and how long it was exposed. The order is a permutation drawn from ``seed``.

    Args:
        store: path of the pool.
        labelled: stores of one domain and split, one per class.
        seed: of the run.
    """
    stores = [open_store(path) for path in labelled]
    sizes = np.cumsum([0, *(len(s) for s in stores)])
    known = {k: np.concatenate([s.truth[k] for s in stores]) for k in KNOWN_OF_A_POOL}
    rows = stores[0].attributes["config"]["images_per_block"]
    order = pool_order(int(sizes[-1]), seed)
    store = Path(store)
    parts = []
    for block, start in enumerate(range(0, len(order), rows)):
        chosen = order[start : start + rows]
        part = store.with_name(f"{store.stem}.parts") / f"{block}.npz"
        _write_pool_block(chunk_file(store, block), part, chosen, stores, sizes, known, rows)
        parts.append(part)
    first: dict[str, Any] = stores[0].attributes
    attributes = {
        k: first[k] for k in ("schema_version", "lensml_version", "domain", "split", "seed")
    }
    attributes |= {"units": {"truth": {name: TRUTH_UNITS[name] for name in KNOWN_OF_A_POOL}}}
    seal_store(
        store,
        parts,
        n_images=len(order),
        images_per_chunk=rows,
        image_shape=stores[0].image.shape[1:],
        attributes=attributes,
    )
    shutil.rmtree(parts[0].parent)  # a pool does not grow block by block


def pool_order(n: int, seed: int) -> np.ndarray:
    """Which of the labelled images, one class after the other, each image of a pool is, (n,)."""
    return np.random.default_rng(seed).permutation(n)


def _write_pool_block(
    chunk: Path,
    part: Path,
    chosen: np.ndarray,
    stores: Sequence[Any],
    sizes: np.ndarray,
    known: Mapping[str, np.ndarray],
    rows: int,
) -> None:
    """Write one block of a pool: the images whose global indices are ``chosen``."""
    images = np.empty((len(chosen), *stores[0].image.shape[1:]), np.float32)
    owner = np.searchsorted(sizes, chosen, side="right") - 1
    for k, opened in enumerate(stores):
        mask = owner == k
        images[mask] = opened.image[chosen[mask] - sizes[k]]
    truth = {name: column[chosen] for name, column in known.items()}
    write_block(
        chunk, part, images=images, images_per_chunk=rows, truth=truth, offset=None, perturbers={}
    )
