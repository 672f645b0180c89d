"""A regressor on test images, with the scale of its variance fitted on validation images."""

from __future__ import annotations

import logging

from lensml.data.targets import Target
from lensml.evaluation.regression.metrics import variance_scale
from lensml.evaluation.statistics.predictions import write_regression
from lensml.schema.encoders import Encoder
from lensml.training.engine.device import prepare_device
from lensml.training.engine.setting import Setting
from lensml.training.regression.run import load_regressor
from lensml.training.regression.task import predict_gaussian

log = logging.getLogger(__name__)


def predict_regression(
    validation: str,
    test: str,
    weights: str,
    output: str,
    *,
    target: Target,
    encoder: Encoder,
    symmetry: str,
    setting: Setting,
) -> None:
    """Write ``predictions.csv`` of a regressor.

    Args:
        validation, test: stores of the class.
        weights: of the regressor.
        output: CSV with system_id, index, truth, mean, std_raw, std.
        target: what is regressed.
        encoder: architecture.
        symmetry: averaged over; 'none' for a single pass.
        setting: see :class:`lensml.training.engine.setting.Setting`.
    """
    device = prepare_device(setting.compute)
    held_out, images = setting.images([validation], device), setting.images([test], device)
    network = load_regressor(
        weights,
        encoder=encoder,
        img_size=images.img_size,
        device=device,
        in_chans=images.in_chans,
    )
    fitted = predict_gaussian(network, held_out, symmetry=symmetry)
    scale = variance_scale(target.values(validation), *fitted)
    log.info("standard deviations are multiplied by %.4f, fitted on validation images", scale)
    mean, std = predict_gaussian(network, images, symmetry=symmetry)
    truth = target.values(test)
    write_regression(output, images, truth=truth, mean=mean, std_raw=std, std=scale * std)
