"""Whole runs of convolutional autoencoders, from stores to weights, history and ``run.json``."""

from __future__ import annotations

from lensml.models.autoencoders import build_autoencoder
from lensml.schema.anomaly import Autoencoder, AutoencoderMethod
from lensml.schema.steps import steps_per_epoch
from lensml.training.anomaly.autoencoders import AutoencoderTask
from lensml.training.engine.checkpoint import save_weights
from lensml.training.engine.device import prepare_device
from lensml.training.engine.execution import execution_of
from lensml.training.engine.record import data_fingerprint
from lensml.training.engine.run import run_task, write_results
from lensml.training.engine.setting import Results, Setting


def train_autoencoder(
    train: str,
    validation: str,
    results: Results,
    *,
    method: AutoencoderMethod,
    autoencoder: Autoencoder,
    symmetry: str,
    setting: Setting,
) -> None:
    """Train an autoencoder on the stores of the class ``no_sub`` (after arXiv:2008.12731).

    Args:
        train, validation: stores.
        results: files to write.
        method: which of the three.
        autoencoder: architecture and recipe.
        symmetry: of the domain's population.
        setting: see :class:`lensml.training.engine.setting.Setting`.

    Raises:
        ValueError: the images are too small for the widths, or fewer than two.
        FloatingPointError: a loss is not finite; names the step.
    """
    device = prepare_device(setting.compute)
    images = setting.images([train], device)
    model = build_autoencoder(method, autoencoder, images.img_size, seed=setting.seed)
    steps = autoencoder.epochs * steps_per_epoch(len(images), autoencoder.batch_size)
    task = AutoencoderTask(
        model,
        images,
        setting.images([validation], device),
        method=method,
        spec=autoencoder,
        steps=steps,
        seed=setting.seed,
        symmetry=symmetry,
        device=device,
        execution=execution_of(setting.compute, device),
    )
    config = {"method": method, "autoencoder": autoencoder.model_dump()}
    data = data_fingerprint([train, validation])
    outcome = run_task(task, steps, task.order.per_epoch, config, data, setting)
    save_weights(results.weights, model.state_dict(), config)
    size = task.order.images_per_batch
    write_results(outcome, results, config, data, setting, device, size, task.execution)
