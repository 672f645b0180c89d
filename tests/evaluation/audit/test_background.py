"""The audit's background: physics moves light, a leak is found where no class has any."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from lensml.data.store import ChunkedImages, Store, open_store
from lensml.evaluation.audit.background import DARK, background, dark_pixels
from lensml.evaluation.audit.data import Dataset
from lensml.evaluation.audit.statistics import auc_standard_error, permuted_standard_error
from lensml.schema.encoders import NetworkInput
from lensml.simulate.render import render
from lensml.simulate.stored import arcs_again, domain_of, systems_of

CLASSES = ("no_sub", "cdm", "vortex")
NETWORK_INPUT = NetworkInput(stretch="asinh", noise_units=5.0, scale=2.0, center_crop=None)
SIZES = {"train": 500, "test": 100}


@pytest.fixture(scope="module")
def bright(tmp_path_factory, domain, simulate_store, default_config) -> Dataset:
    """Bright lenses in which substructure of 2.6e11 Msun moves the light of arcs far out.

    A classifier that sees what lies beyond 2.2 arcsec tells the classes with a macro AUC of 0.67.
    """
    folder = tmp_path_factory.mktemp("bright")
    camera = domain(
        "euclid_l1",
        num_pix=32,
        supersampling_factor=1,
        refinement_factor=1,
        instrument={"pixel_scale": 0.2},
        population={"source": {"magnitude": 19.0}, "cdm": {"f_sub": 0.3, "m_min": 1.0e9}},
    )
    stores = {
        split: [
            open_store(simulate_store(folder, camera, c, split, n_images=n, images_per_block=500))
            for c in CLASSES
        ]
        for split, n in SIZES.items()
    }
    return Dataset(CLASSES, stores, default_config.audit, NETWORK_INPUT, 1)


def changed(data: Dataset, change: Callable[[Store, int], np.ndarray]) -> Dataset:
    """The dataset with the images of every class changed."""

    def with_images(store: Store, k: int) -> Store:
        images = change(store, k).astype(np.float32)
        return replace(store, image=ChunkedImages([images], len(images), len(images)))

    stores = {
        split: [with_images(store, k) for k, store in enumerate(opened)]
        for split, opened in data.stores.items()
    }
    return replace(data, stores=stores)


def test_bright_arcs_that_substructure_moves_are_no_leak(bright):
    (finding,) = background(bright)
    assert finding.passed


@pytest.mark.parametrize("leak", ["level", "spread", "neighbours"])
def test_a_leak_in_the_background_of_bright_lenses_is_found(bright, leak):
    """A fiftieth of the noise in the level, or a tenth of extra noise, in one class alone."""
    rng = np.random.default_rng(0)

    def spoil(store: Store, k: int) -> np.ndarray:
        images = store.image.load()
        rms = store.truth["background_rms"][:, None, None]
        if k != 1:
            return images
        if leak == "level":
            return images + 0.05 * rms
        extra = rms * rng.standard_normal(images.shape)
        if leak == "neighbours":
            extra = (extra + np.roll(extra, 1, axis=2)) / np.sqrt(2)
        return images + 0.4 * extra

    (finding,) = background(changed(bright, spoil))
    assert not finding.passed
    assert finding.value > 0.55


def test_no_class_has_light_in_the_dark_pixels_and_classes_share_them(bright):
    stores = bright.stores["test"]
    dark = dark_pixels(stores, 1000)
    for other in dark[1:]:
        np.testing.assert_array_equal(other, dark[0])
    mask = np.unpackbits(dark[0], axis=1).astype(bool).reshape(-1, 32, 32)
    lit = []
    for store in stores:
        faint = DARK * store.truth["background_rms"][:, None, None]
        arcs = arcs_again(store, 0, len(store))
        assert np.all(arcs[mask] < np.broadcast_to(faint, mask.shape)[mask])
        lit.append(arcs >= faint)
    np.testing.assert_array_equal(~mask, np.any(lit, axis=0))
    assert 0.05 < mask.mean() < 0.95


def test_classes_are_joined_by_their_systems_not_by_their_order(bright):
    first, second, _ = bright.stores["test"]
    turned = replace(second, truth={k: v[::-1] for k, v in second.truth.items()})
    # perturbers stay where they were: arcs are those of other substructure, ids are what counts
    own = dark_pixels([turned], 1000)[0]
    joined = dark_pixels([first, turned], 1000)
    np.testing.assert_array_equal(joined[0], joined[1][::-1])
    np.testing.assert_array_equal(joined[1], own & dark_pixels([first], 1000)[0][::-1])


def test_arcs_are_rendered_again_without_light_of_the_lens(bright):
    store = bright.stores["test"][2]
    systems = systems_of(store, 3, 9)
    expected = render(systems, domain_of(store), engine="numba", precision="float32")
    np.testing.assert_array_equal(arcs_again(store, 3, 9), expected)


# The null


def test_the_error_without_a_leak_is_that_of_exchange_within_systems():
    """Scores that follow what the images of a system share tell no class, and hardly vary."""
    rng = np.random.default_rng(0)
    n, classes, own = 1000, 3, 0.3
    systems, label = np.tile(np.arange(n), classes), np.repeat(np.arange(classes), n)
    areas, errors = [], []
    for seed in range(60):
        rng = np.random.default_rng(seed)
        shared = np.tile(rng.standard_normal((n, classes)), (classes, 1))
        p = shared + own * rng.standard_normal((n * classes, classes))
        errors.append(permuted_standard_error(p, label, systems, seed=seed))
        areas.append(_macro(p, label))
    assert np.mean(areas) == pytest.approx(0.5, abs=4 * np.std(areas) / np.sqrt(60))
    # 60 draws: the spread is known to 9 %
    assert np.mean(errors) == pytest.approx(np.std(areas), rel=0.3)
    assert np.mean(errors) < 0.4 * auc_standard_error([n] * classes)


def _macro(p: np.ndarray, label: np.ndarray) -> float:
    areas = []
    for k in range(p.shape[1]):
        order = np.argsort(np.argsort(p[:, k])) + 1.0
        m = (label == k).sum()
        areas.append((order[label == k].sum() - m * (m + 1) / 2) / (m * (len(label) - m)))
    return float(np.mean(areas))


def test_images_without_a_partner_are_exchanged_among_themselves():
    rng = np.random.default_rng(0)
    counts = [300, 300]
    p, label = rng.standard_normal((600, 2)), np.repeat([0, 1], 300)
    found = permuted_standard_error(p, label, np.arange(600), seed=0)
    # independent images; the two classes' scores are not each other's mirror: 1 / sqrt 2
    assert found == pytest.approx(auc_standard_error(counts) / np.sqrt(2), rel=0.2)
