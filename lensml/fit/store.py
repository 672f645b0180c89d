"""Fits of a store of images: block by block, then one job that seals them.

The fit of an image depends on that image, on what an observer knows of it and on the library of
starts alone, so that blocks can be fitted in any order, and be of any size, with the same result.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import zarr

from lensml import __version__
from lensml.data.files import write_atomic, write_bytes
from lensml.data.fits import FIT_SCHEMA_VERSION, MAPS, OUTCOMES, POTENTIAL_MAPS
from lensml.data.manifest import verify_files
from lensml.data.store import Store, open_store
from lensml.data.store_writer import (
    IMAGES,
    check_chunks,
    checked_columns,
    chunk_file,
    encode_chunk,
    joined,
    seal,
    write_column,
    write_metadata,
)
from lensml.fit.observed import observed
from lensml.fit.parameters import NAMES, PARAMETERS
from lensml.fit.smooth import FittedImage, SmoothFitter
from lensml.fit.starts import read_reference
from lensml.fit.statistics import STATISTICS
from lensml.schema.fit import Fit
from lensml.simulate.stored import domain_of

COPIED = ("domain", "substructure", "split", "seed", "instrument", "noise_model")
# Column -> type, what it is.
COLUMNS = {
    "chi2": (np.float64, "sum of squares of the residual over the degrees of freedom"),
    "evaluations": (np.int64, "of the model with its derivatives"),
    "converged": (np.bool_, "whether the fit ended because there was nothing more to gain"),
    "outcome": (np.int8, "what became of the image"),
    "z": (np.float64, "locally most powerful test of a small potential"),
    "evidence": (np.float64, "logarithm, of a potential of the chosen amplitude over none"),
}


def fit_block(
    images: str | Path,
    reference: str | Path,
    store: str | Path,
    part: str | Path,
    *,
    spec: Fit,
    start: int,
    stop: int,
) -> None:
    """Fit the images ``start`` to ``stop - 1`` of a store and write them as one block.

    Args:
        images: store of the images, sealed.
        reference: library of starts, see :func:`lensml.fit.starts.fit_reference`.
        store: of the fits; the block becomes a chunk of each of its arrays.
        part: ``.npz`` with the columns of the block.
        spec: of the fit.
        start, stop: indices of the images.

    Raises:
        DamagedStoreError: the images, or what is known of them, are not what was written.
        ValueError: the block is not a whole chunk, no Sersic profile fits the domain's sources,
            or the file of starts is not one.
    """
    opened = open_store(images, check=False)
    rows = _rows(opened)
    if start % rows:
        raise ValueError(f"block starts at image {start}, not at a multiple of {rows}")
    block = start // rows
    verify_files(images, [f"image/c/{block}/0/0", "truth", "zarr.json"])
    fitter = SmoothFitter(domain_of(opened), spec)
    fitted = list(fitter.fit(observed(opened, start, stop), read_reference(reference)))
    for name in _map_names(spec):
        chunk = encode_chunk(np.stack([_map(f, name) for f in fitted]), rows)
        write_bytes(chunk_file(store, block, name), chunk)
    columns = _columns(fitted, spec)
    write_atomic(part, lambda stream: np.savez(stream, **columns))  # type: ignore[arg-type]


def seal_fit(
    images: str | Path, store: str | Path, parts: Sequence[str | Path], *, spec: Fit
) -> None:
    """Make a store of its blocks.

    Args:
        images: store of the images.
        store: of the fits; its chunks are already there.
        parts: columns of every block, in order.
        spec: of the fit.

    Raises:
        DamagedStoreError: a chunk is missing or of the wrong size, or the counts do not add up.
    """
    store, opened = Path(store), open_store(images, check=False)
    n, rows, shape = len(opened), _rows(opened), opened.image.shape[1:]
    names = checked_columns(parts, n, rows, prefix="chi2")
    for name in _map_names(spec):
        check_chunks(store, -(-n // rows), rows, shape, name)
    for folder in store.iterdir():  # columns, and arrays of other settings
        if folder.is_dir() and folder.name not in _map_names(spec):
            shutil.rmtree(folder)
    group = zarr.open_group(store, mode="a", zarr_format=3)
    group.attrs.put(_attributes(opened, spec))
    for name in _map_names(spec):
        unit, description = MAPS[name]
        about = {"units": unit, "long_name": description}
        write_metadata(store, name, (n, *shape), rows, about, IMAGES)
    for name in names:
        write_column(group, name, joined(parts, name), _about(name), IMAGES[:1])
    seal(store, n_images=n, images_per_chunk=rows, image_shape=shape)


def _rows(images: Store) -> int:
    """Images of a chunk."""
    return images.attributes["config"]["images_per_block"]


def _map_names(spec: Fit) -> list[str]:
    return [name for name in MAPS if spec.potential is not None or name not in POTENTIAL_MAPS]


def _map(fitted: FittedImage, name: str) -> np.ndarray:
    """An array of an image; no convergence where no residual could be explained."""
    if name not in POTENTIAL_MAPS:
        return getattr(fitted, name)
    return (
        np.zeros_like(fitted.model)
        if fitted.explained is None
        else getattr(fitted.explained, name)
    )


def _columns(fitted: Sequence[FittedImage], spec: Fit) -> dict[str, np.ndarray]:
    """Every column of a block, (n,) each."""
    values: dict[str, Iterable[Any]] = {
        "chi2": [f.chi2 for f in fitted],
        "evaluations": [f.evaluations for f in fitted],
        "converged": [f.outcome == "fitted" for f in fitted],
        "outcome": [OUTCOMES.index(f.outcome) for f in fitted],
    }
    if spec.potential is not None:
        for name in ("z", "evidence"):
            found = [f.explained and getattr(f.explained, name) for f in fitted]
            values[name] = [np.nan if value is None else value for value in found]
    columns = {name: np.array(v, COLUMNS[name][0]) for name, v in values.items()}
    for folder, names in (("parameters", NAMES), ("errors", NAMES), ("statistics", STATISTICS)):
        table = np.stack([getattr(f, folder) for f in fitted])
        columns |= {f"{folder}/{name}": table[:, k] for k, name in enumerate(names)}
    return columns


def _attributes(images: Store, spec: Fit) -> dict[str, Any]:
    """What the images say of themselves, and how they were fitted."""
    known = {name: images.attributes[name] for name in COPIED if name in images.attributes}
    config = {
        "domain": images.attributes["config"]["domain"],
        "fit": spec.model_dump(),
        "images_per_block": _rows(images),
    }
    return {
        "fit_schema_version": FIT_SCHEMA_VERSION,
        "lensml_version": __version__,
        **known,
        "config": config,
    }


def _about(name: str) -> Mapping[str, Any]:
    """Attributes of a column; those of the outcome are the flags of the CF conventions."""
    folder, _, key = name.rpartition("/")
    if folder in ("parameters", "errors"):
        return {"units": next(p.unit for p in PARAMETERS if p.name == key)}
    about = {"units": "", "long_name": STATISTICS[key] if folder else COLUMNS[key][1]}
    if key != "outcome":
        return about
    flags = {"flag_values": list(range(len(OUTCOMES))), "flag_meanings": " ".join(OUTCOMES)}
    return {**about, **flags}
