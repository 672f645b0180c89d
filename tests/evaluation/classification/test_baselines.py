"""The radial profile as a baseline."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score
from toy.stores import NETWORK_INPUT, RMS, noise, setting, write_store
from toy.tables import CLASSES

from lensml.data.images import stretch
from lensml.data.torch_dataset import Images
from lensml.evaluation.classification.baselines import (
    N_RINGS,
    all_images,
    predict_radial_profile,
    radial_profile,
)
from lensml.evaluation.statistics.predictions import read_predictions

pytestmark = pytest.mark.usefixtures("one_torch_thread")


def images_of(stores: Sequence[str], **options: Any) -> Images:
    return Images(stores, NETWORK_INPUT, max_memory_fraction=0.5, **options)


@pytest.mark.parametrize(("size", "n_rings"), [(32, 13), (33, 13), (16, 4)])
def test_radial_profiles_are_the_moments_of_rings(size, n_rings):
    images = np.random.default_rng(0).normal(size=(2, size, size))
    profile = radial_profile(images, n_rings)
    assert profile.shape == (2, 2 * n_rings)
    width = size / 2 / n_rings
    for i, k in itertools.product(range(2), range(n_rings)):
        inside = [
            images[i, r, c]
            for r, c in itertools.product(range(size), range(size))
            if k * width <= math.hypot(r - (size - 1) / 2, c - (size - 1) / 2) < (k + 1) * width
        ]
        mean = sum(inside) / len(inside)
        spread = math.sqrt(sum((v - mean) ** 2 for v in inside) / len(inside))
        assert profile[i, 2 * k : 2 * k + 2] == pytest.approx([mean, spread])


def ring(radius: np.ndarray, size: int) -> np.ndarray:
    """(N, size, size) rings of one pixel's width and unit brightness."""
    axis = np.arange(size) - (size - 1) / 2
    distance = np.hypot(axis[:, None], axis)[None]
    return np.exp(-((distance - radius[:, None, None]) ** 2) / 2)


def test_a_ring_is_brightest_in_its_own_annulus():
    radii = np.array([3.0, 8.0, 14.0])
    profile = radial_profile(ring(radii, 64))
    width = 32 / N_RINGS
    assert profile[:, ::2].argmax(1).tolist() == [int(r / width) for r in radii]


@pytest.mark.parametrize("size", [32, 33])
def test_radial_profiles_do_not_turn(size):
    images = np.random.default_rng(0).normal(size=(2, size, size))
    profile = radial_profile(images)
    for turned in (np.rot90(images, axes=(1, 2)), images[:, ::-1], images.transpose(0, 2, 1)):
        np.testing.assert_allclose(radial_profile(turned), profile, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("size", [8, 16, 20])  # the schema allows 8 pixels and more
def test_radial_profiles_of_small_images_are_numbers(size):
    assert np.isfinite(radial_profile(np.ones((1, size, size)))).all()


def test_the_radial_baseline_tells_einstein_radii_apart(tmp_path):
    rng = np.random.default_rng(0)

    def stores(split: str, n: int) -> list[str]:
        radii = {"no_sub": rng.uniform(6, 8, n), "cdm": rng.uniform(8.5, 10.5, n)}
        return [
            write_store(
                tmp_path / name / f"{split}.zarr", 2 * ring(radius, 32) + noise(n, rng, size=32)
            )
            for name, radius in radii.items()
        ]

    output = str(tmp_path / "predictions.csv")
    predict_radial_profile(
        stores("train", 60),
        stores("test", 60),
        output,
        classes=CLASSES[:2],
        setting=setting(tmp_path),
    )
    _, label, p, classes = read_predictions(output)
    assert classes == CLASSES[:2]
    np.testing.assert_allclose(p.sum(1), 1, rtol=1e-6)
    assert roc_auc_score(label, p[:, 1]) > 0.95


def test_all_images_are_the_stretched_images(tmp_path):
    images = noise(5, np.random.default_rng(0))
    store = write_store(tmp_path / "test.zarr", images)
    expected = stretch(images.astype(np.float32), np.full(5, RMS), NETWORK_INPUT)
    np.testing.assert_array_equal(all_images(images_of([store])), expected)
