"""Stores of a pair of domains, brought to the camera that both can be brought to."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np

from lensml.data.files import write_json
from lensml.data.harmonise.camera import Camera, CommonCamera, common_camera
from lensml.data.harmonise.noise import NoiseFacts, equalised, noise_facts, normal_numbers
from lensml.data.harmonise.operators import Operator, operator_of
from lensml.data.manifest import read_manifest
from lensml.data.store import Store, open_store
from lensml.data.store_writer import chunk_file, seal_store, write_block

Side = Literal["source", "target"]

PIECE = 64  # images at a time: they stay in the cache
MEASURED = ("background_rms", "exposure_time")
OBSERVED = ("system_id", *MEASURED)  # what an observer knows of an image of the target
UNITS = {"system_id": "", "background_rms": "e-/s per pixel", "exposure_time": "s"}
TARGET_ATTRIBUTES = (
    *("schema_version", "lensml_version", "domain", "substructure", "split", "seed"),
    "noise_model",
)


@dataclass(frozen=True)
class Harmony:
    """What the sides of a pair agree on.

    Attributes:
        source, target: their cameras, known or fitted.
        common: where their images meet.
        source_noise, target_noise: of either side there, before any is added.
    """

    source: Camera
    target: Camera
    common: CommonCamera
    source_noise: NoiseFacts
    target_noise: NoiseFacts

    @property
    def noise(self) -> NoiseFacts:
        """That images of both sides have in the end."""
        return NoiseFacts.larger(self.source_noise, self.target_noise)

    def changes(self, side: Side) -> bool:
        """Whether images of a side become others; if not, its networks stay as they are."""
        own = self.source_noise if side == "source" else self.target_noise
        return not self.operator(side).is_identity or own != self.noise

    def operator(self, side: Side) -> Operator:
        """From a side's images to the common camera's."""
        return operator_of(self.source if side == "source" else self.target, self.common)

    def write(self, path: str | Path) -> None:
        """Write JSON atomically."""
        content = {
            "source": self.source.as_dict(),
            "target": self.target.as_dict(),
            "common": self.common.camera.as_dict(),
            "field": self.common.field,
            "source_noise": self.source_noise.as_dict(),
            "target_noise": self.target_noise.as_dict(),
        }
        write_json(path, content)

    @classmethod
    def read(cls, path: str | Path) -> Self:
        """Inverse of :meth:`write`."""
        content = json.loads(Path(path).read_text())
        return cls(
            source=Camera.from_dict(content["source"]),
            target=Camera.from_dict(content["target"]),
            common=CommonCamera(Camera.from_dict(content["common"]), content["field"]),
            source_noise=NoiseFacts(**content["source_noise"]),
            target_noise=NoiseFacts(**content["target_noise"]),
        )


def agree(
    source: Camera,
    target: Camera,
    source_stores: Sequence[str | Path],
    target_stores: Sequence[str | Path],
) -> Harmony:
    """What the sides of a pair agree on; of the images their noise and exposure is read alone.

    Args:
        source, target: cameras.
        source_stores, target_stores: whose noisiest image sets the noise; the target's may be its
            pool.

    Raises:
        ValueError: a store does not say how long it was exposed, or has no noise.
    """
    common = common_camera(source, target)
    facts = []
    for camera, stores in ((source, source_stores), (target, target_stores)):
        measured = [_measured(open_store(path, check=False)) for path in stores]
        columns = (np.concatenate([m[name] for m in measured]) for name in MEASURED)
        facts.append(noise_facts(operator_of(camera, common), *columns))
    return Harmony(source, target, common, *facts)


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
    rows = read_manifest(store)["images_per_chunk"]
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
        image_shape=(harmony.common.camera.num_pix,) * 2,
        attributes=_attributes(opened, harmony, side, rows),
    )
    shutil.rmtree(parts[0].parent)  # all is in the store


def _blocks(n: int, rows: int) -> Iterator[tuple[int, int]]:
    for start in range(0, n, rows):
        yield start, min(start + rows, n)


def _measured(opened: Store) -> dict[str, np.ndarray]:
    """Noise and exposure of every image."""
    if opened.attributes.get("noise_model") == "none":
        raise ValueError(f"{opened.path}: its images have no noise, nothing to harmonise")
    missing = [name for name in MEASURED if name not in opened.truth]
    if missing:
        raise ValueError(
            f"{opened.path}: does not hold {', '.join(missing)} of its images; a pool of an "
            "older lensml is to be made again"
        )
    return {name: opened.truth[name] for name in MEASURED}


def _images(
    opened: Store, harmony: Harmony, side: Side, seed: int, start: int, stop: int
) -> np.ndarray:
    """The images ``start`` to ``stop - 1`` in the common camera, float32."""
    n, operator = harmony.common.camera.num_pix, harmony.operator(side)
    measured = _measured(opened)
    out = np.empty((stop - start, n, n), np.float32)
    for first in range(start, stop, PIECE):
        last = min(first + PIECE, stop)
        out[first - start : last - start] = equalised(
            opened.image[np.arange(first, last)].astype(float),
            operator,
            harmony.noise,
            **{name: column[first:last] for name, column in measured.items()},
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
