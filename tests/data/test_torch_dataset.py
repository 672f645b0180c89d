"""Images on the network's scale, in memory and mapped."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from toy.stores import IN_MEMORY, MAPPED, NETWORK_INPUT, noise, write_store
from toy.study import images_of

from lensml.data.images import stretch
from lensml.data.store import open_store
from lensml.data.torch_dataset import Images

pytestmark = pytest.mark.usefixtures("one_torch_thread")


@given(
    image=hnp.arrays(np.float32, (2, 3, 3), elements=st.floats(-1e4, 1e6, width=32)),
    rms=st.floats(1e-3, 10),
)
def test_the_stretch_is_inverted_by_sinh(image, rms):
    stretched = stretch(image, np.full(2, rms), NETWORK_INPUT)
    assert stretched.dtype == np.float32
    unit = rms * NETWORK_INPUT.noise_units
    restored = np.sinh(stretched.astype(float) * NETWORK_INPUT.scale) * unit
    # float32 resolves asinh(1e9) = 21 to 2e-6, and sinh turns that into a relative error.
    np.testing.assert_allclose(restored, image, rtol=1e-5, atol=1e-6 * unit)


def test_the_stretch_uses_the_background_of_each_image():
    image = np.random.default_rng(0).normal(0, 1, (2, 4, 4)).astype(np.float32)
    rms = np.array([0.1, 2.0])
    for i in range(2):
        for value, found in zip(
            image[i].flat, stretch(image, rms, NETWORK_INPUT)[i].flat, strict=True
        ):
            expected = math.asinh(value / rms[i] / NETWORK_INPUT.noise_units) / NETWORK_INPUT.scale
            # One rounding of 1 in the logarithm: 1e-7 where the noise is 1 / noise_units / scale.
            assert found == pytest.approx(expected, rel=1e-5, abs=1.2e-7)


@pytest.fixture
def two_stores(tmp_path: Path) -> list[str]:
    """Stores of different sizes, each of several chunks, with a background of their own."""
    rng = np.random.default_rng(5)
    stores = []
    for k, n in enumerate((11, 7)):
        truth = {"background_rms": rng.uniform(0.1, 0.2, n), "system_id": 100 * k + np.arange(n)}
        path = tmp_path / f"{k}" / "train.zarr"
        stores.append(write_store(path, noise(n, rng), truth=truth, images_per_block=4))
    return stores


def test_mapped_images_equal_images_in_memory(two_stores):
    loaded = images_of(two_stores)
    mapped = Images(two_stores, NETWORK_INPUT, max_memory_fraction=MAPPED)
    assert loaded._loaded is not None
    assert mapped._loaded is None
    index = np.array([17, 3, 3, 10, 11, 0, 12])  # any order, repeated, across the stores
    assert torch.equal(loaded.batch(index), mapped.batch(index))
    assert torch.equal(loaded.batch(np.arange(18)), mapped.batch(np.arange(18)))


@pytest.mark.parametrize("fraction", [IN_MEMORY, MAPPED])
def test_a_batch_holds_the_stretched_images_of_its_index(two_stores, fraction):
    images = Images(two_stores, NETWORK_INPUT, max_memory_fraction=fraction)
    stores = [open_store(path) for path in two_stores]
    index = np.array([17, 0, 10, 11])
    batch = images.batch(index)
    assert batch.shape == (4, 1, 16, 16)
    for row, i in enumerate(index):
        store, k = (stores[0], i) if i < 11 else (stores[1], i - 11)
        rms = store.truth["background_rms"][k : k + 1]
        expected = stretch(store.image[np.array([k])], rms, NETWORK_INPUT)[0]
        np.testing.assert_array_equal(batch[row, 0].numpy(), expected)


def test_labels_are_positions_of_stores_and_identities_come_from_the_truth(two_stores):
    images = images_of(two_stores)
    assert images.labels is not None
    assert images.system_id is not None
    assert images.labels.tolist() == [0] * 11 + [1] * 7
    assert images.index.tolist() == [*range(11), *range(7)]
    assert images.system_id.tolist() == [*range(11), *range(100, 107)]
    assert (len(images), images.img_size) == (18, 16)


@pytest.mark.parametrize("fraction", [IN_MEMORY, MAPPED])
def test_a_limit_takes_the_first_images_of_every_store(two_stores, fraction):
    everything = images_of(two_stores)
    images = Images(two_stores, NETWORK_INPUT, max_memory_fraction=fraction, limit=9)
    assert len(images) == 9 + 7
    chosen = np.array([*range(9), *range(11, 18)])
    assert torch.equal(images.batch(np.arange(16)), everything.batch(chosen))
    assert everything.labels is not None
    np.testing.assert_array_equal(images.labels, everything.labels[chosen])
