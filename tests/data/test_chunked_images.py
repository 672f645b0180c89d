"""Chunked images index like one array."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from toy.datasets import ROWS, N

from lensml.data.store import ChunkedImages


@pytest.fixture(scope="module")
def chunked() -> tuple[ChunkedImages, np.ndarray]:
    images = np.random.default_rng(0).normal(size=(N, 3, 3)).astype(np.float32)
    chunks = [images[i : i + ROWS] for i in range(0, N, ROWS)]
    return ChunkedImages(chunks, ROWS, N), images


@given(index=st.lists(st.integers(0, N - 1), max_size=30))
def test_chunked_images_index_like_one_array(chunked, index):
    images, expected = chunked
    index = np.array(index, dtype=np.int64)
    np.testing.assert_array_equal(images[index], expected[index])
    assert images[index].dtype == np.float32


@pytest.mark.parametrize("index", [slice(4), slice(-3, None), slice(1, 9, 3), slice(5, 2)])
def test_slices_are_those_of_one_array(chunked, index):
    images, expected = chunked
    np.testing.assert_array_equal(images[index], expected[index])


def test_chunked_images_have_a_length_and_load_whole(chunked):
    images, expected = chunked
    assert len(images) == N
    assert images.shape == expected.shape
    np.testing.assert_array_equal(images.load(), expected)


@pytest.mark.parametrize("index", [[-1], [N], [0, N + 5], [3, -N]])
def test_an_image_outside_the_store_is_an_index_error(chunked, index):
    with pytest.raises(IndexError, match="image index outside 0 to 9"):
        chunked[0][np.array(index)]


@pytest.mark.parametrize("index", [[0.5], [1.0], [[0, 1]]])
def test_an_index_that_is_no_list_of_whole_numbers_is_refused(chunked, index):
    with pytest.raises((IndexError, TypeError, ValueError)):
        chunked[0][np.array(index)]


def test_a_boolean_mask_selects_its_images_or_is_refused(chunked):
    images, expected = chunked
    mask = np.arange(N) % 3 == 0
    try:
        found = images[mask]
    except (IndexError, TypeError):
        return
    np.testing.assert_array_equal(found, expected[mask])
