"""Mean profile and power spectrum of a domain's images."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
from toy.cameras import camera
from toy.skies import Sky, observed, skies
from toy.stores import EXPOSURE, RMS, write_store

from lensml.data.blind_camera import Sample, sample_of
from lensml.data.blind_camera.spectra import half_light_radius, spectra

PIX = 12


def sample(images: np.ndarray, rms: float = 0.0) -> Sample:
    ones = np.ones(len(images))
    return Sample(images, rms * ones, 1e12 * ones)


def test_profile_and_power_are_the_means_over_all_directions():
    """By the slow way: the transform of every image at a hundred directions."""
    rng = np.random.default_rng(0)
    images = rng.uniform(0, 1, (5, PIX, PIX))
    found = spectra(sample(images), 1e6, seed=0)  # a window that lets everything through
    x = np.arange(PIX) - (PIX - 1) / 2
    angle = (np.arange(100) + 0.5) / 100 * 2 * np.pi
    for k in (0.0, 0.07, 0.31, 0.5):
        turned = np.exp(-2j * np.pi * k * x * np.cos(angle)[:, None])
        across = np.exp(-2j * np.pi * k * x * np.sin(angle)[:, None])
        transform = np.einsum("nij,ai,aj->na", images, across, turned)
        at = found.at(np.array([k])).mean(0)
        assert at[0] == pytest.approx(transform.mean().real, abs=1e-3)
        assert at[1] == pytest.approx(np.square(np.abs(transform)).mean(), rel=1e-3)


def test_noise_leaves_the_power_as_it_is():
    """Of background and of photons; the mean over many images is that of the clean ones."""
    known = camera(0.1, num_pix=24)
    one = skies(1, 0)
    same = Sky(*(np.repeat(v, 4000, 0) for v in (one.x, one.y, one.variance, one.flux)))
    noisy = observed(same, known, 1, rms=0.3, time=20.0)
    quiet = observed(one, known, 2, rms=1e-9, time=1e12)
    a = spectra(noisy, 11.0, seed=0)
    b = spectra(quiet, 11.0, seed=0)
    error = a.power.std(0) / np.sqrt(len(a.power))
    assert np.abs((a.power.mean(0) - b.power[0]) / error).max() < 4.5  # of a hundred numbers
    raw = Sample(noisy.images, 0 * noisy.background_rms, 1e12 * noisy.exposure_time)
    assert np.abs((spectra(raw, 11.0, seed=0).power.mean(0) - b.power[0]) / error).max() > 50


def test_what_is_outside_the_window_does_not_count():
    images = np.zeros((2, PIX, PIX))
    images[:, 0, 0] = 1e6  # 7.8 pixels from the centre
    images[:, 6, 6] = 1
    found = spectra(sample(images), 5.0, seed=0)
    assert found.profile[:, 0] == pytest.approx(1)
    assert found.power[:, 0] == pytest.approx(1)


def test_half_of_the_light_lies_within_the_half_light_radius():
    x = np.arange(64) - 31.5
    gaussian = np.exp(-(x[:, None] ** 2 + x**2) / (2 * 6.0**2))
    found = half_light_radius(sample(np.repeat(gaussian[None], 3, 0)))
    assert found == pytest.approx(6 * np.sqrt(2 * np.log(2)), abs=0.3)


def stores(folder: Path, sizes: tuple[int, ...], rng: np.random.Generator) -> list[str]:
    return [
        write_store(folder / str(k) / "train.zarr", rng.normal(size=(n, 8, 8)))
        for k, n in enumerate(sizes)
    ]


def test_a_sample_is_drawn_from_all_stores_with_what_belongs_to_it(tmp_path):
    paths = stores(tmp_path, (200, 150), np.random.default_rng(0))
    found = sample_of(paths, n_images=100, seed=0)
    assert found.images.shape == (100, 8, 8)
    assert set(found.background_rms) == {RMS}
    assert set(found.exposure_time) == {EXPOSURE}
    whole = sample_of(paths, n_images=1000, seed=1)
    assert len(whole) == 350
    known = {image.tobytes() for image in whole.images}
    assert {image.tobytes() for image in found.images} <= known
    again, other = (sample_of(paths, n_images=100, seed=s) for s in (0, 1))
    np.testing.assert_array_equal(again.images, found.images)
    assert not np.array_equal(other.images, found.images)


def test_too_few_images_are_refused(tmp_path):
    paths = stores(tmp_path, (20, 15), np.random.default_rng(0))
    with pytest.raises(ValueError, match="35 images, a camera needs 300 to be fitted"):
        sample_of(paths, n_images=1000, seed=0)


def test_groups_hold_every_image_once():
    images = np.random.default_rng(0).uniform(0, 1, (650, PIX, PIX))
    found = spectra(sample(images), 1e6, seed=0)
    assert len(found.profile) == 300
    # Groups of two and three: their mean is that of all but for the weights of the groups.
    assert found.profile[:, 0].mean() == pytest.approx(images.sum((1, 2)).mean(), rel=1e-3)
    for a, b in itertools.pairwise(found.profile[:, 0]):
        assert a != b
