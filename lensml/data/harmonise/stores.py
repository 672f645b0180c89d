"""Stores of a pair of domains, brought to the camera that both can be brought to."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from lensml.data.harmonise.harmony import MEASURED, Harmony, Side, measured
from lensml.data.harmonise.noise import equalised, normal_numbers
from lensml.data.manifest import read_manifest
from lensml.data.store import Store, open_store
from lensml.data.store_writer import chunk_file, seal_store, write_block

PIECE = 64  # images at a time: they stay in the cache
# Of an image of the target: what an observer knows, and which images are of one system or galaxy.
OBSERVED = ("system_id", "source_galaxy", *MEASURED)
UNITS = {
    "system_id": "",
    "source_galaxy": "",
    "background_rms": "e-/s per pixel",
    "exposure_time": "s",
}
TARGET_ATTRIBUTES = (
    *("schema_version", "lensml_version", "domain", "substructure", "split", "seed"),
    "noise_model",
)


def harmonise_store(
    store: str | Path, output: str | Path, harmony: Harmony, *, side: Side, seed: int
) -> None:
    """Write a store's images as the common camera would have taken them.

    The result is an ordinary store, as many images in the same order. On the side of the source
    truth, perturbers and class follow, and the instrument that its configuration names is the
    common camera: rendering it again gives these images without noise. On the side of the target
    nothing is read or written but images and what an observer knows of them. ``background_rms``
    and ``exposure_time`` are such that the rule of the noise holds for the new images.

    Args:
        store: of one class, or a pool.
        output: path of the new store.
        harmony: of the pair.
        side: which the store is of.
        seed: of the noise that is added.

    Raises:
        ValueError: images are of another size than the camera's, without noise, or do not say how
            long they were exposed.
    """
    opened, output = open_store(store), Path(output)
    camera = harmony.source if side == "source" else harmony.target
    if opened.image.shape[1] != camera.num_pix:
        raise ValueError(
            f"{store}: images of {opened.image.shape[1]} pixels, the {side}'s camera has "
            f"{camera.num_pix}"
        )
    rows, num_pix = read_manifest(store)["images_per_chunk"], harmony.common.camera.num_pix
    parts = []
    for block, (start, stop) in enumerate(_blocks(len(opened), rows)):
        parts.append(output.with_name(f"{output.stem}.parts") / f"{block}.npz")
        offset, perturbers = _perturbers(opened, side, start, stop)
        write_block(
            chunk_file(output, block),
            parts[-1],
            images=_images(opened, harmony, side, seed, start, stop),
            images_per_chunk=rows,
            truth=_truth(opened, harmony, side, start, stop),
            offset=offset,
            perturbers=perturbers,
        )
    seal_store(
        output,
        parts,
        n_images=len(opened),
        images_per_chunk=rows,
        image_shape=(num_pix, num_pix),
        attributes=_attributes(opened, harmony, side, rows),
    )
    shutil.rmtree(parts[0].parent)  # all is in the store


def _blocks(n: int, rows: int) -> Iterator[tuple[int, int]]:
    for start in range(0, n, rows):
        yield start, min(start + rows, n)


def _images(
    opened: Store, harmony: Harmony, side: Side, seed: int, start: int, stop: int
) -> np.ndarray:
    """The images ``start`` to ``stop - 1`` in the common camera, float32."""
    n, operator = harmony.common.camera.num_pix, harmony.operator(side)
    known = measured(opened)
    out = np.empty((stop - start, n, n), np.float32)
    for first in range(start, stop, PIECE):
        last = min(first + PIECE, stop)
        out[first - start : last - start] = equalised(
            opened.image[np.arange(first, last)].astype(float),
            operator,
            harmony.noise,
            **{name: column[first:last] for name, column in known.items()},
            normal=normal_numbers(
                seed,
                side=side,
                split=opened.attributes["split"],
                start=first,
                stop=last,
                num_pix=n,
            ),
        )
    return out


def _truth(
    opened: Store, harmony: Harmony, side: Side, start: int, stop: int
) -> dict[str, np.ndarray]:
    kept = opened.truth if side == "source" else [k for k in OBSERVED if k in opened.truth]
    truth = {name: opened.truth[name][start:stop] for name in kept}
    for name in MEASURED:
        truth[name] = np.full(stop - start, getattr(harmony.noise, name))
    return truth


def _perturbers(
    opened: Store, side: Side, start: int, stop: int
) -> tuple[np.ndarray | None, Mapping[str, np.ndarray]]:
    offset = opened.perturber_offset
    if side == "target" or not len(offset):
        return None, {}
    first, last = int(offset[start]), int(offset[stop])
    return offset[start : stop + 1] - first, opened.perturbers.rows(first, last)


def _attributes(opened: Store, harmony: Harmony, side: Side, rows: int) -> dict[str, Any]:
    """Of the new store: where it comes from and what its camera is."""
    own = harmony.source if side == "source" else harmony.target
    made = {
        "side": side,
        "from": own.as_dict(),
        "camera": harmony.common.camera.as_dict(),
        "field": harmony.common.field,
        "noise": harmony.noise.as_dict(),
    }
    old = opened.attributes
    if side == "target":
        kept = {name: old[name] for name in TARGET_ATTRIBUTES if name in old}
        units = {name: UNITS[name] for name in OBSERVED if name in opened.truth}
        config = {"images_per_block": rows}
        return {**kept, "config": config, "units": {"truth": units}, "harmonised": made}
    config = dict(old["config"])
    if "domain" in config:
        instrument = _instrument(config["domain"]["instrument"], harmony)
        num_pix = harmony.common.camera.num_pix
        config["domain"] = {**config["domain"], "instrument": instrument, "num_pix": num_pix}
        old = {**old, "instrument": instrument}
    return {**old, "config": config, "harmonised": made}


def _instrument(own: Mapping[str, Any], harmony: Harmony) -> dict[str, Any]:
    """The common camera in the terms of :class:`lensml.schema.simulation.Instrument`."""
    camera, noise = harmony.common.camera, harmony.noise
    if len(camera.psf) > 2:
        raise ValueError(f"a PSF of {len(camera.psf)} Gaussians: an instrument has at most 2")
    core, *wings = sorted(camera.psf, key=lambda part: part.fwhm)
    wide = {"fraction": wings[0].share, "fwhm": wings[0].fwhm} if wings else None
    return {
        **own,
        "description": f"{own['description']}, harmonised",
        "pixel_scale": camera.pixel_scale,
        "psf_fwhm": core.fwhm,
        "psf_wings": wide,
        "magnitude_zero_point": camera.zero_point,
        "exposure_time": noise.exposure_time,
        "num_exposures": 1,
        "background_rms": noise.background_rms,
        "read_noise": None,
        "sky_brightness": None,
    }
