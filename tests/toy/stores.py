"""Sealed stores of a few small images, for the tests of training and evaluation."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from lensml.data.store import SCHEMA_VERSION
from lensml.data.store_writer import chunk_file, seal_store, write_block
from lensml.schema.encoders import NetworkInput
from lensml.schema.training import Compute
from lensml.training.engine.setting import Setting

NETWORK_INPUT = NetworkInput(stretch="asinh", noise_units=5.0, scale=2.0, center_crop=None)
IN_MEMORY = 0.5  # max_memory_fraction
MAPPED = 1e-15  # so little memory that every image stays on disk
RMS = 0.1  # e-/s per pixel
EXPOSURE = 50.0  # s: a pixel of 5 background rms has twice the background's variance


def write_store(
    path: Path,
    images: np.ndarray,
    *,
    truth: Mapping[str, np.ndarray] | None = None,
    perturbers: Mapping[str, np.ndarray] | None = None,
    offset: np.ndarray | None = None,
    substructure: str = "no_sub",
    images_per_block: int = 16,
    noise_model: str = "gaussian",
) -> str:
    """Write (N, H, W) images as a sealed store and return its path."""
    n = len(images)
    columns = {
        "system_id": np.arange(n),
        "background_rms": np.full(n, RMS),
        "exposure_time": np.full(n, EXPOSURE),
        "theta_E": np.full(n, 1.2),
        "theta_E_total": np.full(n, 1.2),
        **(truth or {}),
    }
    perturbers = dict(perturbers or {})
    offset = np.zeros(n + 1, np.int64) if offset is None else offset
    parts = []
    for block, start in enumerate(range(0, n, images_per_block)):
        stop = min(start + images_per_block, n)
        parts.append(path.with_name(f"{path.stem}.parts") / f"{block}.npz")
        write_block(
            chunk_file(path, block),
            parts[-1],
            images=images[start:stop].astype(np.float32),
            images_per_chunk=images_per_block,
            truth={k: v[start:stop] for k, v in columns.items()},
            offset=offset[start : stop + 1] - offset[start],
            perturbers={k: v[offset[start] : offset[stop]] for k, v in perturbers.items()},
        )
    attributes = {
        "schema_version": SCHEMA_VERSION,
        "lensml_version": "test",
        "domain": "toy",
        "substructure": substructure,
        "split": path.stem,
        "seed": 0,
        "noise_model": noise_model,
        "config": {"images_per_block": images_per_block},
        "units": {
            "truth": dict.fromkeys(columns, ""),
            "perturbers": dict.fromkeys(perturbers, ""),
        },
    }
    seal_store(
        path,
        parts,
        n_images=n,
        images_per_chunk=images_per_block,
        image_shape=(images.shape[1], images.shape[2]),
        attributes=attributes,
    )
    return str(path)


def noise(n: int, rng: np.random.Generator, *, size: int = 16) -> np.ndarray:
    """Images of background alone."""
    return rng.normal(0, RMS, (n, size, size))


def blobs(n: int, rng: np.random.Generator, *, size: int = 16, peak: float = 2.0) -> np.ndarray:
    """Background and a bright spot near the centre."""
    axis = np.arange(size) - (size - 1) / 2
    x, y = rng.uniform(-2, 2, (2, n, 1, 1))
    spot = np.exp(-((axis[:, None] - y) ** 2 + (axis - x) ** 2) / 8)
    return peak * spot + noise(n, rng, size=size)


def setting(folder: Path, *, seed: int = 0, max_memory_fraction: float = IN_MEMORY) -> Setting:
    """What every run shares, with its checkpoint in ``folder``."""
    compute = Compute(device="cpu", threads=1, max_memory_fraction=max_memory_fraction)
    return Setting(NETWORK_INPUT, compute, seed, str(folder / "state"), "toy")
