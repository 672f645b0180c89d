"""Whole runs of adaptation, from stores on disk to weights, history and ``run.json``."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import pandas as pd
import torch

from lensml.data.torch_dataset import Images
from lensml.models.encoders import Classifier
from lensml.schema.adaptation import AdaBn, Adda, Distortion, Joint, JointMethod
from lensml.schema.encoders import Encoder
from lensml.schema.steps import steps_at_equal_cost
from lensml.training.adaptation.adda import AddaTask, adapt_batch_norm
from lensml.training.adaptation.joint import TASKS
from lensml.training.adaptation.joint.task import FORWARD, TRAINED
from lensml.training.adaptation.snapshots import save_snapshots
from lensml.training.adaptation.watch import complaint
from lensml.training.classification.run import source_classifier
from lensml.training.engine.checkpoint import save_weights
from lensml.training.engine.device import prepare_device
from lensml.training.engine.execution import execution_of
from lensml.training.engine.loop import Outcome
from lensml.training.engine.record import data_fingerprint, file_checksum
from lensml.training.engine.run import run_task, write_results
from lensml.training.engine.setting import Results, Setting

log = logging.getLogger(__name__)

ROWS = 20  # of a history


def adapt_adda(
    source: Sequence[str],
    target_pool: str,
    source_weights: str,
    results: Results,
    *,
    encoder: Encoder,
    adda: Adda,
    adabn: AdaBn,
    num_classes: int,
    symmetries: tuple[str, str],
    setting: Setting,
    snapshots: str | None = None,
) -> None:
    """Adapt a source classifier to a pool of unlabelled target images.

    With ``batch_norm: target`` the statistics are taken from the target after the last step, as in
    AdaBN: the running ones are those of the last few batches.

    Args:
        source: stores of the source domain.
        target_pool: store without labels.
        source_weights: classifier trained on the source.
        results: files to write.
        encoder, adda, adabn: architecture and recipes.
        num_classes: of the classifier.
        symmetries: of the source's and of the target's population.
        setting: see :class:`lensml.training.engine.setting.Setting`.
        snapshots: file of the classifiers (not averaged) at every row of the history after the
            warm-up; none by default.
    """
    device, target, network = _opened(target_pool, source_weights, encoder, num_classes, setting)
    task = AddaTask(
        network.encoder,
        setting.images(source, device),
        target,
        spec=adda,
        seed=setting.seed,
        source_symmetry=symmetries[0],
        target_symmetry=symmetries[1],
        device=device,
        execution=execution_of(setting.compute, device),
        keep_snapshots=snapshots is not None,
        head=network.head,
    )
    config = {"encoder": encoder.model_dump(), "adda": adda.model_dump()}
    data = [*data_fingerprint([*source, target_pool]), file_checksum(source_weights)]
    outcome = run_task(task, adda.steps, max(adda.steps // ROWS, 1), config, data, setting)
    if wrong := complaint(outcome.history, adda.warmup_steps):
        log.warning("%s: %s", setting.label, wrong)
    if snapshots is not None:
        head = {f"head.{k}": v for k, v in network.head.state_dict().items()}
        states = task.snapshots.items()
        kept = {k: head | {f"encoder.{n}": v for n, v in s.items()} for k, s in states}
        save_snapshots(snapshots, kept)
    network.encoder = task.average
    if adda.batch_norm == "target":
        adapt_batch_norm(network.encoder, target, n_images=adabn.n_images, seed=setting.seed)
    save_weights(results.weights, network.state_dict(), config)
    write_results(
        outcome, results, config, data, setting, device, 2 * adda.batch_size, task.execution
    )


def adapt_adabn(
    target_pool: str,
    source_weights: str,
    results: Results,
    *,
    encoder: Encoder,
    adabn: AdaBn,
    num_classes: int,
    setting: Setting,
) -> None:
    """Replace the batch-norm statistics of a source classifier by the target's."""
    device, target, network = _opened(target_pool, source_weights, encoder, num_classes, setting)
    adapt_batch_norm(network.encoder, target, n_images=adabn.n_images, seed=setting.seed)
    config = {"encoder": encoder.model_dump(), "adabn": adabn.model_dump()}
    save_weights(results.weights, network.state_dict(), config)
    outcome = Outcome(pd.DataFrame({"step": [0]}), 0.0, 0.0)
    data = [*data_fingerprint([target_pool]), file_checksum(source_weights)]
    write_results(outcome, results, config, data, setting, device, adabn.n_images)


