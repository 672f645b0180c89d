"""Networks on test images: class probabilities and anomaly scores."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from lensml.data.images import unstretch
from lensml.data.torch_dataset import Images
from lensml.evaluation.predictions import write_examples, write_predictions, write_scores
from lensml.models.mae import MaskedAutoencoder, random_masking
from lensml.schema.anomaly import Mae
from lensml.schema.encoders import Encoder
from lensml.training.checkpoint import load_weights
from lensml.training.classifier import PREDICTION_BATCH, predict_probabilities
from lensml.training.device import prepare_device
from lensml.training.loop import step_generator
from lensml.training.runs import load_classifier
from lensml.training.setting import Setting

MASK_SEED = 2**31 + 1  # of the masks behind anomaly scores: never those of training


def predict(
    stores: Sequence[str],
    weights: str,
    output: str,
    *,
    classes: Sequence[str],
    encoder: Encoder,
    symmetry: str,
    setting: Setting,
) -> None:
    """Write ``predictions.csv`` of a classifier, or ``validation.csv``.

    Args:
        stores: test or validation stores, one per class.
        weights: of the classifier.
        output: CSV with system_id, index, label and p_<class>.
        classes: names in the order of the stores.
        encoder: architecture.
        symmetry: averaged over; 'none' for a single pass.
        setting: see :class:`lensml.training.setting.Setting`.
    """
    device = prepare_device(setting.compute)
    images = setting.images(stores, device)
    network = load_classifier(
        weights, encoder=encoder, img_size=images.img_size, num_classes=len(classes), device=device
    )
    write_predictions(
        output, predict_probabilities(network, images, symmetry=symmetry), images, classes
    )


def score_anomalies(
    stores: Sequence[str],
    weights: str,
    output: str,
    examples: str,
    *,
    classes: Sequence[str],
    mae: Mae,
    n_masks: int,
    pixel_scale: float,
    setting: Setting,
) -> None:
    """Write the masked autoencoder's ``scores.csv`` and reconstructions of a few images.

    The score is the mean squared error on hidden patches, averaged over ``n_masks`` random masks.
    The masks are the same for every image, so that images differ and masks do not.

    Args:
        stores: test stores, one per class.
        weights: of the masked autoencoder.
        output: CSV with system_id, index, label and score.
        examples: npz of reconstructions for a figure.
        classes: names in the order of the stores.
        mae: architecture.
        n_masks: random masks per image.
        pixel_scale: arcsec.
        setting: see :class:`lensml.training.setting.Setting`.
    """
    device = prepare_device(setting.compute)
    images = setting.images(stores, device)
    model = MaskedAutoencoder(mae, images.img_size).to(device)
    load_weights(weights, model)
    model.eval()
    score = reconstruction_error(model, images, mask_ratio=mae.mask_ratio, n_masks=n_masks)
    write_scores(output, score, images, classes)
    write_reconstructions(examples, model, images, classes, mae, pixel_scale)


@torch.no_grad()
def reconstruction_error(
    model: MaskedAutoencoder, images: Images, *, mask_ratio: float, n_masks: int
) -> np.ndarray:
    """Mean squared error on hidden patches, averaged over random masks, (N,)."""
    total = np.zeros(len(images))
    for start in range(0, len(images), PREDICTION_BATCH):
        index = np.arange(start, min(start + PREDICTION_BATCH, len(images)))
        x = images.batch(index)
        for k in range(n_masks):
            generator = step_generator(MASK_SEED, k)
            masking = random_masking(1, model.num_patches, mask_ratio, generator)
            masking = masking.expand(len(x)).to(x.device)
            total[index] += model(x, masking)[0].double().cpu().numpy()
    return total / n_masks


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
    is in units of the background's standard deviation, on the linear scale.
    """
    assert images.labels is not None
    index = np.array([int(np.flatnonzero(images.labels == k)[0]) for k in range(len(classes))])
    x = images.batch(index)
    generator = step_generator(MASK_SEED, 0)
    masking = random_masking(1, model.num_patches, mae.mask_ratio, generator)
    masking = masking.expand(len(x)).to(x.device)
    patches = model.patchify(x)
    prediction = model(x, masking)[1]
    if mae.norm_pix_loss:
        mean, var = patches.mean(-1, keepdim=True), patches.var(-1, keepdim=True)
        prediction = prediction * (var + 1e-6).sqrt() + mean
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
        residual=linear[0] - linear[1],
    )
