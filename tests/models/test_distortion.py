"""Distortions of images."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter
from torch import Tensor
from toy.joint import DISTORTION, OFF, generator, images
from toy.stores import NETWORK_INPUT

from lensml.models.distortion import distort

pytestmark = pytest.mark.usefixtures("one_torch_thread")


def linear(x: Tensor) -> np.ndarray:
    """Flux in units of the background, as the stretch's inverse gives it."""
    flux = np.sinh(x.double().numpy() * NETWORK_INPUT.scale) * NETWORK_INPUT.noise_units
    return flux[:, 0]


@pytest.mark.parametrize("stretch", ["asinh", "linear"])
def test_a_distortion_of_nothing_changes_nothing(stretch):
    spec = NETWORK_INPUT.model_copy(update={"stretch": stretch})
    torch.testing.assert_close(distort(images(), OFF, spec, generator()), images())


def test_a_distortion_refuses_a_stretch_without_inverse():
    spec = NETWORK_INPUT.model_copy(update={"stretch": "per_image_max"})
    with pytest.raises(ValueError, match="asinh and linear only"):
        distort(images(), DISTORTION, spec, generator())


def test_a_gain_multiplies_the_flux_of_an_image():
    spec = OFF.model_copy(update={"gain": 0.3})
    x = images(50)
    ratio = linear(distort(x, spec, NETWORK_INPUT, generator())) / linear(x)
    each = np.log(ratio.mean((1, 2)))
    np.testing.assert_allclose(ratio, np.exp(each)[:, None, None] * np.ones_like(ratio), rtol=1e-3)
    assert np.abs(each).max() <= 0.3
    assert each.min() < -0.2 < 0.2 < each.max()  # missed by 50 draws with probability 2 (5/6)^50


def test_a_blur_is_scipys_gaussian_filter():
    spec = OFF.model_copy(update={"blur": 1.5})
    x = images()
    blurred = linear(distort(x, spec, NETWORK_INPUT, generator(3)))
    sigmas = 1.5 * torch.rand((4, 4, 1, 1, 1), generator=generator(3))[2, :, 0, 0, 0]
    reach = 4  # three times the widest sigma, rounded
    for before, after, sigma in zip(linear(x), blurred, sigmas.tolist(), strict=True):
        # The largest pixel of a sinh of 6 is 1e2 to 1e3: float32 in and out of the stretch.
        expected = gaussian_filter(before, sigma, mode="mirror", radius=reach)
        np.testing.assert_allclose(after, expected, rtol=2e-4, atol=1e-3)


def test_a_zoom_magnifies_about_the_centre():
    spec = OFF.model_copy(update={"zoom": 0.3})
    stretch = NETWORK_INPUT.model_copy(update={"stretch": "linear"})
    y, x = torch.meshgrid(*(2 * [torch.arange(65.0) - 32]), indexing="ij")
    disc = ((x**2 + y**2).sqrt() < 10).float().expand(20, 1, 65, 65)
    zoomed = distort(disc, spec, stretch, generator())
    factor = 1 + 0.3 * (2 * torch.rand((4, 20, 1, 1, 1), generator=generator())[1].flatten() - 1)
    area = zoomed.sum((1, 2, 3)) / disc[0].sum()
    np.testing.assert_allclose(area, factor**2, rtol=0.05)  # pixels of a disc of radius 7 to 13
    centre = (zoomed * x).sum((1, 2, 3)) / zoomed.sum((1, 2, 3))
    np.testing.assert_allclose(centre, 0, atol=1e-3)


def test_noise_is_white_in_units_of_the_background():
    spec = OFF.model_copy(update={"noise": 2.0})
    x = torch.zeros(200, 1, 16, 16)
    added = linear(distort(x, spec, NETWORK_INPUT, generator()))
    rms = 2.0 * torch.rand((4, 200, 1, 1, 1), generator=generator())[3].flatten().numpy()
    # 256 pixels fix an rms to 4.4 %; the mean square over the images to 0.9 %.
    assert (added.std((1, 2)) / rms).mean() == pytest.approx(1, abs=4 * 0.044 / np.sqrt(200))
    neighbours = (added[:, 1:] * added[:, :-1]).mean() / added.var()
    assert abs(neighbours) < 4 / np.sqrt(added.size) * 2


def test_a_distortion_follows_from_its_generator():
    found = [distort(images(), DISTORTION, NETWORK_INPUT, generator(k)) for k in (1, 1, 2)]
    assert torch.equal(found[0], found[1])
    assert not torch.allclose(found[0], found[2])
