"""Fixtures of the tests of stores."""

from __future__ import annotations

from pathlib import Path

import pytest
from toy.datasets import PIX, ROWS, SEED, N

from lensml.schema.simulation import Domain

CLASSES = ["no_sub", "cdm", "vortex"]


@pytest.fixture(scope="module")
def camera(domain) -> Domain:
    return domain("euclid", num_pix=PIX, supersampling_factor=1)


@pytest.fixture(scope="module")
def stores(tmp_path_factory, camera, simulate_store) -> dict[str, Path]:
    """A sealed store of every class, which no test may change."""
    folder = tmp_path_factory.mktemp("stores")
    return {
        c: simulate_store(folder, camera, c, n_images=N, images_per_block=ROWS, seed=SEED)
        for c in CLASSES
    }


@pytest.fixture
def store(tmp_path, camera, simulate_store) -> Path:
    """A store to damage."""
    return simulate_store(tmp_path, camera, "cdm", n_images=N, images_per_block=ROWS, seed=SEED)
