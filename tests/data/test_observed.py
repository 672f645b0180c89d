"""Observed cut-outs: reading, resampling, and what cannot be used."""

from __future__ import annotations

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS
from hypothesis import given, settings
from hypothesis import strategies as st
from toy.cutouts import GRID, SIGMA, gaussian, moments, noisy, unusable, write

from lensml.data.observed import Grid, UnusableImageError, fwhm_of, read_cutout, resample
from lensml.schema.observed import ObservedLens


@settings(max_examples=25, deadline=None)
@given(
    scale=st.floats(0.03, 0.13),
    x=st.floats(-0.3, 0.3),
    y=st.floats(-0.3, 0.3),
)
def test_flux_place_and_width_survive_another_grid(scale, x, y):
    size = int(5 / scale) | 1
    fine = gaussian(size, scale, 0.35, x, y)
    middle = (size - 1) / 2
    flux, found_x, found_y, width = moments(resample(fine, [middle] * 2, scale, GRID), 0.1)
    assert flux == pytest.approx(1, abs=0.01)
    assert found_x == pytest.approx(x, abs=0.01)
    assert found_y == pytest.approx(y, abs=0.01)
    # A pixel of the grid averages over itself: a box of its width adds its variance.
    assert width == pytest.approx(np.sqrt(0.35**2 + 0.1**2 / 12), abs=0.006)


def test_the_same_grid_leaves_an_image_but_for_the_averaging_within_pixels():
    image = gaussian(32, 0.1, 0.35)
    found = resample(image, [15.5, 15.5], 0.1, GRID)
    assert np.abs(found - image).max() < 0.02 * image.max()


def test_the_lens_is_brought_to_the_middle(tmp_path):
    image = gaussian(80, 0.1, 0.3, x=0.5, y=-0.4) * 100 + noisy(80, 0.001)
    lens = ObservedLens(
        image=write(tmp_path / "a.fits", image), pixel_scale=0.1, center=[39.5 + 5, 39.5 - 4]
    )
    _, x, y, _ = moments(np.clip(read_cutout(lens, GRID).image, 0, None), 0.1)
    assert np.hypot(x, y) < 0.02


def test_a_sharper_image_is_blurred_to_the_domain_s_camera(tmp_path):
    sharp = gaussian(161, 0.05, 0.1 * SIGMA * 2) * 100 + noisy(161, 1e-4)
    path = write(tmp_path / "a.fits", sharp)
    lens = ObservedLens(image=path, pixel_scale=0.05, psf_fwhm=0.2)
    cutout = read_cutout(lens, GRID)
    _, _, _, width = moments(np.clip(cutout.image, 0, None)[8:24, 8:24], 0.1)
    assert width == pytest.approx(np.sqrt((0.3 * SIGMA) ** 2 + 0.1**2 / 12), rel=0.05)
    assert cutout.psf_ratio == 1
    assert cutout.finer_by == pytest.approx(2)


def test_a_wider_psf_is_said_and_left(tmp_path):
    path = write(tmp_path / "a.fits", noisy(64))
    lens = ObservedLens(image=path, pixel_scale=0.1, psf_fwhm=0.6)
    assert read_cutout(lens, GRID).psf_ratio == pytest.approx(2)
    unknown = ObservedLens(image=path, pixel_scale=0.1)
    assert np.isnan(read_cutout(unknown, GRID).psf_ratio)


def test_the_width_of_a_psf_is_measured(tmp_path):
    psf = gaussian(31, 0.1, 0.25)
    assert fwhm_of(psf) * 0.1 == pytest.approx(0.25 / SIGMA, rel=0.02)
    image = write(tmp_path / "a.fits", noisy(64))
    lens = ObservedLens(image=image, pixel_scale=0.1, psf=write(tmp_path / "psf.fits", psf))
    assert read_cutout(lens, GRID).psf_ratio == pytest.approx(0.25 / SIGMA / 0.3, rel=0.02)


