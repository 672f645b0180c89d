"""Autoencoders of the published detectors."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.distributions import Normal, kl_divergence
from toy.autoencoders import METHODS, spec
from toy.stores import blobs, write_store
from toy.study import AUTOENCODER, images_of

from lensml.data.torch_dataset import Images
from lensml.models.autoencoders import build_autoencoder, kl_to_standard_normal

pytestmark = pytest.mark.usefixtures("one_torch_thread")


@pytest.fixture
def few(tmp_path: Path) -> Images:
    """A few images of a spot that moves."""
    return images_of([write_store(tmp_path / "few.zarr", blobs(16, np.random.default_rng(0)))])


@given(size=st.integers(4, 23), method=st.sampled_from(METHODS))
def test_reconstructions_have_the_size_of_the_images(size, method):
    model = build_autoencoder(method, spec(), size, seed=0).eval()
    coded = model(torch.zeros(2, 1, size, size))
    assert coded.reconstruction.shape == (2, 1, size, size)
    assert coded.mean.shape == (2, AUTOENCODER.latent_dim)
    assert (coded.log_variance is not None) == (method == "vae")


def test_reconstructions_are_not_bounded_below(few):
    """A background fluctuates about zero."""
    model = build_autoencoder("conv_autoencoder", spec(), 16, seed=0).eval()
    assert model(few.batch(np.arange(16))).reconstruction.min() < 0


def test_an_image_too_small_for_the_widths_is_refused():
    with pytest.raises(ValueError, match="image size 7 cannot be halved 3 times"):
        build_autoencoder("aae", spec(widths=[2, 2, 2]), 7, seed=0)


def test_the_divergence_is_the_closed_form():
    generator = torch.Generator().manual_seed(0)
    mean, log_variance = torch.randn(2, 5, 3, generator=generator, dtype=torch.float64)
    prior = Normal(torch.zeros_like(mean), torch.ones_like(mean))
    expected = kl_divergence(Normal(mean, (log_variance / 2).exp()), prior).sum(1)
    torch.testing.assert_close(kl_to_standard_normal(mean, log_variance), expected)


def test_a_variational_code_is_sampled_with_its_own_standard_deviation(few):
    model = build_autoencoder("vae", spec(), 16, seed=0).eval()
    x = few.batch(np.arange(2))
    mean, log_variance = model.encode(x)
    assert log_variance is not None
    noise_ = torch.full_like(mean, 3.0)
    expected = model.decode(mean + 3 * log_variance.exp().sqrt())
    torch.testing.assert_close(model(x, noise_).reconstruction, expected)
    torch.testing.assert_close(model(x).reconstruction, model.decode(mean))
