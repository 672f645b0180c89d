"""Autoencoders of strided convolutions, after the anomaly detectors of arXiv:2008.12731.

One pair of encoder and decoder serves three methods: a plain autoencoder, a variational one
(Kingma & Welling 2013, arXiv:1312.6114) and an adversarial one (Makhzani et al. 2015,
arXiv:1511.05644).
"""

from __future__ import annotations

import itertools
from typing import NamedTuple

import torch
from torch import Tensor, nn

from lensml.models.discriminator import Discriminator
from lensml.schema.anomaly import Autoencoder, AutoencoderMethod


class Coded(NamedTuple):
    """What an autoencoder makes of N images.

    Attributes:
        reconstruction: (N, 1, H, W), on the network's scale.
        mean: (N, latent_dim) code; of the variational autoencoder, the mean of its distribution.
        log_variance: (N, latent_dim) of that distribution, None for the other methods.
    """

    reconstruction: Tensor
    mean: Tensor
    log_variance: Tensor | None


class ConvAutoencoder(nn.Module):
    """Strided 3x3 convolutions to a latent vector, and back by transposed ones.

    Every convolution halves the image, rounded up; the decoder passes through the same sizes, so
    that images of any size come back in their own.
    """

    def __init__(self, spec: Autoencoder, img_size: int, *, variational: bool = False) -> None:
        """Weights from torch's generator.

        Args:
            spec: widths and length of the code.
            img_size: pixels per axis.
            variational: the code is a normal distribution.

        Raises:
            ValueError: fewer pixels than the convolutions halve.
        """
        super().__init__()
        if img_size < 2 ** len(spec.widths):
            raise ValueError(
                f"image size {img_size} cannot be halved {len(spec.widths)} times, once per entry "
                "of widths"
            )
        sizes = [img_size]
        for _ in spec.widths:
            sizes.append(-(-sizes[-1] // 2))
        channels = [1, *spec.widths]
        self.inner = (channels[-1], sizes[-1], sizes[-1])
        features = channels[-1] * sizes[-1] ** 2
        self.variational = variational
        self.encoder = nn.Sequential(*[_halve(a, b) for a, b in itertools.pairwise(channels)])
        self.to_code = nn.Linear(features, spec.latent_dim * (2 if variational else 1))
        self.from_code = nn.Sequential(nn.Linear(spec.latent_dim, features), nn.ReLU())
        stages = list(zip(itertools.pairwise(channels), sizes, strict=False))[::-1]
        self.decoder = nn.Sequential(
            *[_double(b, a, size, last=size == img_size) for (a, b), size in stages]
        )

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor | None]:
        """(N, 1, H, W) -> mean and log-variance of the code, (N, latent_dim) each."""
        code = self.to_code(self.encoder(x).flatten(1))
        if not self.variational:
            return code, None
        mean, log_variance = code.float().chunk(2, 1)
        return mean, log_variance

    def decode(self, code: Tensor) -> Tensor:
        """(N, latent_dim) -> (N, 1, H, W)."""
        return self.decoder(self.from_code(code).unflatten(1, self.inner))

    def forward(self, x: Tensor, noise: Tensor | None = None) -> Coded:
        """Reconstruct images.

        Args:
            x: (N, 1, H, W), on the network's scale.
            noise: (N, latent_dim) standard normal, with which a variational code is sampled; its
                mean is decoded without.
        """
        mean, log_variance = self.encode(x)
        code = mean
        if noise is not None and log_variance is not None:
            code = mean + (0.5 * log_variance).exp() * noise
        return Coded(self.decode(code), mean, log_variance)


def build_autoencoder(
    method: AutoencoderMethod, spec: Autoencoder, img_size: int, *, seed: int
) -> ConvAutoencoder:
    """The network of a method, with weights drawn from a seed.

    Raises:
        ValueError: the image is too small for the widths.
    """
    torch.manual_seed(seed)
    return ConvAutoencoder(spec, img_size, variational=method == "vae")


def code_discriminator(spec: Autoencoder) -> Discriminator:
    """Tells codes (1) from draws of N(0, 1) (0), the prior of the adversarial autoencoder."""
    return Discriminator(
        torch.zeros(spec.latent_dim), torch.ones(spec.latent_dim), spec.hidden_dim
    )


def kl_to_standard_normal(mean: Tensor, log_variance: Tensor) -> Tensor:
    """Kullback-Leibler divergence of N(mean, variance) from N(0, 1), nats.

    Args:
        mean, log_variance: (N, latent_dim).

    Returns:
        (N,), summed over the code (arXiv:1312.6114, appendix B).
    """
    return 0.5 * (log_variance.exp() + mean.square() - 1 - log_variance).sum(1)


def squared_error(reconstruction: Tensor, x: Tensor) -> Tensor:
    """Mean squared error of every image, (N, 1, H, W) -> (N,)."""
    return (reconstruction.float() - x).square().mean((1, 2, 3))


def _halve(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, stride=2, padding=1, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(),
    )


def _double(inputs: int, outputs: int, size: int, *, last: bool) -> nn.Module:
    """Inverse of :func:`_halve` in its sizes; the last stage gives the image itself."""
    convolution = nn.ConvTranspose2d(
        inputs, outputs, 3, stride=2, padding=1, output_padding=1 - size % 2, bias=last
    )
    if last:
        return convolution
    return nn.Sequential(convolution, nn.BatchNorm2d(outputs), nn.ReLU())