def test_noise_becomes_the_unit_and_the_background_zero(tmp_path):
    image = 7 + noisy(32, 0.2)
    cutout = read_cutout(
        ObservedLens(image=write(tmp_path / "a.fits", image), pixel_scale=0.1), Grid(32, 0.1, 0.3)
    )
    # Averaging within pixels takes some of the noise: the rms is that of what is left.
    border = np.concatenate([cutout.image[:3].ravel(), cutout.image[-3:].ravel()])
    assert np.median(border) == pytest.approx(0, abs=0.25)
    assert border.std() == pytest.approx(1, abs=0.15)
    assert np.isinf(cutout.photons)


def test_a_noise_map_tells_the_photons(tmp_path):
    signal = gaussian(64, 0.1, 0.4) * 300
    variance = 0.1**2 + np.maximum(signal, 0) / 50
    image = write(tmp_path / "a.fits", signal)
    noise_map = write(tmp_path / "b.fits", np.sqrt(variance))
    cutout = read_cutout(ObservedLens(image=image, noise_map=noise_map, pixel_scale=0.1), GRID)
    assert cutout.image.max() == pytest.approx(signal.max() / 0.1, rel=0.02)
    assert cutout.photons == pytest.approx(0.1 * 50, rel=0.05)
    flagged = np.sqrt(variance)
    flagged[31, 33] = 1e16  # how pipelines mark a pixel without data
    noise_map = write(tmp_path / "c.fits", flagged)
    marked = read_cutout(ObservedLens(image=image, noise_map=noise_map, pixel_scale=0.1), GRID)
    np.testing.assert_allclose(marked.image, cutout.image, rtol=1e-3)
    assert marked.photons == pytest.approx(cutout.photons, rel=0.05)


def test_the_wcs_tells_the_pixel_scale(tmp_path):
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = ["RA---TAN", "DEC--TAN"]
    wcs.wcs.cdelt = [-0.05 / 3600, 0.05 / 3600]
    path = tmp_path / "a.fits"
    fits.PrimaryHDU(noisy(100), header=wcs.to_header()).writeto(path)
    assert read_cutout(ObservedLens(image=str(path)), GRID).finer_by == pytest.approx(2)


@pytest.mark.parametrize("dtype", [">f4", ">i2", ">f8"])
def test_any_number_of_a_fits_file_will_do(tmp_path, dtype):
    image = (1000 * noisy(64)).astype(dtype)
    cutout = read_cutout(
        ObservedLens(image=write(tmp_path / "a.fits", image), pixel_scale=0.1), GRID
    )
    assert cutout.image.dtype == np.float32


def test_numpy_files_are_read_too(tmp_path):
    np.save(tmp_path / "a.npy", noisy(64))
    lens = ObservedLens(image=str(tmp_path / "a.npy"), pixel_scale=0.1)
    assert read_cutout(lens, GRID).image.shape == (32, 32)


REASONS = {
    "missing": "there is no such file",
    "text": "cannot be read",
    "pickle": "cannot be read",
    "other extension": "cannot be read",
    "three axes": "holds an array of shape (3, 64, 64), not an image",
    "no scale": "has no WCS; give pixel_scale",
    "small": "covers 2.0 arcsec around the lens in y; 3.2 are needed",
    "corner": "arcsec around the lens in x; 3.2 are needed",
    "holes": "3 pixels near the lens are not finite",
    "flat": "its border has no noise",
    "other noise": "noise map of 9 x 9 pixels for an image of 64 x 64",
    "noise of zero": "the noise map is not above 0",
}


@pytest.mark.parametrize("what", REASONS)
def test_what_cannot_be_used_says_why(tmp_path, what):
    with pytest.raises(UnusableImageError) as caught:
        read_cutout(ObservedLens.model_validate(unusable(tmp_path, what)), GRID)
    assert REASONS[what] in str(caught.value)
