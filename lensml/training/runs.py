"""Whole runs, from stores on disk to weights, history and ``run.json``: one function per rule."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn

from lensml.data.files import write_csv
from lensml.data.store import open_store
from lensml.data.torch_dataset import Images
from lensml.models.encoders import Classifier as ClassifierNetwork
from lensml.models.encoders import build_classifier
from lensml.models.mae import MaskedAutoencoder
from lensml.schema.adaptation import Oracle
from lensml.schema.anomaly import Mae
from lensml.schema.encoders import Encoder
from lensml.schema.training import Classifier, Optimization
from lensml.training.checkpoint import load_weights, save_weights
from lensml.training.classifier import ClassifierTask, batch_order
from lensml.training.device import prepare_device
from lensml.training.execution import FLOAT32, Execution, execution_of
from lensml.training.loop import Outcome, finish, run_training
from lensml.training.mae import MaeTask
from lensml.training.parallel import on_every_device, rank, world_size
from lensml.training.record import data_fingerprint, file_checksum, write_run
from lensml.training.setting import Results, Setting


def steps_of(n_images: int, batch_size: int, epochs: int) -> int:
    """Optimisation steps of a number of epochs."""
    return epochs * max(n_images // min(batch_size, n_images), 1)


@on_every_device
def train_classifier(
    train: Sequence[str],
    validation: Sequence[str],
    results: Results,
    *,
    encoder: Encoder,
    classifier: Classifier,
    symmetry: str,
    setting: Setting,
) -> None:
    """Train a classifier on labelled stores, one per class.

    Args:
        train, validation: stores, in the order of the classes.
        results: files to write.
        encoder, classifier: architecture and recipe.
        symmetry: of the domain's population.
        setting: see :class:`lensml.training.setting.Setting`.
    """
    device = prepare_device(setting.compute)
    images = setting.images(train, device)
    network = build_classifier(
        encoder, img_size=images.img_size, num_classes=len(train), seed=setting.seed
    )
    config = {
        "encoder": encoder.model_dump(),
        "classifier": classifier.model_dump(exclude={"domains", "encoders", "seeds"}),
    }
    fit_classifier(
        network,
        images,
        setting.images(validation, device),
        results,
        spec=classifier,
        epochs=classifier.epochs,
        evaluations=classifier.evaluations_per_epoch,
        symmetry=symmetry if classifier.augment else "none",
        label_smoothing=classifier.label_smoothing,
        ema_decay=classifier.ema_decay,
        paired=classifier.paired_batches,
        config=config,
        data=data_fingerprint([*train, *validation]),
        setting=setting,
        device=device,
    )


def train_oracle(
    train: Sequence[str],
    validation: Sequence[str],
    source_weights: str,
    results: Results,
    *,
    encoder: Encoder,
    classifier: Classifier,
    oracle: Oracle,
    symmetry: str,
    setting: Setting,
) -> None:
    """Train the source classifier further on *labelled* target stores: an upper reference.

    Args: as for :func:`train_classifier`, and ``source_weights``, where it starts.
    """
    device = prepare_device(setting.compute)
    images = setting.images(train, device)
    network = source_classifier(source_weights, encoder, images.img_size, len(train))
    fit_classifier(
        network,
        images,
        setting.images(validation, device),
        results,
        spec=oracle,
        epochs=oracle.epochs,
        evaluations=oracle.evaluations_per_epoch,
        symmetry=symmetry if classifier.augment else "none",
        label_smoothing=classifier.label_smoothing,
        ema_decay=classifier.ema_decay,
        paired=classifier.paired_batches,
        config={
            "encoder": encoder.model_dump(),
            "oracle": oracle.model_dump(),
            "classifier": classifier.model_dump(
                include={"augment", "label_smoothing", "ema_decay", "paired_batches"}
            ),
        },
        data=[*data_fingerprint([*train, *validation]), file_checksum(source_weights)],
        setting=setting,
        device=device,
    )


def fit_classifier(
    network: ClassifierNetwork,
    images: Images,
    validation: Images,
    results: Results,
    *,
    spec: Optimization,
    epochs: int,
    evaluations: int,
    symmetry: str,
    label_smoothing: float,
    ema_decay: float,
    paired: bool,
    config: dict[str, Any],
    data: list[str],
    setting: Setting,
    device: torch.device,
    steps: int | None = None,
    watch: Callable[[float, float], None] | None = None,
) -> None:
    """Train a classifier's network and write its results.

    Args:
        network: to be trained.
        images, validation: labelled.
        results: files to write.
        spec: optimiser and schedule.
        epochs, evaluations: length, and validations per epoch.
        symmetry: augmentation.
        label_smoothing, ema_decay, paired: see
            :class:`lensml.training.classifier.ClassifierTask`.
        config, data: sections and checksums that the run depends on.
        setting: see :class:`lensml.training.setting.Setting`.
        device: of the network.
        steps: in total, with as many validations as the epochs would have; None for the epochs.
        watch: called after every validation with the fraction of the steps and the AUC; what it
            raises ends the run.
    """
    order = batch_order(images, spec.batch_size, setting.seed, paired=paired)
    steps = steps or epochs * order.per_epoch
    task = ClassifierTask(
        network,
        images,
        validation,
        spec=spec,
        steps=steps,
        seed=setting.seed,
        symmetry=symmetry,
        label_smoothing=label_smoothing,
        ema_decay=ema_decay,
        paired=paired,
        device=device,
        execution=execution_of(setting.compute, device),
        watch=watch,
    )
    # Rounded up, or a few steps would be left at the end, with a row of their own.
    per_evaluation = math.ceil(steps / (epochs * evaluations))
    outcome = run_task(task, steps, per_evaluation, config, data, setting)
    if rank() == 0:
        save_weights(results.weights, task.best, config)
        size = task.order.images_per_batch
        write_results(outcome, results, config, data, setting, device, size, task.execution)


@on_every_device
def train_mae(
    train: str,
    validation: str,
    results: Results,
    *,
    mae: Mae,
    symmetry: str,
    setting: Setting,
    n_train: int | None = None,
) -> None:
    """Train a masked autoencoder on the stores of the class ``no_sub``.

    Args:
        train, validation: stores.
        results: files to write.
        mae: architecture and recipe.
        symmetry: of the domain's population.
        setting: see :class:`lensml.training.setting.Setting`.
        n_train: so many images, the first ones, in as many steps as all would have; None for all.

    Raises:
        ValueError: the patches do not cover the images, or errors in units of noise are asked for
            and the stretch has no inverse.
        FloatingPointError: a loss is not finite; names the step.
    """
    device = prepare_device(setting.compute)
    n_all = len(open_store(train))
    images = setting.images([train], device, limit=n_train)
    torch.manual_seed(setting.seed)
    model = MaskedAutoencoder(mae, images.img_size)
    steps = steps_of(n_all, mae.batch_size, mae.epochs)
    task = MaeTask(
        model,
        images,
        setting.images([validation], device),
        spec=mae,
        steps=steps,
        seed=setting.seed,
        symmetry=symmetry,
        device=device,
        execution=execution_of(setting.compute, device),
    )
    config = {"mae": mae.model_dump(), "n_train": len(images)}
    data = data_fingerprint([train, validation])
    outcome = run_task(task, steps, math.ceil(steps / mae.epochs), config, data, setting)
    if rank() == 0:
        save_weights(results.weights, model.state_dict(), config)
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


def run_task(
    task: Any, steps: int, per_evaluation: int, config: Any, data: list[str], setting: Setting
) -> Outcome:
    """Train a task; its checkpoint is of this configuration, data and seed.

    Args:
        task: see :class:`lensml.training.loop.Task`.
        steps: in total.
        per_evaluation: steps between two rows of the history.
        config: every section that the run depends on.
        data: checksums of what it reads.
        setting: see :class:`lensml.training.setting.Setting`.
    """
    return run_training(
        task,
        steps=steps,
        steps_per_evaluation=per_evaluation,
        state=setting.state,
        made_of={
            "config": config,
            "data": data,
            "seed": setting.seed,
            "network_input": setting.network_input.model_dump(),
            "precision": task.execution.precision,
        },
        label=setting.label,
    )


def write_results(
    outcome: Outcome,
    results: Results,
    config: dict[str, Any],
    data: list[str],
    setting: Setting,
    device: torch.device,
    images_per_step: int,
    execution: Execution = FLOAT32,
) -> None:
    """Write history and ``run.json`` beside the weights, then remove the checkpoint.

    Args: as for :func:`run_task`, and its ``outcome``, the files to write, where it ran, and
    ``images_per_step``, which turns steps per second into images per second.
    """
    write_csv(results.history, outcome.history)
    write_run(
        results.run,
        config={**config, "network_input": setting.network_input.model_dump()},
        data=data,
        device=device,
        seconds=outcome.seconds,
        images_per_second=outcome.steps_per_second * images_per_step,
        precision=execution.precision,
        devices=world_size(),
        seed=setting.seed,
        weights=Path(results.weights).name,
    )
    finish(setting.state)
