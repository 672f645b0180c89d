"""What an encoder knows of every place in an image, before it averages over them."""

from __future__ import annotations

import math

from torch import Tensor, nn

from lensml.models.encoders import ConvNet
from lensml.models.timm_encoder import TimmEncoder


def tokens_of(encoder: nn.Module, x: Tensor) -> Tensor:
    """Features of every cell of the encoder's last grid, row by row.

    Args:
        encoder: of :func:`lensml.models.encoders.build_encoder`.
        x: (N, 1, H, W).

    Returns:
        (N, L, D) with L a square number.

    Raises:
        ValueError: the encoder has no such grid.
    """
    inner = encoder.model if isinstance(encoder, TimmEncoder) else encoder
    features = inner.layers(x) if isinstance(inner, ConvNet) else inner.forward_features(x)  # type: ignore[operator]
    if features.ndim == 4:
        channels_last = features.shape[1] == features.shape[2] != features.shape[3]
        features = features.flatten(1, 2) if channels_last else features.flatten(2).transpose(1, 2)
    else:
        features = features[:, getattr(inner, "num_prefix_tokens", 0) :]
    if math.isqrt(features.shape[1]) ** 2 != features.shape[1]:
        raise ValueError(f"the encoder's {features.shape[1]} tokens are no square grid")
    return features
