"""The order of the data."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from toy.stores import noise, write_store
from toy.study import images_of

from lensml.data.torch_dataset import Images
from lensml.training.engine.order import BatchOrder, batch_order, step_generator

pytestmark = pytest.mark.usefixtures("one_torch_thread")


@given(n=st.integers(2, 60), batch_size=st.integers(1, 70), seed=st.integers(0, 2**31))
def test_an_epoch_sees_no_image_twice(n, batch_size, seed):
    order = BatchOrder(n, batch_size, seed)
    size = min(batch_size, n)
    assert order.per_epoch == n // size
    for epoch in range(3):
        steps = range(epoch * order.per_epoch, (epoch + 1) * order.per_epoch)
        batches = [order(step).tolist() for step in steps]
        seen = [i for batch in batches for i in batch]
        assert all(len(batch) == size for batch in batches)
        assert len(set(seen)) == len(seen) == n - n % size
        assert set(seen) <= set(range(n))


def test_epochs_see_every_image_in_different_orders():
    order = BatchOrder(24, 8, 0)
    epochs = [[i for s in range(3) for i in order(3 * e + s).tolist()] for e in range(4)]
    assert all(sorted(epoch) == list(range(24)) for epoch in epochs)
    assert len({tuple(epoch) for epoch in epochs}) == 4
    assert BatchOrder(24, 8, 1)(0).tolist() != order(0).tolist()


def test_a_batch_follows_from_the_step_alone():
    straight, jumping = BatchOrder(20, 8, 3), BatchOrder(20, 8, 3)
    batches = [straight(step).tolist() for step in range(10)]
    for step in (9, 0, 5, 4, 9):
        assert jumping(step).tolist() == batches[step]


def test_what_a_small_epoch_leaves_out_differs_from_epoch_to_epoch():
    order = BatchOrder(10, 4, 0)
    left_out = {frozenset(range(10)) - {*order(2 * e), *order(2 * e + 1)} for e in range(6)}
    assert all(len(rest) == 2 for rest in left_out)
    assert len(left_out) > 1


def systems_of_three_classes(folder: Path, ids: list[list[int]]) -> Images:
    rng = np.random.default_rng(0)
    stores = [
        write_store(
            folder / f"{k}" / "train.zarr", noise(len(x), rng), truth={"system_id": np.array(x)}
        )
        for k, x in enumerate(ids)
    ]
    return images_of(stores)


def test_paired_batches_hold_every_system_once_per_class(tmp_path):
    ids = list(range(100, 110))
    images = systems_of_three_classes(tmp_path, [ids] * 3)
    order = batch_order(images, 8, seed=0, paired=True)
    # Two systems of three classes fit into eight images.
    assert (order.per_epoch, order.copies, order.images_per_batch) == (5, 3, 6)
    assert images.labels is not None
    assert images.system_id is not None
    for epoch in range(3):
        seen: list[int] = []
        for step in range(5 * epoch, 5 * epoch + 5):
            index = order(step)
            assert images.labels[index].tolist() == [0, 0, 1, 1, 2, 2]
            systems = images.system_id[index].tolist()
            assert systems[:2] == systems[2:4] == systems[4:]
            seen += systems[:2]
        assert sorted(seen) == ids


def test_batches_that_are_not_paired_draw_images_one_by_one(tmp_path):
    images = systems_of_three_classes(tmp_path, [[1, 2, 3]] * 3)
    order, plain = batch_order(images, 4, seed=2, paired=False), BatchOrder(9, 4, 2)
    assert (order.copies, order.images_per_batch) == (1, 4)
    assert [order(s).tolist() for s in range(6)] == [plain(s).tolist() for s in range(6)]


@pytest.mark.parametrize(
    ("ids", "message"),
    [
        ([[1, 2, 3], [1, 2, 3], [1, 2]], "the same number of images in every class"),
        ([[1, 2, 3], [1, 2, 3], [1, 3, 2]], "classes that share their lens systems"),
    ],
)
def test_classes_without_common_systems_cannot_be_paired(tmp_path, ids, message):
    with pytest.raises(ValueError, match=message):
        batch_order(systems_of_three_classes(tmp_path, ids), 6, seed=0, paired=True)


def test_one_image_is_too_few_to_train_on():
    with pytest.raises(ValueError, match="at least two images, got 1"):
        BatchOrder(1, 4, 0)


def test_random_numbers_of_a_step_depend_on_seed_step_and_purpose():
    def draw(*key: int) -> tuple[float, ...]:
        return tuple(torch.rand(4, generator=step_generator(*key)).tolist())

    keys = [(0, 0), (0, 1), (1, 0), (0, 0, 1), (2**31, 0)]
    assert len({draw(*key) for key in keys}) == len(keys)
    assert draw(3, 4, 1) == draw(3, 4, 1)
