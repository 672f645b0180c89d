"""A lens in a folder of the PyAutoLens world, its mask, and the noise that a map claims."""

import json

import numpy as np
import pytest
from toy.cutouts import gaussian, noisy, write

from lensml.data.observed import UnusableImageError, read_observation, widest
from lensml.schema.observed import ObservedLens

N = 65


@pytest.fixture
def folder(tmp_path):
    write(tmp_path / "data.fits", noisy(N))
    write(tmp_path / "noise_map.fits", np.full((N, N), 0.1))
    write(tmp_path / "psf.fits", gaussian(21, 0.1, 0.1))
    (tmp_path / "info.json").write_text(json.dumps({"pixel_scale": 0.1, "name": "a lens"}))
    return tmp_path


def test_a_folder_is_read_as_it_lies(folder):
    mask = np.zeros((N, N))
    mask[3, 5] = 1
    write(folder / "mask_extra_galaxies.fits", mask)
    lens = ObservedLens(image=str(folder))
    assert widest(lens) == pytest.approx(6.5)
    seen = read_observation(lens, 6.0)
    assert seen.scale.arcsec == 0.1
    assert seen.noise is not None
    assert seen.psf is not None
    assert seen.psf.fwhm == pytest.approx(0.2355, rel=0.02)
    assert np.argwhere(read_observation(lens, 6.5).masked).tolist() == [[3, 5]]


def test_what_the_configuration_says_wins(folder):
    lens = ObservedLens(image=str(folder), pixel_scale=0.2, psf_fwhm=0.3)
    seen = read_observation(lens, 6.0)
    assert seen.scale.arcsec == 0.2
    assert seen.psf is not None
    assert (seen.psf.fwhm, seen.psf.kernel) == (0.3, None)


def test_a_folder_without_an_image_is_refused(tmp_path):
    with pytest.raises(UnusableImageError, match=r"is a folder without data\.fits"):
        read_observation(ObservedLens(image=str(tmp_path)), 6.0)


@pytest.mark.parametrize(
    ("content", "problem"),
    [("{", "is no JSON"), ('{"pixel_scale": -1}', "pixel_scale"), ('["a"]', "no WCS")],
)
def test_a_wrong_info_is_named(folder, content, problem):
    (folder / "info.json").write_text(content)
    with pytest.raises(UnusableImageError, match=problem):
        read_observation(ObservedLens(image=str(folder)), 6.0)


def test_a_mask_of_other_pixels_is_refused(folder):
    mask = write(folder / "mask.fits", np.zeros((N, N + 1)))
    with pytest.raises(UnusableImageError, match="mask of 66 x 65 pixels for an image of 65 x 65"):
        read_observation(ObservedLens(image=str(folder), mask=mask), 6.0)


def test_a_map_of_uncorrelated_pixels_claims_more_than_a_drizzled_image_has(tmp_path):
    from scipy.ndimage import gaussian_filter

    image = gaussian_filter(noisy(151, 1.0), 0.8)
    rms = image.std()
    write(tmp_path / "data.fits", image)
    write(tmp_path / "noise_map.fits", np.full((151, 151), 2 * rms))
    seen = read_observation(ObservedLens(image=str(tmp_path), pixel_scale=0.1), 12.0)
    assert seen.noise is not None
    assert seen.noise.claimed == pytest.approx(4, rel=0.1)
    assert np.median(seen.noise.variance) == pytest.approx(rms**2, rel=0.1)
