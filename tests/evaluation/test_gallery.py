"""The gallery."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
from toy.stores import noise, write_store
from toy.tables import CLASSES

from lensml.data.store import open_store
from lensml.evaluation.gallery import collect_gallery

pytestmark = pytest.mark.usefixtures("one_torch_thread")


@pytest.fixture
def gallery_stores(tmp_path: Path) -> list[str]:
    rng = np.random.default_rng(0)
    counts = {"no_sub": [0] * 5, "cdm": [2, 0, 3, 1, 1], "vortex": [1] * 5}
    stores = []
    for k, (name, count) in enumerate(counts.items()):
        total = sum(count)
        columns = ["mass", "center_x", "center_y", *(["length", "angle"] if k == 2 else [])]
        stores.append(
            write_store(
                tmp_path / name / "test.zarr",
                noise(5, rng),
                truth={"theta_E": rng.random(5), "m_sub_total": rng.random(5)},
                perturbers={column: rng.random(total) for column in columns},
                offset=np.concatenate([[0], np.cumsum(count)]),
                images_per_block=2,
            )
        )
    return stores


def test_the_gallery_holds_the_first_images_with_their_truth(gallery_stores, tmp_path):
    output = str(tmp_path / "gallery.npz")
    collect_gallery(gallery_stores, output, classes=CLASSES, n_examples=3, pixel_scale=0.1)
    with np.load(output) as archive:
        content = dict(archive)
    stores = [open_store(path) for path in gallery_stores]
    assert content["label"].tolist() == [name for name in CLASSES for _ in range(3)]
    assert content["pixel_scale"] == 0.1
    offset = content["perturber_offset"]
    for k, i in itertools.product(range(3), range(3)):
        row, store = 3 * k + i, stores[k]
        np.testing.assert_array_equal(content["image"][row], store.image[np.array([i])][0])
        for name in ("background_rms", "theta_E", "m_sub_total"):
            assert content[name][row] == store.truth[name][i]
        here = slice(offset[row], offset[row + 1])
        there = slice(store.perturber_offset[i], store.perturber_offset[i + 1])
        for name, column in (("x", "center_x"), ("y", "center_y"), ("mass", "mass")):
            expected = store.perturbers[column][there]
            np.testing.assert_array_equal(content[f"perturber_{name}"][here], expected)
        for name in ("length", "angle"):
            found = content[f"perturber_{name}"][here]
            if k == 2:
                np.testing.assert_array_equal(found, store.perturbers[name][there])
            else:
                assert np.isnan(found).all()
    assert offset.tolist() == [0, 0, 0, 0, 2, 2, 5, 6, 7, 8]


def test_a_gallery_is_no_longer_than_its_shortest_store(gallery_stores, tmp_path):
    output = str(tmp_path / "gallery.npz")
    collect_gallery(gallery_stores, output, classes=CLASSES, n_examples=50, pixel_scale=0.1)
    with np.load(output) as archive:
        assert archive["image"].shape == (15, 16, 16)
