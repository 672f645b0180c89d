"""Anomaly scores of a masked autoencoder, and its reconstructions."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from lensml.data.images import unstretch
from lensml.data.torch_dataset import Images
from lensml.evaluation.anomaly.scores import MASK_SEED, anomaly_score, restore, score_masks
from lensml.evaluation.statistics.predictions import (
    Scored,
    write_examples,
    write_scores,
)
from lensml.models.mae import MaskedAutoencoder, random_masking
from lensml.schema.anomaly import COMPARING, Mae, Scoring
from lensml.training.engine.checkpoint import load_weights
from lensml.training.engine.device import prepare_device
from lensml.training.engine.order import step_generator
from lensml.training.engine.setting import Setting


def score_anomalies(
    scored: Sequence[Scored],
    reference: str,
    weights: str,
    examples: str,
    *,
    scoring: Scoring,
    pixel_scale: float,
    setting: Setting,
) -> None:
    """Write the masked autoencoder's scores and reconstructions of a few images.

    Args:
        scored: images, and files of their scores; reconstructions are of the first.
        reference: training store without substructure, with which some scores compare.
        weights: of the masked autoencoder.
        examples: npz of reconstructions for a figure.
        scoring: architecture, masks and what scores compare with.
        pixel_scale: arcsec.
        setting: see :class:`lensml.training.engine.setting.Setting`.
    """
    device = prepare_device(setting.compute)
    parts = [setting.images(part.stores, device, limit=part.limit) for part in scored]
    model = MaskedAutoencoder(scoring.mae, parts[0].img_size, parts[0].in_chans).to(device)
    load_weights(weights, model)
    model.eval()
    masks = score_masks(scoring, model.num_patches)
    compared = None
    if any(set(part.outputs) & set(COMPARING) for part in scored):
        limit = scoring.reference.n_images
        compared = restore(model, setting.images([reference], device, limit=limit), masks)
    for part, images in zip(scored, parts, strict=True):
        found = restore(model, images, masks)
        for name, output in part.outputs.items():
            score = anomaly_score(name, found, compared, scoring)
            write_scores(output, score, images, part.classes)
    write_reconstructions(examples, model, parts[0], scored[0].classes, scoring.mae, pixel_scale)


@torch.no_grad()
def write_reconstructions(
    output: str,
    model: MaskedAutoencoder,
    images: Images,
    classes: Sequence[str],
    mae: Mae,
    pixel_scale: float,
) -> None:
    """Image, masked image, reconstruction and residual of the first system in every class.

    The reconstruction shows hidden patches as predicted and visible ones as they are. The residual
    is in units of the standard deviation of every pixel's noise, on the linear scale.

    Args:
        output: npz.
        model: in evaluation mode.
        images: labelled test images.
        classes: names in the order of the labels.
        mae: for the share that is hidden.
        pixel_scale: arcsec.
    """
    assert images.labels is not None
    index = np.array([int(np.flatnonzero(images.labels == k)[0]) for k in range(len(classes))])
    x = images.batch(index)
    generator = step_generator(MASK_SEED, 0)
    masking = random_masking(1, model.num_patches, mae.mask_ratio, generator)
    masking = masking.expand(len(x)).to(x.device)
    patches = model.patchify(x)
    prediction = model.on_scale(model(x, masking)[1], patches)
    hidden = masking.mask[:, :, None].bool()
    restored = model.unpatchify(torch.where(hidden, prediction, patches))
    masked = model.unpatchify(torch.where(hidden, torch.nan, patches))
    arrays = {"image": x, "masked": masked, "reconstruction": restored}
    pictures = {name: a[:, 0].cpu().numpy().astype(np.float32) for name, a in arrays.items()}
    linear = [unstretch(pictures[k], images.network_input) for k in ("reconstruction", "image")]
    write_examples(
        output,
        label=np.array(list(classes)),
        pixel_scale=np.array(pixel_scale, float),
        **pictures,
        residual=(linear[0] - linear[1]) / images.noise_rms(linear[1], index),
    )
