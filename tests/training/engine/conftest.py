"""Fixtures of the tests of the engine."""

from __future__ import annotations

import numpy as np
import pytest
from toy.stores import blobs, noise, write_store

from lensml.simulate.dataset import pool_unlabelled


@pytest.fixture(scope="module")
def stores(tmp_path_factory) -> dict[str, list[str]]:
    """Training and validation stores of two classes, and a pool."""
    folder = tmp_path_factory.mktemp("stores")
    rng = np.random.default_rng(0)
    made = {}
    for split, n in (("train", 42), ("val", 24)):
        images = {"no_sub": noise(n, rng), "cdm": blobs(n, rng)}
        made[split] = [
            write_store(folder / name / f"{split}.zarr", x, substructure=name)
            for name, x in images.items()
        ]
    pool_unlabelled(folder / "pool" / "train.zarr", made["train"], seed=1)
    return {**made, "pool": [str(folder / "pool" / "train.zarr")]}
