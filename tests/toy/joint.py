"""Small runs of the rivals of ADDA."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from lensml.models.encoders import build_classifier
from lensml.schema import adaptation as schema
from lensml.schema.yaml_reader import read_yaml
from lensml.training.adaptation.joint import TASKS
from lensml.training.adaptation.joint.task import JointTask
from lensml.training.engine.checkpoint import load_weights
from toy.stores import NETWORK_INPUT
from toy.study import CNN, Study, images_of

JOINT = schema.Joint(
    batch_size=8,
    final_learning_rate=0.03,
    weight_decay=0.05,
    betas=[0.9, 0.95],
    warmup_fraction=0.2,
    clip_grad_norm=1.0,
    ema_decay=0.9,
)
DISTORTION = schema.Distortion(gain=0.2, blur=1.0, zoom=0.1, noise=0.5)
OFF = schema.Distortion(gain=0.0, blur=0.0, zoom=0.0, noise=0.0)
RATE = 3e-3
SHARED: dict[str, Any] = {"learning_rate": RATE, "batch_norm": "source"}
SMALL: dict[str, dict[str, Any]] = {
    "coral": {"weight": 1.0, "match_mean": True},
    "dann": {"weight": 1.0, "hidden_dim": 8, "learning_rate_discriminator": 5e-2},
    "adamatch": {"weight": 1.0, "confidence": 0.9},
    "mean_teacher": {"weight": 10.0, "confidence": 0.5},
    "masked_reconstruction": {"weight": 1.0, "mask_ratio": 0.5, "patch_size": 4},
}
CONFIG = Path(__file__).parents[2] / "config" / "config.yaml"


def _own(method: str) -> Any:
    """Shipped settings of a method, and what small runs need otherwise."""
    section: Any = schema.Adaptation.model_fields[method].annotation
    shipped = read_yaml(CONFIG)["adaptation"][method]
    return section(**{**shipped, **SHARED, **SMALL.get(method, {})})


OWN = {method: _own(method) for method in TASKS}
CPU = torch.device("cpu")


def task_of(study: Study, method: str, *, steps: int = 100, **changes: Any) -> JointTask:
    network = build_classifier(CNN, img_size=16, num_classes=2, seed=0)
    load_weights(study.weights["cnn"], network)
    target = changes.pop("target", None) or images_of([study.pool], labelled=False)
    own = {key: changes.pop(key) for key in list(changes) if key in type(OWN[method]).model_fields}
    options = {
        "distortion": changes.pop("distortion", DISTORTION),
        "symmetries": changes.pop("symmetries", ("none", "none")),
        "seed": changes.pop("seed", 0),
    }
    return TASKS[method](
        network,
        images_of(study.train),
        target,
        spec=JOINT.model_copy(update=changes),
        method=OWN[method].model_copy(update=own),
        network_input=NETWORK_INPUT,
        steps=steps,
        device=CPU,
        **options,
    )


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def images(n: int = 4, size: int = 17) -> Tensor:
    return torch.randn(n, 1, size, size, generator=generator(5))