def adapt_jointly(
    method: str,
    source: Sequence[str],
    target_pool: str,
    source_weights: str,
    results: Results,
    *,
    own: JointMethod,
    encoder: Encoder,
    joint: Joint,
    distortion: Distortion,
    adda: Adda,
    adabn: AdaBn,
    num_classes: int,
    symmetries: tuple[str, str],
    setting: Setting,
) -> None:
    """Train a source classifier further on source labels and a pool of target images.

    Args:
        method: key of ``TASKS``.
        source: stores of the source domain, one per class.
        target_pool: store without labels.
        source_weights: classifier trained on the source.
        results: files to write.
        own: section of the method's own settings.
        encoder, joint, distortion: architecture and recipe.
        adda: whose operations give the number of steps.
        adabn: of the statistics with ``batch_norm: target``, taken after the last step.
        num_classes: of the classifier.
        symmetries: of the source's and of the target's population.
        setting: see :class:`lensml.training.engine.setting.Setting`.
    """
    device, target, network = _opened(target_pool, source_weights, encoder, num_classes, setting)
    kind = TASKS[method]
    steps = joint_steps(adda, joint.batch_size, kind.passes)
    task = kind(
        network,
        setting.images(source, device),
        target,
        spec=joint,
        method=own,
        distortion=distortion,
        network_input=setting.network_input,
        steps=steps,
        seed=setting.seed,
        symmetries=symmetries,
        device=device,
        execution=execution_of(setting.compute, device),
    )
    config = {
        "method": method,
        "encoder": encoder.model_dump(),
        "joint": joint.model_dump(),
        "distortion": distortion.model_dump(),
        "own": own.model_dump(),
        "steps": steps,
    }
    data = [*data_fingerprint([*source, target_pool]), file_checksum(source_weights)]
    outcome = run_task(task, steps, -(-steps // ROWS), config, data, setting)
    if own.batch_norm == "target":
        adapt_batch_norm(task.average.encoder, target, n_images=adabn.n_images, seed=setting.seed)
    save_weights(results.weights, task.average.state_dict(), config)
    size = 2 * joint.batch_size
    write_results(outcome, results, config, data, setting, device, size, task.execution)


def _opened(
    target_pool: str, source_weights: str, encoder: Encoder, num_classes: int, setting: Setting
) -> tuple[torch.device, Images, Classifier]:
    """Device, pool of target images and source classifier: where every method begins."""
    device = prepare_device(setting.compute)
    target = setting.images([target_pool], device, labelled=False)
    network = source_classifier(
        source_weights, encoder, target.img_size, num_classes, target.in_chans
    )
    return device, target, network.to(device)


def joint_steps(adda: Adda, batch_size: int, passes: int) -> int:
    """Steps that cost as many passes through the encoder as ADDA's.

    ADDA sends both domains forward, and after its warm-up trains on the target.

    Args:
        adda: its steps and batch size.
        batch_size: images of either domain in a step.
        passes: of one image of either domain in a step.
    """
    warmup = adda.warmup_steps * 2 * FORWARD
    rest = (adda.steps - adda.warmup_steps) * (FORWARD + TRAINED)
    steps = (warmup + rest) * adda.batch_size
    return steps_at_equal_cost(steps, cost=passes * batch_size, reference_cost=1)
