"""Convolutional autoencoders on test images: anomaly scores."""

from __future__ import annotations

from collections.abc import Sequence

from lensml.evaluation.statistics.predictions import Scored, write_scores
from lensml.models.autoencoders import build_autoencoder
from lensml.schema.anomaly import Autoencoder, AutoencoderMethod
from lensml.training.anomaly.autoencoders import image_errors
from lensml.training.engine.checkpoint import load_weights
from lensml.training.engine.device import prepare_device
from lensml.training.engine.setting import Setting


def score_autoencoder(
    scored: Sequence[Scored],
    weights: str,
    *,
    method: AutoencoderMethod,
    autoencoder: Autoencoder,
    setting: Setting,
) -> None:
    """Write an autoencoder's scores: mean squared error of every reconstruction.

    Args:
        scored: images, and the file of their score ``mse``.
        weights: of the autoencoder.
        method: which autoencoder.
        autoencoder: architecture.
        setting: see :class:`lensml.training.engine.setting.Setting`.

    Raises:
        ValueError: the images are too small for the widths.
    """
    device = prepare_device(setting.compute)
    parts = [setting.images(part.stores, device, limit=part.limit) for part in scored]
    model = build_autoencoder(method, autoencoder, parts[0].img_size, seed=0)
    load_weights(weights, model)
    model.to(device)
    for part, images in zip(scored, parts, strict=True):
        write_scores(part.outputs["mse"], image_errors(model, images), images, part.classes)
