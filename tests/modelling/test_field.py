"""What is modelled of a cut-out: its pixels, noise and PSF."""

import numpy as np
import pytest
from toy.cutouts import gaussian, noisy, write
from toy.modelled import psf_image

from lensml.data.observed import Psf, Scale, UnusableImageError, fwhm_of
from lensml.modelling.field import Blur, psf_kernel, read_field
from lensml.schema.observed import ObservedLens


def psf_of(kernel, scale):
    return Psf(kernel, Scale(scale, "test"), fwhm_of(kernel) * scale)


def known(folder, **others):
    image = write(folder / "i.fits", noisy(71))
    noise = write(folder / "n.fits", np.full((71, 71), 0.1))
    return {"image": image, "noise_map": noise, "pixel_scale": 0.1, "psf_fwhm": 0.2, **others}


def test_a_field_is_centred_on_the_lens(tmp_path):
    field = read_field(ObservedLens(**known(tmp_path, center=[30.0, 40.0])))
    assert field.n % 2 == 1
    middle = field.n // 2
    assert abs(field.x[middle, middle]) < 1e-9 > abs(field.y[middle, middle])
    assert field.half_width < 3.06
    assert field.blank_chi2 == pytest.approx(1, abs=0.2)


def test_masked_pixels_are_not_known(tmp_path):
    mask = np.zeros((71, 71))
    mask[35, 40] = 1
    path = write(tmp_path / "m.fits", mask)
    field = read_field(ObservedLens(**known(tmp_path, mask=path)))
    dark = np.argwhere(~field.known)
    assert len(dark) == 1
    assert field.x[tuple(dark[0])] == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("missing", "asked"), [("noise_map", "give noise_map"), ("psf_fwhm", "give psf, or psf_fwhm")]
)
def test_noise_and_psf_must_be_known(tmp_path, missing, asked):
    lens = {k: v for k, v in known(tmp_path).items() if k != missing}
    with pytest.raises(UnusableImageError, match=asked):
        read_field(ObservedLens(**lens))


def test_a_psf_of_finer_pixels_is_averaged():
    kernel = psf_kernel(psf_of(gaussian(81, 0.02, 0.1), 0.02), 0.1)
    alone = psf_kernel(Psf(None, None, 0.1 * 2.3548), 0.1)
    reach = min(len(kernel), len(alone)) // 2
    middles = [k[len(k) // 2 - reach :][: 2 * reach + 1] for k in (kernel, alone)]
    middles = [m[:, len(m[0]) // 2 - reach :][:, : 2 * reach + 1] for m in middles]
    np.testing.assert_allclose(middles[0], middles[1], atol=2e-3)
    assert kernel.sum() == pytest.approx(1)


def test_a_psf_of_an_even_number_of_pixels_is_centred():
    even = gaussian(20, 0.1, 0.12)
    kernel = psf_kernel(psf_of(even, 0.1), 0.1)
    axis = np.arange(len(kernel)) - len(kernel) // 2
    assert abs((kernel.sum(0) * axis).sum()) < 0.02


def test_a_psf_of_larger_pixels_is_refused():
    with pytest.raises(UnusableImageError, match="are larger than the image's"):
        psf_kernel(psf_of(gaussian(21, 0.2, 0.2), 0.2), 0.1)


def test_a_blur_is_a_convolution():
    image = np.zeros((31, 31))
    image[10, 20] = 2.0
    out = Blur(psf_image(), 31)(image)
    np.testing.assert_allclose(out[6:15, 16:25], 2 * psf_image(), atol=1e-12)


def test_a_cutout_that_holds_no_lens_is_refused(tmp_path):
    with pytest.raises(UnusableImageError, match=r"covers 0\.71 arcsec about the lens"):
        read_field(ObservedLens(**known(tmp_path, pixel_scale=0.01)))
