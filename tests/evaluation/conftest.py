"""Fixtures of the tests of evaluation."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from toy.stores import blobs, noise, write_store


@pytest.fixture
def test_stores(tmp_path: Path) -> list[str]:
    rng = np.random.default_rng(0)
    truth = {"system_id": 2**62 + np.arange(6)}  # hashes of 63 bits
    images = {"no_sub": noise(6, rng), "cdm": blobs(6, rng)}
    return [
        write_store(tmp_path / name / "test.zarr", x, truth=truth, images_per_block=4)
        for name, x in images.items()
    ]
