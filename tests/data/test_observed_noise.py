"""Noise of observed cut-outs: maps through blur and averaging, held against the border; gaps."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from lensml.data.observed import Cutout, Grid, UnusableImageError, read_cutout
from lensml.data.observed.grid import operator, propagated
from lensml.data.observed.noise import LAGS, Noise, border_of, correlation_of
from lensml.schema.observed import ObservedLens

EUCLID = Grid(num_pix=64, pixel_scale=0.101, psf_fwhm=0.16)
SIZE, SCALE, RMS = 160, 0.05, 0.01
AXIS = (np.arange(SIZE) - (SIZE - 1) / 2) * SCALE
RADIUS = np.hypot(AXIS[:, None], AXIS)
RING = 0.2 * np.exp(-((RADIUS - 1.2) ** 2) / 0.0288)
ONE = np.ones((SIZE, SIZE))
KINDS = {"rms": 1.0, "variance": 2.0, "inverse_variance": -2.0}  # power of the rms


def noise(seed: int = 1, rms: float = RMS) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, rms, (SIZE, SIZE))


class Folder:
    """Writes cut-outs and reads them on Euclid's grid."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self, image: np.ndarray, noise_map: np.ndarray | None = None, **known: Any) -> Cutout:
        np.save(self.path / "image.npy", image)
        if noise_map is not None:
            np.save(self.path / "noise.npy", noise_map)
            known["noise_map"] = str(self.path / "noise.npy")
        given = {"pixel_scale": SCALE, "psf_fwhm": 0.1, **known}
        return read_cutout(ObservedLens(image=str(self.path / "image.npy"), **given), EUCLID)


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


def at_border(cutout: Cutout) -> float:
    """Rms of the frame's pixels."""
    return float(cutout.image[border_of(np.ones(cutout.image.shape, bool))].std())


# The unit of the noise


def test_without_a_map_the_border_is_the_unit(folder):
    cutout = folder.read(RING + noise())
    assert cutout.image.max() == pytest.approx(82.8, rel=0.002)
    assert cutout.image[:6].std() == pytest.approx(1.03, abs=0.005)
    assert cutout.border_rms == 1


def test_with_its_true_map_an_image_comes_out_the_same(folder):
    """The border's own rms scatters by 4 %; the mean over several skies says which is right."""
    peaks, borders = [], []
    for seed in range(12):
        image = RING + noise(seed)
        pair = folder.read(image), folder.read(image, RMS * ONE)
        peaks.append([cutout.image.max() for cutout in pair])
        borders.append([at_border(cutout) for cutout in pair])
    measured, told = np.mean(peaks, 0)
    assert told == pytest.approx(measured, rel=0.03)
    assert told == pytest.approx(79.0, rel=0.015)
    np.testing.assert_allclose(np.mean(borders, 0), 1, atol=0.03)
    assert np.std(peaks, 0)[1] < np.std(peaks, 0)[0] / 2  # a map knows better than a border


@pytest.mark.parametrize("psf_fwhm", [None, 0.05, 0.1, 0.16])
@pytest.mark.parametrize("scale", [0.03, 0.05, 0.08, 0.101, 0.15])
def test_the_unit_follows_any_blur_and_any_averaging(folder, scale, psf_fwhm):
    size = int(9 / scale)
    borders = []
    for seed in range(6):
        image = np.random.default_rng(seed).normal(0, 3.0, (size, size))
        given = {"pixel_scale": scale, "psf_fwhm": psf_fwhm}
        borders.append(at_border(folder.read(image, np.full(image.shape, 3.0), **given)))
    assert np.mean(borders) == pytest.approx(1, abs=0.05)


def test_variances_go_through_the_same_matrices_as_images():
    """Against many draws of noise that varies from pixel to pixel."""
    rng = np.random.default_rng(0)
    grid = Grid(num_pix=8, pixel_scale=0.11, psf_fwhm=0.3)
    variance = rng.uniform(1, 4, (30, 26))
    a, b = (operator(n, (n - 1) / 2, 0.05, grid, 1.3) for n in variance.shape)
    draws = rng.normal(size=(20_000, *variance.shape)) * np.sqrt(variance)
    expected = np.einsum("ij,njk,lk->nil", a, draws, b, optimize=True).var(0)
    alone = np.zeros((2 * LAGS + 1,) * 2)
    alone[LAGS, LAGS] = 1
    np.testing.assert_allclose(propagated(Noise(variance, alone), [a, b]), expected, rtol=0.06)


# Noise that neighbouring pixels share


