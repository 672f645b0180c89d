"""Whole runs, from stores on disk to weights, history and ``run.json``: one function per rule."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import nn

from lensml.data.torch_dataset import Images
from lensml.models.encoders import Classifier as ClassifierNetwork
from lensml.models.encoders import build_classifier
from lensml.schema.encoders import Encoder
from lensml.schema.training import ClassifierRecipe
from lensml.training.classification.task import ClassifierTask
from lensml.training.engine.checkpoint import load_weights, save_weights
from lensml.training.engine.device import prepare_device
from lensml.training.engine.execution import execution_of
from lensml.training.engine.order import batch_order
from lensml.training.engine.parallel import on_every_device
from lensml.training.engine.ranks import rank
from lensml.training.engine.record import data_fingerprint
from lensml.training.engine.run import run_task, write_results
from lensml.training.engine.setting import Results, Setting


@on_every_device
def train_classifier(
    train: Sequence[str],
    validation: Sequence[str],
    results: Results,
    *,
    encoder: Encoder,
    classifier: ClassifierRecipe,
    symmetry: str,
    setting: Setting,
) -> None:
    """Train a classifier on labelled stores, one per class.

    Args:
        train, validation: stores, in the order of the classes.
        results: files to write.
        encoder, classifier: architecture and recipe.
        symmetry: of the domain's population.
        setting: see :class:`lensml.training.engine.setting.Setting`.
    """
    device = prepare_device(setting.compute)
    images = setting.images(train, device)
    network = build_classifier(
        encoder, img_size=images.img_size, num_classes=len(train), seed=setting.seed
    )
    config = {
        "encoder": encoder.model_dump(),
        "classifier": classifier.model_dump(),
    }
    fit_classifier(
        network,
        images,
        setting.images(validation, device),
        results,
        recipe=classifier,
        symmetry=symmetry,
        config=config,
        data=data_fingerprint([*train, *validation]),
        setting=setting,
    )


def fit_classifier(
    network: ClassifierNetwork,
    images: Images,
    validation: Images,
    results: Results,
    *,
    recipe: ClassifierRecipe,
    symmetry: str,
    config: dict[str, Any],
    data: list[str],
    setting: Setting,
    steps: int | None = None,
    watch: Callable[[float, float], None] | None = None,
) -> None:
    """Train a classifier's network and write its results.

    Args:
        network: to be trained.
        images, validation: labelled.
        results: files to write.
        recipe: optimiser, schedule, length, augmentation.
        symmetry: of the domain's population.
        config, data: sections and checksums that the run depends on.
        setting: see :class:`lensml.training.engine.setting.Setting`.
        steps: in total, with as many validations as the epochs would have; None for the epochs.
        watch: called after every validation with the fraction of the steps and the AUC; what it
            raises ends the run.
    """
    device = images.device
    order = batch_order(images, recipe.batch_size, setting.seed, paired=recipe.paired_batches)
    steps = steps or recipe.epochs * order.per_epoch
    task = ClassifierTask(
        network,
        images,
        validation,
        spec=recipe,
        steps=steps,
        seed=setting.seed,
        symmetry=symmetry if recipe.augment else "none",
        label_smoothing=recipe.label_smoothing,
        ema_decay=recipe.ema_decay,
        paired=recipe.paired_batches,
        device=device,
        execution=execution_of(setting.compute, device),
        watch=watch,
    )
    # Rounded up, or a few steps would be left at the end, with a row of their own.
    per_evaluation = math.ceil(steps / (recipe.epochs * recipe.evaluations_per_epoch))
    outcome = run_task(task, steps, per_evaluation, config, data, setting)
    if rank() == 0:
        save_weights(results.weights, task.best, config)
        size = task.order.images_per_batch
        write_results(outcome, results, config, data, setting, device, size, task.execution)


def source_classifier(
    weights: str, encoder: Encoder, img_size: int, num_classes: int
) -> ClassifierNetwork:
    """A trained classifier, to be trained further."""
    network = build_classifier(encoder, img_size=img_size, num_classes=num_classes, seed=0)
    load_weights(weights, network)
    return network


def load_classifier(
    weights: str, *, encoder: Encoder, img_size: int, num_classes: int, device: torch.device
) -> nn.Module:
    """A trained classifier, ready to predict."""
    network = source_classifier(weights, encoder, img_size, num_classes).to(device).eval()
    return network.to(memory_format=torch.channels_last)
