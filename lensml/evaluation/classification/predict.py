"""Networks on test images: class probabilities and anomaly scores."""

from __future__ import annotations

from collections.abc import Sequence

from lensml.evaluation.statistics.predictions import (
    write_predictions,
)
from lensml.schema.encoders import Encoder
from lensml.training.classification.run import load_classifier
from lensml.training.engine.device import prepare_device
from lensml.training.engine.prediction import predict_probabilities
from lensml.training.engine.setting import Setting


def predict(
    stores: Sequence[str],
    weights: str,
    output: str,
    *,
    classes: Sequence[str],
    encoder: Encoder,
    symmetry: str,
    setting: Setting,
) -> None:
    """Write ``predictions.csv`` of a classifier, or ``validation.csv``.

    Args:
        stores: test or validation stores, one per class.
        weights: of the classifier.
        output: CSV with system_id, index, label and p_<class>.
        classes: names in the order of the stores.
        encoder: architecture.
        symmetry: averaged over; 'none' for a single pass.
        setting: see :class:`lensml.training.engine.setting.Setting`.
    """
    device = prepare_device(setting.compute)
    images = setting.images(stores, device)
    network = load_classifier(
        weights,
        encoder=encoder,
        img_size=images.img_size,
        num_classes=len(classes),
        device=device,
        in_chans=images.in_chans,
    )
    write_predictions(
        output, predict_probabilities(network, images, symmetry=symmetry), images, classes
    )