def drizzled(seed: int) -> np.ndarray:
    """Noise of rms RMS that neighbours share, as drizzling leaves it."""
    shared = gaussian_filter(noise(seed, 1.0), 0.7)
    return RMS * shared / shared.std()


@pytest.mark.parametrize("map_tells", ["rms of a pixel", "rms without correlation"])
def test_noise_that_neighbours_share_is_not_averaged_away(folder, map_tells):
    """Maps of drizzled images come as either; both end in the noise that is there."""
    # Far beyond a pixel noise of a kernel of sum 1 is as large as it was before the kernel.
    before = RMS / gaussian_filter(noise(0, 1.0), 0.7).std()
    rms = RMS if map_tells == "rms of a pixel" else before
    assert before > 2 * RMS
    borders = [at_border(folder.read(RING + drizzled(s), rms * ONE)) for s in range(6)]
    assert np.mean(borders) == pytest.approx(1, abs=0.08)


def test_correlation_is_measured_and_chance_is_none():
    border = border_of(ONE > 0)
    white = [np.count_nonzero(correlation_of(noise(s, 1.0), border)) for s in range(20)]
    assert np.mean(white) < 1.5
    found = correlation_of(drizzled(0) / RMS, border)
    # Of a Gaussian kernel of width 0.7: exp(-d^2 / 4 sigma^2).
    for dy, dx in ((0, 1), (1, 0), (1, 1), (1, -1)):
        expected = np.exp(-(dy**2 + dx**2) / 4 / 0.7**2)
        assert found[LAGS + dy, LAGS + dx] == pytest.approx(expected, abs=0.06)
        assert found[LAGS - dy, LAGS - dx] == found[LAGS + dy, LAGS + dx]


# Kinds of maps


@pytest.mark.parametrize("kind", KINDS)
def test_a_map_of_any_kind_gives_the_same(folder, kind):
    image = RING + noise()
    expected = folder.read(image, RMS * ONE)
    found = folder.read(image, RMS ** KINDS[kind] * ONE, noise_kind=kind)
    np.testing.assert_allclose(found.image, expected.image, rtol=1e-5)


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e7])
def test_a_weight_has_any_scale(folder, scale):
    image = RING + noise()
    weight = scale * np.where(RADIUS < 2, 0.5, 1.0)
    found = folder.read(image, weight, noise_kind="weight")
    assert found.image.max() == pytest.approx(folder.read(image).image.max(), rel=0.08)
    told = folder.read(image, RMS / np.sqrt(weight / scale))
    assert found.image.max() == pytest.approx(told.image.max(), rel=0.03)


@pytest.mark.parametrize("rms", [1e-6, 1e-3, 0.01, 10.0, 100.0, 1e4])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("said", KINDS)
def test_a_map_of_another_kind_is_refused_and_the_likely_one_named(folder, rms, kind, said):
    image = (RING / RMS + noise(1, 1.0)) * rms
    given = {"noise_map": rms ** KINDS[kind] * ONE, "noise_kind": said}
    if kind == said:
        folder.read(image, **given)
        return
    with pytest.raises(UnusableImageError, match=f"it looks like noise_kind: {kind}") as caught:
        folder.read(image, **given)
    assert f"noise map as {said}" in str(caught.value)


@pytest.mark.parametrize("value", [1e-310, 1e-200, 1e200, 1e308])
@pytest.mark.parametrize("kind", KINDS)
def test_a_map_beyond_all_numbers_is_a_reason(folder, value, kind):
    with pytest.raises(UnusableImageError, match="noise map as"):
        folder.read(RING + noise(), value * ONE, noise_kind=kind)


@pytest.mark.parametrize("factor", [0.2, 5.0])
def test_a_map_that_fits_no_kind_is_refused(folder, factor):
    image = (RING / RMS + noise(1, 1.0)) * 1e-3
    with pytest.raises(UnusableImageError, match="it fits no kind"):
        folder.read(image, factor * 1e-3 * ONE)


def test_a_map_that_is_off_by_less_than_a_few_is_used_and_the_border_says_so(folder):
    cutout = folder.read(RING + noise(), 2 * RMS * ONE)
    assert cutout.border_rms == pytest.approx(0.5, abs=0.05)


def test_light_that_varies_slowly_at_the_border_is_no_noise(folder):
    """A neighbour's wings raise the border's rms, but not what a map is held against."""
    wings = 0.2 * np.exp(-AXIS[:, None] / 4) * ONE  # changes by 40 rms across the field
    cutout = folder.read(RING + wings + noise(), RMS * ONE)
    assert cutout.observation.rms == pytest.approx(RMS, rel=0.06)


