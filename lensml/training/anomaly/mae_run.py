"""Whole runs of the masked autoencoder, from stores to weights, history and ``run.json``."""

from __future__ import annotations

import math

import torch

from lensml.data.store import open_store
from lensml.models.mae import MaskedAutoencoder
from lensml.schema.anomaly import Mae
from lensml.schema.steps import steps_per_epoch
from lensml.training.anomaly.mae import MaeTask
from lensml.training.engine.checkpoint import save_weights
from lensml.training.engine.device import prepare_device
from lensml.training.engine.execution import execution_of
from lensml.training.engine.parallel import on_every_device
from lensml.training.engine.ranks import rank
from lensml.training.engine.record import data_fingerprint
from lensml.training.engine.run import run_task, write_results
from lensml.training.engine.setting import Results, Setting


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
        setting: see :class:`lensml.training.engine.setting.Setting`.
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
    model = MaskedAutoencoder(mae, images.img_size, images.in_chans)
    steps = mae.epochs * steps_per_epoch(n_all, mae.batch_size)
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
