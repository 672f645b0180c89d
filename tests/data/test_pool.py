"""The pool of images without labels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from toy.datasets import PIX, SEED, content

from lensml.data.store import open_store
from lensml.simulate.dataset import pool_unlabelled

CLASSES = ["no_sub", "cdm", "vortex"]


@pytest.fixture(scope="module")
def pool(tmp_path_factory, stores) -> Path:
    path = tmp_path_factory.mktemp("pool") / "train.zarr"
    pool_unlabelled(path, list(stores.values()), seed=SEED)
    return path


def test_a_pool_holds_the_images_of_every_class_each_once(stores, pool):
    found = open_store(pool).image.load()
    expected = np.concatenate([open_store(s).image.load() for s in stores.values()])
    assert found.shape == expected.shape
    assert sorted(i.tobytes() for i in found) == sorted(i.tobytes() for i in expected)


def test_a_pool_keeps_background_and_exposure_with_their_image(tmp_path, domain, simulate_store):
    # A camera whose exposure varies, and with it the background.
    exposure = {"dist": "uniform", "low": 100.0, "high": 1000.0}
    camera = domain(
        "euclid", num_pix=PIX, supersampling_factor=1, instrument={"exposure_time": exposure}
    )
    labelled = [simulate_store(tmp_path, camera, c, n_images=6) for c in CLASSES]
    path = tmp_path / "pool" / "train.zarr"
    pool_unlabelled(path, labelled, seed=SEED)
    opened = open_store(path)
    for name in ("background_rms", "exposure_time"):
        own = {}
        for source in map(open_store, labelled):
            images = source.image.load()
            values = zip(images, source.truth[name], strict=True)
            own |= {image.tobytes(): value for image, value in values}
        assert len(set(own.values())) == 6  # classes share the exposure at equal index
        for image, value in zip(opened.image.load(), opened.truth[name], strict=True):
            assert own[image.tobytes()] == value


def test_a_pool_knows_no_class_and_no_system(pool):
    opened = open_store(pool)
    assert set(opened.truth) == {"background_rms", "exposure_time"}
    assert opened.perturbers == {}
    assert len(opened.perturber_offset) == 0
    attributes = set(opened.attributes)
    assert attributes == {"schema_version", "lensml_version", "domain", "split", "seed", "units"}
    assert "substructure" not in attributes
    on_disk = b"".join(raw for name, raw in content(pool).items() if name.endswith("zarr.json"))
    for secret in (b"system_id", b"theta_E", b"m_sub_total", *(c.encode() for c in CLASSES)):
        assert secret not in on_disk


def test_a_pool_is_shuffled_so_that_its_order_tells_no_class(stores, pool):
    label = {
        image.tobytes(): k
        for k, s in enumerate(stores.values())
        for image in open_store(s).image.load()
    }
    labels = [label[image.tobytes()] for image in open_store(pool).image.load()]
    assert labels != sorted(labels)
    # In the order of the classes there are 2 changes; random orders have 20 +- 2.4 (29 pairs, of
    # which 20/29 differ): fewer than 10 has a probability below 1e-4.
    assert np.count_nonzero(np.diff(labels)) >= 10


def test_the_order_of_a_pool_follows_its_seed(tmp_path, stores, pool):
    again, other = tmp_path / "again" / "train.zarr", tmp_path / "other" / "train.zarr"
    pool_unlabelled(again, list(stores.values()), seed=SEED)
    pool_unlabelled(other, list(stores.values()), seed=SEED + 1)
    assert content(again) == content(pool)
    assert not np.array_equal(open_store(other).image.load(), open_store(pool).image.load())