def test_photons_follow_from_a_map_after_blurring_too(folder):
    exposure = 2_000.0
    variance = RMS**2 + RING / exposure
    image = RING + np.sqrt(variance) * noise(1, 1.0)
    for psf_fwhm, sigma in ((0.16, 0.0), (0.1, np.sqrt(0.16**2 - 0.1**2) / 2.3548 / SCALE)):
        cutout = folder.read(image, np.sqrt(variance), psf_fwhm=psf_fwhm)
        # Background and photons lose the same share of their variance to blur and averaging.
        share = (operator(SIZE, (SIZE - 1) / 2, SCALE, EUCLID, sigma) ** 2).sum(1).mean() ** 2
        assert cutout.photons == pytest.approx(RMS * exposure / np.sqrt(share), rel=0.06)


# Areas without data


FILLINGS = {"zeros": 0.0, "one constant": -99.0, "not a number": np.nan, "infinite": np.inf}


@pytest.mark.parametrize("with_map", [False, True])
@pytest.mark.parametrize("filling", FILLINGS)
def test_an_area_without_data_is_masked_and_counted(folder, filling, with_map):
    whole = folder.read(RING + noise() + 5)
    image = np.where(RADIUS > 2.3, FILLINGS[filling], RING + noise() + 5)
    cutout = folder.read(image, RMS * ONE if with_map else None)
    assert cutout.image.max() == pytest.approx(whole.image.max(), rel=0.08)
    outside = np.hypot(*np.meshgrid(*[(np.arange(64) - 31.5) * 0.101] * 2)) > 2.4
    assert (cutout.image[outside] == 0).all()
    field = np.abs(AXIS) < EUCLID.width / 2 + SCALE
    expected = np.count_nonzero(RADIUS[np.ix_(field, field)] > 2.3)
    assert cutout.observation.n_missing == pytest.approx(expected, rel=0.01)


def test_a_strip_without_data_leaves_the_rest_as_it_is(folder):
    image = RING + noise()
    whole = folder.read(image)
    image[:, :30] = 0.0
    cutout = folder.read(image)
    np.testing.assert_allclose(cutout.image[:, 12:-7], whole.image[:, 12:-7], rtol=0.1, atol=0.3)
    assert cutout.observation.n_missing > 10 * 128


def test_a_bad_pixel_on_the_ring_is_filled_from_its_neighbours(folder):
    image = RING + noise()
    whole = folder.read(image)
    image[79, 55] = np.nan  # at a radius of 1.2 arcsec
    cutout = folder.read(image)
    assert cutout.observation.n_missing == 1
    assert np.abs(cutout.image - whole.image).max() < 0.05 * whole.image.max()


def test_a_map_marks_what_it_has_no_data_for(folder):
    for bad in (0.0, np.nan, -1.0, 1e16, np.inf):
        cutout = folder.read(RING + noise(), np.where(RADIUS > 2.3, bad, RMS))
        assert cutout.observation.n_missing > 5000
        assert cutout.image.max() == pytest.approx(79, rel=0.03)


@pytest.mark.parametrize("filling", [0.0, 1.0])
def test_a_lens_without_data_is_refused(folder, filling):
    image = np.where(RADIUS < 1.5, filling, RING + noise())
    with pytest.raises(UnusableImageError, match=r"\d\d% of the pixels near the lens hold no"):
        folder.read(image)


@pytest.mark.parametrize("filling", FILLINGS.values())
def test_nothing_but_filling_is_refused(folder, filling):
    with pytest.raises(UnusableImageError, match="only 0 pixels near the lens hold data"):
        folder.read(filling * ONE)


@pytest.mark.parametrize("huge", [1e20, 1e150, 1e300])
def test_a_pixel_of_no_camera_is_refused_without_an_overflow(folder, huge):
    image = RING + noise()
    image[80, 80] = huge
    with pytest.raises(UnusableImageError, match="brightest pixel"):
        folder.read(image)


@pytest.mark.parametrize("dtype", [np.int16, np.int32])
@pytest.mark.parametrize("rms", [2.0, 30.0])
def test_whole_numbers_are_data(folder, dtype, rms):
    image = np.round((RING / RMS + noise(1, 1.0)) * rms + 1000).astype(dtype)
    cutout = folder.read(image)
    assert cutout.observation.n_missing <= 20
    assert at_border(cutout) == pytest.approx(1, abs=0.12)
