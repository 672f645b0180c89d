"""Autoencoders of the published detectors on a toy."""

from __future__ import annotations

from typing import Any, get_args

import pytest
import torch

from lensml.data.torch_dataset import Images
from lensml.models.autoencoders import build_autoencoder
from lensml.schema.anomaly import Autoencoder, AutoencoderMethod
from lensml.training.anomaly.autoencoders import AutoencoderTask
from toy.study import AUTOENCODER

METHODS: tuple[AutoencoderMethod, ...] = get_args(AutoencoderMethod)
every_method = pytest.mark.parametrize("method", METHODS)


def spec(**changes: Any) -> Autoencoder:
    return AUTOENCODER.model_copy(update=changes)


def task_of(images: Images, method: AutoencoderMethod, **changes: Any) -> AutoencoderTask:
    model = build_autoencoder(method, spec(**changes), images.img_size, seed=0)
    return AutoencoderTask(
        model,
        images,
        images,
        method=method,
        spec=spec(**changes),
        steps=100,
        seed=0,
        symmetry="none",
        device=torch.device("cpu"),
    )
