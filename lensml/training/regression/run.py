"""Whole runs of regression, from stores on disk to weights, history and ``run.json``."""

from __future__ import annotations

import math

import numpy as np
import torch

from lensml.data.targets import Target
from lensml.models.regressor import Regressor, build_regressor
from lensml.schema.encoders import Encoder
from lensml.schema.regression import RegressionRecipe
from lensml.training.classification.run import load_classifier
from lensml.training.engine.checkpoint import load_weights, save_weights
from lensml.training.engine.device import prepare_device
from lensml.training.engine.execution import execution_of
from lensml.training.engine.record import data_fingerprint, file_checksum
from lensml.training.engine.run import run_task, write_results
from lensml.training.engine.setting import Results, Setting
from lensml.training.regression.task import RegressionTask


def train_regression(
    train: str,
    validation: str,
    classifier_weights: str | None,
    results: Results,
    *,
    target: Target,
    encoder: Encoder,
    regression: RegressionRecipe,
    num_classes: int,
    symmetry: str,
    setting: Setting,
) -> None:
    """Train a regressor on the store of one class.

    Args:
        train, validation: stores of the class.
        classifier_weights: whose encoder it starts from; None for weights drawn from the seed.
        results: files to write.
        target: what is regressed.
        encoder, regression: architecture and recipe.
        num_classes: of the classifier.
        symmetry: of the domain's population.
        setting: see :class:`lensml.training.engine.setting.Setting`.

    Raises:
        ValueError: the target is the same in every training image.
    """
    device = prepare_device(setting.compute)
    images = setting.images([train], device)
    targets = target.values(train), target.values(validation)
    network = build_regressor(
        encoder,
        img_size=images.img_size,
        target_mean=float(targets[0].mean()),
        target_std=_spread(targets[0], target, train),
        seed=setting.seed,
    )
    data = data_fingerprint([train, validation])
    if classifier_weights is not None:
        shape = {"encoder": encoder, "img_size": images.img_size, "num_classes": num_classes}
        classifier = load_classifier(classifier_weights, **shape, device=torch.device("cpu"))
        network.encoder.load_state_dict(classifier.encoder.state_dict())  # type: ignore[union-attr]
        data.append(file_checksum(classifier_weights))
    task = RegressionTask(
        network,
        images,
        setting.images([validation], device),
        targets=targets,
        spec=regression,
        epochs=regression.epochs,
        seed=setting.seed,
        symmetry=symmetry if regression.augment else "none",
        ema_decay=regression.ema_decay,
        device=device,
        execution=execution_of(setting.compute, device),
    )
    config = {
        "encoder": encoder.model_dump(),
        "regression": regression.model_dump(),
        "target": target.name,
    }
    evaluations = regression.epochs * regression.evaluations_per_epoch
    per_evaluation = math.ceil(task.steps / evaluations)
    outcome = run_task(task, task.steps, per_evaluation, config, data, setting)
    save_weights(results.weights, task.best, config)
    size = task.order.images_per_batch
    write_results(outcome, results, config, data, setting, device, size, task.execution)


def _spread(values: np.ndarray, target: Target, store: str) -> float:
    spread = float(values.std())
    if spread < 1e-6:
        raise ValueError(
            f"{store}: {target.name} is {values[0]:.4g} in every image, so there is nothing to "
            "regress; take the domain out of regression.domains"
        )
    return spread


def load_regressor(
    weights: str, *, encoder: Encoder, img_size: int, device: torch.device
) -> Regressor:
    """A trained regressor, ready to predict; the target's scale is in the weights."""
    network = build_regressor(encoder, img_size=img_size, target_mean=0.0, target_std=1.0, seed=0)
    load_weights(weights, network)
    return network.to(device).eval()
