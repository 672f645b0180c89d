"""The network's scale, crops, and noise that is drawn again."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from toy.stores import IN_MEMORY, NETWORK_INPUT, RMS, noise, write_store

from lensml.data.images import StretchedImages, stretch, unstretch
from lensml.data.store import open_store
from lensml.data.torch_dataset import RedrawnImages
from lensml.schema.encoders import NetworkInput


@pytest.mark.parametrize("kind", ["asinh", "linear"])
def test_a_stretch_and_its_inverse_give_the_image_back(kind):
    rng = np.random.default_rng(0)
    image = rng.normal(0, 3, (4, 6, 6)).astype(np.float32)
    rms = rng.uniform(0.5, 2, 4)
    spec = NETWORK_INPUT.model_copy(update={"stretch": kind})
    restored = unstretch(stretch(image, rms, spec), spec)
    np.testing.assert_allclose(restored, image / rms[:, None, None], rtol=1e-5, atol=1e-5)


def test_an_image_over_its_maximum_has_maximum_one_and_no_way_back():
    spec = NETWORK_INPUT.model_copy(update={"stretch": "per_image_max"})
    image = np.random.default_rng(0).uniform(0.1, 5, (3, 4, 4))
    stretched = stretch(image, np.ones(3), spec)
    np.testing.assert_allclose(stretched.max((1, 2)), 1)
    with pytest.raises(ValueError, match="per_image_max"):
        unstretch(stretched, spec)


@pytest.mark.parametrize("fraction", [IN_MEMORY, 1e-15])
def test_a_crop_keeps_the_centre(tmp_path, fraction):
    path = write_store(tmp_path / "train.zarr", noise(5, np.random.default_rng(0)))
    whole = StretchedImages([path], NETWORK_INPUT, max_memory_fraction=fraction)
    spec = NETWORK_INPUT.model_copy(update={"center_crop": 10})
    cropped = StretchedImages([path], spec, max_memory_fraction=fraction)
    index = np.array([4, 0])
    assert cropped.img_size == 10
    np.testing.assert_array_equal(cropped.rows(index), whole.rows(index)[:, 3:13, 3:13])


@pytest.fixture
def noiseless(tmp_path):
    """Two noise-free stores of the same systems, 400 s of exposure."""
    rng = np.random.default_rng(1)
    paths = []
    for name in ("no_sub", "cdm"):
        images = rng.uniform(0, 4, (1, 12, 12)).repeat(300, 0)
        truth = {"exposure_time": np.full(300, 400.0)}
        path = tmp_path / name / "train.zarr"
        paths.append(write_store(path, images, truth=truth, noise_model="none"))
    return paths


def test_redrawn_noise_has_the_variance_of_the_camera(noiseless):
    spec = NetworkInput(stretch="linear", noise_units=1.0, scale=1.0, center_crop=None)
    images = RedrawnImages(noiseless, spec, max_memory_fraction=IN_MEMORY)
    generator = torch.Generator().manual_seed(0)
    x = images.batch(np.arange(300), generator).numpy()[:, 0]
    clean = open_store(noiseless[0]).image[np.arange(1)][0]
    expected = (RMS**2 + clean / 400) / RMS**2
    # 300 draws: the variance of each of 144 pixels is known to 8 %, their mean to 0.7 %.
    assert np.mean(x.var(0) / expected) == pytest.approx(1, abs=0.03)
    assert np.abs(x.var(0) / expected - 1).max() < 0.4
    offset = (x.mean(0) - clean / RMS) / np.sqrt(expected / 300)
    assert np.abs(offset).max() < 4.5


def test_redrawn_noise_is_shared_by_the_classes_of_a_system_and_differs_between_steps(noiseless):
    images = RedrawnImages(noiseless, NETWORK_INPUT, max_memory_fraction=IN_MEMORY)
    plain = RedrawnImages(
        noiseless,
        NETWORK_INPUT.model_copy(update={"stretch": "linear"}),
        max_memory_fraction=IN_MEMORY,
    )
    index = np.array([3, 8, 303, 308])

    def draw(seed, source=images):
        return source.batch(index, torch.Generator().manual_seed(seed), copies=2)

    assert torch.equal(draw(0), draw(0))
    assert not torch.equal(draw(0), draw(1))
    residual = draw(0, plain) - plain.batch(index)
    sign = torch.sign(residual)
    assert torch.equal(sign[:2], sign[2:])
    assert not torch.equal(sign[0], sign[1])


def test_noise_is_not_added_to_images_that_have_it(tmp_path):
    path = write_store(tmp_path / "train.zarr", noise(4, np.random.default_rng(0)))
    with pytest.raises(ValueError, match="the images have noise"):
        RedrawnImages([path], NETWORK_INPUT, max_memory_fraction=IN_MEMORY)
