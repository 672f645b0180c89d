"""Whole runs of the toy study, and ways for them to die."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from lensml.models.encoders import build_classifier
from lensml.schema import adaptation as adaptation_schema
from lensml.schema import encoders as encoder_schema
from lensml.schema.anomaly import AutoencoderMethod, Mae
from lensml.training.adaptation.oracle import train_oracle
from lensml.training.adaptation.run import adapt_adda
from lensml.training.anomaly.autoencoder_run import train_autoencoder
from lensml.training.anomaly.mae_run import train_mae
from lensml.training.classification.run import train_classifier
from lensml.training.classification.task import ClassifierTask
from lensml.training.engine.checkpoint import load_weights
from toy.stores import setting
from toy.study import (
    ADABN,
    ADDA,
    AUTOENCODER,
    CLASSIFIER,
    CNN,
    OPTIMIZATION,
    ORACLE,
    STEM,
    Study,
    images_of,
    results_in,
)

CPU = torch.device("cpu")
MAE = Mae(
    **OPTIMIZATION,
    epochs=4,
    patch_size=4,
    mask_ratio=0.5,
    loss="pixel",
    embed_dim=16,
    depth=1,
    num_heads=2,
    mlp_ratio=2.0,
    decoder_embed_dim=8,
    decoder_depth=1,
    decoder_num_heads=2,
)


def source_encoder(study: Study, spec: encoder_schema.Encoder) -> nn.Module:
    network = build_classifier(spec, img_size=16, num_classes=2, seed=0)
    load_weights(study.weights[spec.kind], network)
    return network.encoder


def same_weights(a: dict[str, Tensor], b: dict[str, Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


class Killed(BaseException):
    """What ends a run in the middle of a step."""


def classifier_task(
    study: Study, spec: encoder_schema.Encoder = CNN, **changes: Any
) -> ClassifierTask:
    options: dict[str, Any] = {
        "spec": CLASSIFIER,
        "steps": 15,
        "seed": 0,
        "symmetry": "square",
        "label_smoothing": 0.0,
        "ema_decay": 0.9,
        "paired": True,
        "device": CPU,
    }
    return ClassifierTask(
        build_classifier(spec, img_size=16, num_classes=2, seed=0),
        images_of(study.train),
        images_of(study.validation),
        **(options | changes),
    )


def run_classifier(study: Study, folder: Path, *, seed: int = 0, **changes: Any) -> None:
    train_classifier(
        study.train,
        study.validation,
        results_in(folder),
        encoder=STEM,
        classifier=CLASSIFIER.model_copy(update=changes),
        symmetry="square",
        setting=setting(folder, seed=seed),
    )


def run_adda(
    study: Study,
    folder: Path,
    *,
    encoder: encoder_schema.Encoder = STEM,
    weights: str | None = None,
    pool: str | None = None,
    adda: adaptation_schema.Adda = ADDA,
) -> None:
    adapt_adda(
        study.train,
        pool or study.pool,
        weights or study.weights[encoder.kind],
        results_in(folder),
        encoder=encoder,
        adda=adda,
        adabn=ADABN,
        num_classes=2,
        symmetries=("square", "flips"),
        setting=setting(folder),
    )


def run_stabilised_adda(study: Study, folder: Path) -> None:
    changes = {"spectral_norm": True, "gradient_penalty": 1.0}
    run_adda(study, folder, adda=ADDA.model_copy(update=changes))


def run_mae(study: Study, folder: Path, **changes: Any) -> None:
    train_mae(
        study.train[0],
        study.validation[0],
        results_in(folder),
        mae=MAE.model_copy(update=changes),
        symmetry="square",
        setting=setting(folder),
    )


def run_autoencoder(study: Study, folder: Path, *, method: AutoencoderMethod) -> None:
    train_autoencoder(
        study.train[0],
        study.validation[0],
        results_in(folder),
        method=method,
        autoencoder=AUTOENCODER,
        symmetry="square",
        setting=setting(folder),
    )


def die_at(monkeypatch: pytest.MonkeyPatch, task: type, at: int) -> list[int]:
    """Make the task's step ``at`` raise once; returns the list of the steps that are taken."""
    original, taken = task.step, []
    remaining = [at]

    def step(self: Any, step: int) -> dict[str, float]:
        if step in remaining:
            remaining.remove(step)
            raise Killed
        taken.append(step)
        return original(self, step)

    monkeypatch.setattr(task, "step", step)
    return taken


def run_unpaired(study: Study, folder: Path) -> None:
    run_classifier(study, folder, paired_batches=False)


def run_muon(study: Study, folder: Path) -> None:
    run_classifier(study, folder, optimizer="muon")


def run_muon_mae(study: Study, folder: Path) -> None:
    run_mae(study, folder, optimizer="muon", loss="chi2")


def assert_same_results(a: Path, b: Path) -> None:
    for name in ("weights.safetensors", "history.csv"):
        assert (a / name).read_bytes() == (b / name).read_bytes(), name


def run_and_die_while_saving(run: Any, study: Study, folder: str) -> None:
    """Kill this process with half of the third checkpoint written."""
    original, saves = torch.save, [0]

    def save(content: Any, stream: Any) -> None:
        saves[0] += 1
        if saves[0] == 3:
            stream.write(b"half of a checkpoint")
            stream.flush()
            os.kill(os.getpid(), signal.SIGKILL)
        original(content, stream)

    torch.save = save  # type: ignore[assignment]
    run(study, Path(folder))


def run_oracle(study: Study, folder: Path, *, weights: str) -> None:
    train_oracle(
        study.train,
        study.validation,
        weights,
        results_in(folder),
        encoder=STEM,
        classifier=CLASSIFIER,
        oracle=ORACLE,
        symmetry="square",
        setting=setting(folder),
    )
