"""Linear probe of a masked autoencoder: what its embedding knows of the classes."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from lensml.data.torch_dataset import Images
from lensml.evaluation.anomaly.scores import embedding
from lensml.evaluation.statistics.predictions import write_predictions
from lensml.models.mae import MaskedAutoencoder
from lensml.schema.anomaly import Mae
from lensml.training.engine.checkpoint import load_weights
from lensml.training.engine.device import prepare_device
from lensml.training.engine.prediction import PREDICTION_BATCH
from lensml.training.engine.setting import Setting

MAX_ITERATIONS = 2000


def probe_mae(
    train: Sequence[str],
    validation: Sequence[str],
    test: Sequence[str],
    weights: str,
    output: str,
    *,
    classes: Sequence[str],
    mae: Mae,
    n_train: int,
    n_validation: int,
    candidates: Sequence[float],
    setting: Setting,
) -> None:
    """Write the predictions of a logistic regression on the embedding; the encoder stays as it is.

    Args:
        train, validation, test: stores, one per class.
        weights: of the masked autoencoder.
        output: predictions.csv of the test images.
        classes: names in the order of the stores.
        mae: architecture.
        n_train, n_validation: first images of every class that are used.
        candidates: inverse regularisations, of which the one with the smallest log-loss on the
            validation images is kept.
        setting: see :class:`lensml.training.engine.setting.Setting`.
    """
    device = prepare_device(setting.compute)
    known, held_out, images = (
        setting.images(stores, device, limit=limit)
        for stores, limit in ((train, n_train), (validation, n_validation), (test, None))
    )
    model = MaskedAutoencoder(mae, known.img_size, known.in_chans).to(device)
    load_weights(weights, model)
    model.eval()
    x, x_validation, x_test = (embeddings(model, part) for part in (known, held_out, images))
    labels = range(len(classes))
    fits = [_fit(x, known.labels, C) for C in candidates]
    losses = [
        log_loss(held_out.labels, fit.predict_proba(x_validation), labels=labels) for fit in fits
    ]
    best = int(np.argmin(losses))
    logging.info(
        "C = %g of %s, validation log-loss %.4f", candidates[best], candidates, losses[best]
    )
    write_predictions(output, fits[best].predict_proba(x_test), images, classes)


@torch.no_grad()
def embeddings(model: MaskedAutoencoder, images: Images) -> np.ndarray:
    """Mean token of every whole image, (N, D)."""
    parts = []
    for start in range(0, len(images), PREDICTION_BATCH):
        x = images.batch(np.arange(start, min(start + PREDICTION_BATCH, len(images))))
        parts.append(embedding(model, model.patchify(x)))
    return np.concatenate(parts)


def _fit(x: np.ndarray, labels: np.ndarray | None, C: float) -> Pipeline:
    pipeline = make_pipeline(StandardScaler(), LogisticRegression(C=C, max_iter=MAX_ITERATIONS))
    return pipeline.fit(x, labels)
