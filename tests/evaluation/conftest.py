"""Fixtures of the tests of evaluation."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from toy.fits import fit_spec
from toy.stores import blobs, noise, write_store

from lensml.evaluation.domain.cutouts import CutoutJudge
from lensml.schema.simulation import Domain

CAMERA = {"pixel_scale": 0.1, "psf_fwhm": 0.18}


@pytest.fixture(scope="session")
def seen_domain(domain) -> Domain:
    """Varied lenses in a camera of round numbers."""
    return domain("euclid", instrument=CAMERA)


@pytest.fixture(scope="session")
def judge(seen_domain, tmp_path_factory) -> CutoutJudge:
    """Who says which cut-outs are of that domain, by few images."""
    folder, spec = tmp_path_factory.mktemp("verdict"), fit_spec(n_reference=300)
    return CutoutJudge.of(seen_domain, ["no_sub", "cdm"], spec, folder, seed=1, n_images=80)


@pytest.fixture
def test_stores(tmp_path: Path) -> list[str]:
    rng = np.random.default_rng(0)
    truth = {"system_id": 2**62 + np.arange(6)}  # hashes of 63 bits
    images = {"no_sub": noise(6, rng), "cdm": blobs(6, rng)}
    return [
        write_store(tmp_path / name / "test.zarr", x, truth=truth, images_per_block=4)
        for name, x in images.items()
    ]
