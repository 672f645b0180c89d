"""Where the time of a training step goes, for every encoder and the masked autoencoder."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from tqdm import tqdm

from lensml.data.files import write_json
from lensml.data.store import SCHEMA_VERSION
from lensml.data.store_writer import chunk_file, seal_store, write_block
from lensml.evaluation.speed.rendering import cpu_name
from lensml.evaluation.statistics.bootstrap import interval
from lensml.evaluation.statistics.tables import write_formats
from lensml.models.encoders import build_classifier
from lensml.models.mae import MaskedAutoencoder
from lensml.provenance import git_commit
from lensml.schema.anomaly import Mae
from lensml.schema.encoders import Encoder
from lensml.schema.simulation import Domain
from lensml.schema.speed import TrainingSpeed
from lensml.schema.training import ClassifierRecipe
from lensml.training.anomaly.mae import MaeTask
from lensml.training.classification.task import ClassifierTask
from lensml.training.engine.device import prepare_device
from lensml.training.engine.execution import execution_of
from lensml.training.engine.loop import run_steps
from lensml.training.engine.record import package_versions
from lensml.training.engine.setting import Setting
from lensml.training.engine.stopwatch import INSIDE, PIECES, Stopwatch

MASKED_AUTOENCODER = "mae"
WARM_UP = 3  # steps: memory is allocated, kernels are chosen or compiled
SCHEDULE = 10**6  # steps of the learning rate's schedule; none is reached
N_BOOTSTRAP = 1000
CAPTION = (
    "Steps of training on noise images, which cost what lenses cost. Medians over turns "
    "[{confidence:.0%} bootstrap interval over turns]; shares are of the step's wall time. "
    "Outside: all but forward pass, backward pass, clipping and optimiser; the moving average of "
    "the weights counts as outside. Bookkeeping: losses and progress bar. "
    "Validation, given apart, is no part of a step."
)


@dataclass(frozen=True)
class Recipes:
    """What is timed: the classifier's recipe with its encoders, and the masked autoencoder's."""

    classifier: ClassifierRecipe
    encoders: Mapping[str, Encoder]
    mae: Mae


def benchmark_training(
    domain: Domain,
    n_classes: int,
    recipes: Recipes,
    spec: TrainingSpeed,
    outputs: Sequence[str],
    run: str,
    *,
    confidence: float,
    setting: Setting,
) -> None:
    """Time the steps of every network and write the table and its ``run.json``.

    Args:
        domain: whose pixels and symmetry the images have.
        n_classes: of the classifiers.
        recipes: networks and optimisers.
        spec: sizes and repeats.
        outputs: the .csv, .html, .md and .tex files to write.
        run: path of the record of versions and machine.
        confidence: of the intervals.
        setting: see :class:`lensml.training.engine.setting.Setting`.
    """
    started = time.perf_counter()
    device = prepare_device(setting.compute)
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        stores = [
            noise_store(Path(folder) / str(k), domain.num_pix, spec.n_images, setting.seed + k)
            for k in range(n_classes)
        ]
        names = [*recipes.encoders, MASKED_AUTOENCODER]
        for name in tqdm(names, desc="benchmark of training", unit="network", disable=None):
            task = _task(name, stores, recipes, domain, device, setting)
            rows += time_task(name, task, spec, confidence=confidence, seed=setting.seed)
            execution = task.execution
    write_training_speed(pd.DataFrame(rows), outputs, confidence=confidence)
    gpu = torch.cuda.get_device_name(device) if device.type == "cuda" else None
    record = {
        "config": spec.model_dump(),
        "device": gpu or cpu_name(),
        "threads": torch.get_num_threads(),
        "precision": execution.precision,
        "compiled": execution.compiled,
        "seconds": round(time.perf_counter() - started, 1),
        "versions": package_versions(),
        "git_commit": git_commit(),
        "units": {"share": "of the wall time of a step", "ms_per_step": "ms of wall time"},
    }
    write_json(run, record)


def _task(
    name: str,
    stores: Sequence[str],
    recipes: Recipes,
    domain: Domain,
    device: torch.device,
    setting: Setting,
) -> ClassifierTask | MaeTask:
    common: dict[str, Any] = {
        "steps": SCHEDULE,
        "seed": setting.seed,
        "symmetry": domain.population.symmetry,
        "device": device,
        "execution": execution_of(setting.compute, device),
    }
    if name == MASKED_AUTOENCODER:
        images = setting.images(stores[:1], device)
        torch.manual_seed(setting.seed)
        model = MaskedAutoencoder(recipes.mae, domain.num_pix)
        return MaeTask(model, images, images, spec=recipes.mae, **common)
    images, recipe = setting.images(stores, device), recipes.classifier
    size = {"img_size": domain.num_pix, "num_classes": len(stores)}
    network = build_classifier(recipes.encoders[name], **size, seed=setting.seed)
    return ClassifierTask(
        network,
        images,
        images,
        spec=recipe,
        label_smoothing=recipe.label_smoothing,
        ema_decay=recipe.ema_decay,
        paired=recipe.paired_batches,
        **common,
    )


def noise_store(folder: Path, num_pix: int, n: int, seed: int) -> str:
    """A sealed store of background alone; images at equal index are one system in every store."""
    store, part = folder / "train.zarr", folder / "part.npz"
    images = np.random.default_rng(seed).standard_normal((n, num_pix, num_pix), np.float32)
    truth = {"system_id": np.arange(n), "background_rms": np.ones(n)}
    chunk = {"images": images, "images_per_chunk": n, "truth": truth}
    write_block(
        chunk_file(store, 0), part, **chunk, offset=np.zeros(n + 1, np.int64), perturbers={}
    )
    attributes = {
        "schema_version": SCHEMA_VERSION,
        "units": {"truth": dict.fromkeys(truth, ""), "perturbers": {}},
    }
    shape = (num_pix, num_pix)
    seal_store(
        store, [part], n_images=n, images_per_chunk=n, image_shape=shape, attributes=attributes
    )
    return str(store)


def time_task(
    name: str, task: ClassifierTask | MaeTask, spec: TrainingSpeed, *, confidence: float, seed: int
) -> list[dict[str, Any]]:
    """Rows of the table for one network: one per quantity, medians over the turns.

    The steps are those of training: the loop's own function runs them under a progress bar.
    """
    turns: list[dict[str, float]] = []
    with Path(os.devnull).open("w") as nowhere, tqdm(file=nowhere) as bar:
        run_steps(task, 0, WARM_UP, bar)
        for turn in range(spec.repeats):
            start = WARM_UP + turn * spec.steps
            watch = task.lap = Stopwatch(task.device)
            run_steps(task, start, start + spec.steps, bar)
            watch("bookkeeping")
            turns.append(_quantities(watch.seconds, spec.steps, task))
    size = task.order.images_per_batch
    table = pd.DataFrame(turns)
    rng = np.random.default_rng(seed)
    draws = rng.integers(len(table), size=(N_BOOTSTRAP, len(table)))
    rows = []
    for quantity in table.columns:
        values = table[quantity].to_numpy()
        low, high = interval(np.median(values[draws], axis=1), confidence)
        value = {"value": float(np.median(values)), "ci_low": low, "ci_high": high}
        rows.append({"network": name, "batch_size": size, "quantity": quantity, **value})
    return rows


def _quantities(
    seconds: Mapping[str, float], steps: int, task: ClassifierTask | MaeTask
) -> dict[str, float]:
    """Quantities of one turn."""
    total = sum(seconds.values())
    outside = sum(value for piece, value in seconds.items() if piece not in INSIDE)
    started = time.perf_counter()
    task.evaluate(0)
    per_image = (time.perf_counter() - started) / len(task.validation)
    return {
        "images_per_second": steps * task.order.images_per_batch / total,
        "ms_per_step": 1e3 * total / steps,
        "share_outside": outside / total,
        **{f"share_{piece}": seconds[piece] / total for piece in PIECES},
        "validation_images_per_second": 1 / per_image,
    }


def write_training_speed(
    table: pd.DataFrame, outputs: Sequence[str], *, confidence: float
) -> None:
    """Write the tidy table as CSV, and one row per network as Markdown and LaTeX."""
    write_formats(outputs, table, _shown(table), CAPTION.format(confidence=confidence))


def _shown(table: pd.DataFrame) -> pd.DataFrame:
    rows = []
    for name, group in table.groupby("network", sort=False):
        row = {"network": str(name), "batch": str(group["batch_size"].iloc[0])}
        for line in group.to_dict("records"):
            share = line["quantity"].startswith("share_")
            heading = line["quantity"].removeprefix("share_").replace("_", " ")
            scale, digits = (100, 2) if share else (1, 1)
            values = (scale * line[key] for key in ("value", "ci_low", "ci_high"))
            middle, low, high = (f"{v:.{digits}f}" for v in values)
            row[heading + " %" * share] = f"{middle} [{low}, {high}]"
        rows.append(row)
    return pd.DataFrame(rows)
