"""What the cameras of a pair agree on, from stores on disk."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from toy.cameras import SHARP

from lensml.data.agreement import agree_on_fitted, agree_on_known, fit_target_camera
from lensml.data.blind_camera import Fit
from lensml.data.harmonise import Harmony, camera_of
from lensml.schema.simulation import Domain
from lensml.simulate.dataset import pool_unlabelled

CLASSES = ["no_sub", "cdm", "vortex"]
N = 200  # images of a class


@pytest.fixture(scope="module")
def domains(domain) -> tuple[Domain, Domain]:
    return domain("model_ii"), domain("model_ii", instrument=SHARP)


@pytest.fixture(scope="module")
def stores(tmp_path_factory, domains, simulate_store) -> tuple[list[str], str]:
    """Training stores of the source, and the target's pool."""
    folder = tmp_path_factory.mktemp("pair")
    sizes: dict[str, Any] = {"n_images": N, "images_per_block": N}
    source, target = (
        [str(simulate_store(folder / side, d, c, **sizes)) for c in CLASSES]
        for side, d in zip(("source", "target"), domains, strict=True)
    )
    pool_unlabelled(folder / "pool" / "train.zarr", target, seed=1)
    return source, str(folder / "pool" / "train.zarr")


def test_known_cameras_are_those_of_the_domains(tmp_path, domains, stores):
    source, pool = stores
    agree_on_known(domains[0], domains[1], source, pool, str(tmp_path / "harmony.json"))
    found = Harmony.read(tmp_path / "harmony.json")
    assert (found.source, found.target) == tuple(map(camera_of, domains))
    assert found.changes("target")


def test_a_fitted_camera_is_near_the_one_that_nobody_told(tmp_path, domains, stores):
    harmony, file = str(tmp_path / "harmony.json"), str(tmp_path / "camera.json")
    source, pool = stores
    fit_target_camera(domains[0], source, pool, file, seed=0)
    agree_on_fitted(domains[0], file, source, pool, harmony)
    fit, true = Fit.read(file), camera_of(domains[1])
    found = Harmony.read(harmony)
    assert found.target == fit.camera != true
    assert found.source == camera_of(domains[0])
    # Of 600 images: within three and a half standard deviations, which are few per cent.
    off = np.log(found.target.pixel_scale / true.pixel_scale)
    assert abs(off) < max(3.5 * fit.errors["pixel"], 1e-3) < 0.05
    off = found.target.zero_point - true.zero_point
    assert abs(off) < 3.5 * fit.errors["zero_point"] < 0.2


def test_cameras_are_not_agreed_on_where_the_fit_is_refused(
    tmp_path, domains, domain, stores, simulate_store
):
    """Lenses a fifth lighter: no camera makes those. The fit stays to be read."""
    other = domain("model_ii", instrument=SHARP, population={"deflection_scale": 0.63374 * 0.8})
    sizes: dict[str, Any] = {"n_images": N, "images_per_block": N}
    target = [str(simulate_store(tmp_path / "target", other, c, **sizes)) for c in CLASSES]
    pool = tmp_path / "pool" / "train.zarr"
    pool_unlabelled(pool, target, seed=1)
    harmony, file = tmp_path / "harmony.json", str(tmp_path / "camera.json")
    fit_target_camera(domains[0], stores[0], str(pool), file, seed=0)
    with pytest.raises(ValueError, match="the populations differ"):
        agree_on_fitted(domains[0], file, stores[0], str(pool), str(harmony))
    assert not harmony.exists()
    assert "the populations differ" in (Fit.read(file).refusal or "")
