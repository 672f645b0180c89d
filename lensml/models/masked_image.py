"""Images with hidden squares, and pixels from tokens (SimMIM, Xie et al. 2021, arXiv:2111.09886).

A masked autoencoder's encoder sees visible patches only, which a convolutional stem cannot; here
the encoder sees the whole image with the hidden squares at the background's level.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from lensml.models.mae import random_masking


def hidden_pixels(
    n: int, img_size: int, patch_size: int, mask_ratio: float, generator: torch.Generator
) -> Tensor:
    """Squares to hide, (n, 1, img_size, img_size) bool.

    Args:
        n: images.
        img_size: pixels per axis.
        patch_size: of a square; those at the right and lower edge may be cut.
        mask_ratio: share of the squares that is hidden; at least one, and one is left.
        generator: on the CPU.
    """
    grid = math.ceil(img_size / patch_size)
    mask = random_masking(n, grid * grid, mask_ratio, generator).mask.bool()
    squares = mask.reshape(n, 1, grid, grid)
    pixels = squares.repeat_interleave(patch_size, 2).repeat_interleave(patch_size, 3)
    return pixels[:, :, :img_size, :img_size]


class TokenDecoder(nn.Module):
    """One linear layer from every token to its part of the image: (N, L, D) -> (N, C, H, H)."""

    def __init__(
        self, num_tokens: int, num_features: int, img_size: int, in_chans: int = 1
    ) -> None:
        super().__init__()
        self.img_size, self.grid = img_size, math.isqrt(num_tokens)
        self.in_chans = in_chans
        self.patch_size = math.ceil(img_size / self.grid)
        self.layer = nn.Linear(num_features, in_chans * self.patch_size**2)

    def forward(self, tokens: Tensor) -> Tensor:
        """Predicted pixels."""
        n, grid, size, c = len(tokens), self.grid, self.patch_size, self.in_chans
        patches = self.layer(tokens).reshape(n, grid, grid, c, size, size)
        image = patches.permute(0, 3, 1, 4, 2, 5).reshape(n, c, grid * size, grid * size)
        return image[:, :, : self.img_size, : self.img_size]
