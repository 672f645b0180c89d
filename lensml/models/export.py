"""A classifier as one module from images in physical units to calibrated probabilities."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from lensml.models.symmetry import SYMMETRIES, transform
from lensml.schema.encoders import NetworkInput


class ExportedClassifier(nn.Module):
    """Everything between an image in e-/s per pixel and its calibrated class probabilities.

    The stretch and crop of the network's input, the network, the mean of its probabilities over a
    symmetry group, and the temperature T: p^(1/T), normalised (Guo et al. 2017,
    arXiv:1706.04599).
    """

    def __init__(
        self,
        network: nn.Module,
        spec: NetworkInput,
        *,
        symmetry: str,
        temperature: float,
        smallest: float,
    ) -> None:
        """Wrap a trained network.

        Args:
            network: (N, C, H, W) on the network's scale to (N, K) logits.
            spec: stretch and crop of the network's input.
            symmetry: key of ``SYMMETRIES`` that is averaged over; 'none' for a single pass.
            temperature: T > 0; below 1 it sharpens.
            smallest: lower probabilities count as this in the logarithm.
        """
        super().__init__()
        self.network, self.spec = network, spec
        self.elements = SYMMETRIES[symmetry]
        self.temperature, self.smallest = temperature, smallest

    def forward(self, image: Tensor, background_rms: Tensor, *fitted: Tensor) -> Tensor:
        """Calibrated probabilities.

        Args:
            image: (N, H, W) float32, e-/s per pixel.
            background_rms: (N,) float32, e-/s per pixel.
            fitted: residual and convergence of the fitted smooth lens, (N, H, W) float32 each,
                where the network sees them, in the order of its channels.

        Returns:
            (N, K) float32, rows sum to 1.
        """
        size = self.spec.img_size(image.shape[1])
        inner = slice((image.shape[1] - size) // 2, (image.shape[1] + size) // 2)
        maps = iter(fitted)
        x = torch.stack(
            [
                self._stretch(image[:, inner, inner], background_rms)
                if channel == "image"
                else self._squash(next(maps)[:, inner, inner], channel)
                for channel in self.spec.channels
            ],
            dim=1,
        )
        # One pass over all elements: a pass for each would repeat the graph of the network.
        seen = torch.cat([transform(x, element) for element in self.elements])
        p = self.network(seen).softmax(1)
        p = p.reshape(len(self.elements), -1, p.shape[1]).mean(0)
        return (p.clamp_min(self.smallest).log() / self.temperature).softmax(1)

    def _squash(self, fitted: Tensor, channel: str) -> Tensor:
        """As :func:`lensml.data.images.squash`."""
        residual = channel == "residual"
        return (fitted / (self.spec.residual_units if residual else self.spec.kappa_units)).asinh()

    def _stretch(self, image: Tensor, background_rms: Tensor) -> Tensor:
        """As :func:`lensml.data.images.stretch`."""
        if self.spec.stretch == "per_image_max":
            return image / image.amax((1, 2), keepdim=True)
        x = image / (background_rms[:, None, None] * self.spec.noise_units)
        return (x.asinh() if self.spec.stretch == "asinh" else x) / self.spec.scale
