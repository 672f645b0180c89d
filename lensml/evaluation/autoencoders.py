"""Convolutional autoencoders on test images: anomaly scores."""

from __future__ import annotations

from collections.abc import Sequence

from lensml.evaluation.predictions import write_scores
from lensml.models.autoencoders import build_autoencoder
from lensml.schema.anomaly import Autoencoder, AutoencoderMethod
from lensml.training.autoencoders import image_errors
from lensml.training.checkpoint import load_weights
from lensml.training.device import prepare_device
from lensml.training.setting import Setting


def score_autoencoder(
    stores: Sequence[str],
    weights: str,
    output: str,
    *,
    classes: Sequence[str],
    method: AutoencoderMethod,
    autoencoder: Autoencoder,
    setting: Setting,
) -> None:
    """Write an autoencoder's ``scores.csv``: mean squared error of every reconstruction.

    Args:
        stores: test stores, one per class.
        weights: of the autoencoder.
        output: CSV with system_id, index, label and score.
        classes: names in the order of the stores.
        method: which autoencoder.
        autoencoder: architecture.
        setting: see :class:`lensml.training.setting.Setting`.

    Raises:
        ValueError: the images are too small for the widths.
    """
    device = prepare_device(setting.compute)
    images = setting.images(stores, device)
    model = build_autoencoder(method, autoencoder, images.img_size, seed=0)
    load_weights(weights, model)
    write_scores(output, image_errors(model.to(device), images), images, classes)
