"""What a network sees beside the image: maps of the fits, on scales of their own."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from toy.stores import NETWORK_INPUT

from lensml.data.fits import open_fits
from lensml.data.manifest import DamagedStoreError
from lensml.data.store import open_store
from lensml.data.torch_dataset import Images
from lensml.fit.pool import pool_fits
from lensml.schema.encoders import NetworkInput
from lensml.simulate.dataset import pool_unlabelled

BOTH = NETWORK_INPUT.model_copy(update={"channels": ["image", "residual"]})
EVERY = NETWORK_INPUT.model_copy(update={"channels": ["kappa", "image", "residual"]})


def seen(stores: list[str], spec: NetworkInput, **options) -> Images:
    return Images(stores, spec, max_memory_fraction=0.5, **options)


def test_channels_are_stacked_in_the_order_in_which_they_are_listed(fitted):
    images = seen(fitted.stores("test"), EVERY)
    index = np.array([3, 20, 0])
    x = images.batch(index).numpy()
    assert x.shape == (3, images.in_chans, 48, 48) == (3, 3, 48, 48)
    alone = seen(fitted.stores("test"), NETWORK_INPUT).batch(index).numpy()
    np.testing.assert_array_equal(x[:, 1:2], alone)
    for k, name, units in ((0, "kappa", EVERY.kappa_units), (2, "residual", EVERY.residual_units)):
        maps = [open_fits(path).maps[name] for path in fitted.fits("test")]
        of_class = [one[np.arange(16)] for one in maps]
        own = np.stack([of_class[0][3], of_class[1][4], of_class[0][0]])
        np.testing.assert_allclose(x[:, k], np.arcsinh(own / units), rtol=1e-5, atol=1e-6)


def test_maps_are_cropped_as_the_images_are(fitted):
    spec = BOTH.model_copy(update={"center_crop": 32})
    whole = seen(fitted.stores("test"), BOTH).batch(np.arange(4)).numpy()
    cropped = seen(fitted.stores("test"), spec).batch(np.arange(4)).numpy()
    np.testing.assert_array_equal(cropped, whole[:, :, 8:-8, 8:-8])


def test_images_whose_fits_are_missing_are_refused(fitted, tmp_path):
    copied = tmp_path / "datasets" / "euclid"
    shutil.copytree(Path(fitted.stores("test")[0]).parents[1], copied)
    with pytest.raises((DamagedStoreError, FileNotFoundError), match="fits"):
        seen([str(copied / "no_sub" / "test.zarr")], BOTH)
    seen([str(copied / "no_sub" / "test.zarr")], NETWORK_INPUT)


def test_every_image_of_a_pool_keeps_its_own_fit(fitted, tmp_path):
    pool = tmp_path / "datasets" / "euclid" / "unlabelled" / "test.zarr"
    store = tmp_path / "fits" / "euclid" / "unlabelled" / "test.zarr"
    pool_unlabelled(pool, fitted.stores("test"), seed=3)
    pool_fits(pool, store, fitted.fits("test"), seed=3)
    mixed, fits = open_store(pool), open_fits(store)
    labelled = [open_store(path).image[np.arange(16)] for path in fitted.stores("test")]
    residual = [open_fits(path).maps["residual"][np.arange(16)] for path in fitted.fits("test")]
    own = {
        image.tobytes(): left
        for image, left in zip(np.concatenate(labelled), np.concatenate(residual), strict=True)
    }
    for i in range(len(mixed)):
        image = mixed.image[np.array([i])][0]
        np.testing.assert_array_equal(
            fits.maps["residual"][np.array([i])][0], own[image.tobytes()]
        )
    x = seen([str(pool)], BOTH, labelled=False).batch(np.arange(4)).numpy()
    assert x.shape == (4, 2, 48, 48)


def test_fits_of_another_number_of_images_make_no_pool(fitted, tmp_path):
    pool = tmp_path / "datasets" / "euclid" / "unlabelled" / "test.zarr"
    pool_unlabelled(pool, fitted.stores("test"), seed=3)
    with pytest.raises(ValueError, match="32 images for 16 fits"):
        pool_fits(pool, tmp_path / "pool.zarr", fitted.fits("test")[:1], seed=3)
