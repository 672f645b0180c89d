"""What a trained network says of images, batch by batch."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor, nn

from lensml.data.torch_dataset import Images
from lensml.models.symmetry import SYMMETRIES, transform

PREDICTION_BATCH = 64  # small enough for the caches of a CPU: a quarter faster than 250


@torch.inference_mode()
def predict_probabilities(model: nn.Module, images: Images, *, symmetry: str) -> np.ndarray:
    """Class probabilities, averaged over the elements of a symmetry group.

    Args:
        model: classifier; switched to evaluation.
        images: N images.
        symmetry: key of ``SYMMETRIES``; 'none' for a single pass.

    Returns:
        (N, K) float64, rows sum to 1.
    """
    model.eval()
    out = []
    for x in batches_of(images):
        passes = [model(channels_last(transform(x, e))).softmax(1) for e in SYMMETRIES[symmetry]]
        out.append(torch.stack(passes).double().mean(0).cpu().numpy())
    return np.concatenate(out)


def batches_of(images: Images) -> Iterator[Tensor]:
    """All images in their order, batch by batch, (N, C, H, W) each."""
    for start in range(0, len(images), PREDICTION_BATCH):
        yield images.batch(np.arange(start, min(start + PREDICTION_BATCH, len(images))))


def channels_last(x: Tensor) -> Tensor:
    """The images in the order of memory that convolutions on a CPU like best."""
    return x.contiguous(memory_format=torch.channels_last)


@torch.no_grad()
def embed(encoder: nn.Module, images: Images, index: np.ndarray) -> Tensor:
    """Embeddings of the images at ``index``, (len(index), D)."""
    encoder.eval()
    pieces = np.array_split(index, max(-(-len(index) // PREDICTION_BATCH), 1))
    return torch.cat([encoder(images.batch(piece)) for piece in pieces])
