"""A classifier as one module from images in physical units to calibrated probabilities."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from lensml.models.symmetry import SYMMETRIES, transform
from lensml.schema.encoders import NetworkInput


class ExportedClassifier(nn.Module):
    """Everything between an image in e-/s per pixel and its calibrated class probabilities.

    The stretch ``asinh(image / background_rms / noise_units) / scale``, the network, the mean of
    its probabilities over a symmetry group, and the temperature T: p^(1/T), normalised
    (Guo et al. 2017, arXiv:1706.04599).
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
            network: (N, 1, H, W) on the network's scale to (N, K) logits.
            spec: noise_units and scale of the stretch.
            symmetry: key of ``SYMMETRIES`` that is averaged over; 'none' for a single pass.
            temperature: T > 0; below 1 it sharpens.
            smallest: lower probabilities count as this in the logarithm.
        """
        super().__init__()
        self.network, self.spec = network, spec
        self.elements = SYMMETRIES[symmetry]
        self.temperature, self.smallest = temperature, smallest

    def forward(self, image: Tensor, background_rms: Tensor) -> Tensor:
        """Calibrated probabilities.

        Args:
            image: (N, H, W) float32, e-/s per pixel.
            background_rms: (N,) float32, e-/s per pixel.

        Returns:
            (N, K) float32, rows sum to 1.
        """
        noise = background_rms[:, None, None] * self.spec.noise_units
        x = (torch.asinh(image / noise) / self.spec.scale)[:, None]
        # One pass over all elements: a pass for each would repeat the graph of the network.
        seen = torch.cat([transform(x, element) for element in self.elements])
        p = self.network(seen).softmax(1)
        p = p.reshape(len(self.elements), -1, p.shape[1]).mean(0)
        return (p.clamp_min(self.smallest).log() / self.temperature).softmax(1)
