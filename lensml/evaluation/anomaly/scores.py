"""Anomaly scores of a masked autoencoder: what it fails to restore, and how.

Every score is named in the configuration before it is evaluated, the first as the headline;
nothing here sees an image with substructure before it is scored.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, get_args

import numpy as np
import torch
from sklearn.decomposition import PCA
from sklearn.neighbors import NearestNeighbors
from torch import Tensor

from lensml.data.images import unstretch
from lensml.data.torch_dataset import Images
from lensml.models.mae import MaskedAutoencoder, Masking, complementary_masking, random_masking
from lensml.schema.anomaly import Score, Scoring
from lensml.training.engine.order import step_generator
from lensml.training.engine.prediction import PREDICTION_BATCH

MASK_SEED = 2**31 + 1  # of the masks behind anomaly scores: never those of training
SHRINKAGE = 1e-3  # of the embedding's covariance, over its mean variance: it may be singular


class Restored(NamedTuple):
    """What masked reconstruction says of N images.

    Attributes:
        mse: (N,) squared error on hidden patches on the network's scale, mean over masks.
        chi2: (N,) the same in units of every pixel's noise.
        residual: (N, L, P) float32, mean over the masks that hid a patch of image minus
            reconstruction, in units of noise; 0 where no mask did.
        embedding: (N, D) float32, mean token of the whole image.
    """

    mse: np.ndarray
    chi2: np.ndarray
    residual: np.ndarray
    embedding: np.ndarray


def score_masks(spec: Scoring, num_patches: int) -> list[Masking]:
    """The masks behind the scores, the same for every image: images differ and masks do not.

    Args:
        spec: number of masks, how they are drawn and the share that they hide.
        num_patches: of an image.
    """
    if spec.masks == "random":
        ratio, generators = spec.mae.mask_ratio, range(spec.n_masks)
        return [
            random_masking(1, num_patches, ratio, step_generator(MASK_SEED, k)) for k in generators
        ]
    found: list[Masking] = []
    while len(found) < spec.n_masks:
        generator = step_generator(MASK_SEED, len(found))
        found += complementary_masking(num_patches, spec.mae.mask_ratio, generator)
    return found


@torch.no_grad()
def restore(model: MaskedAutoencoder, images: Images, masks: Sequence[Masking]) -> Restored:
    """Reconstruct every image under every mask.

    Args:
        model: in evaluation mode.
        images: labelled, so that their noise is known.
        masks: of one image each.
    """
    parts = [
        _restore_batch(model, images, np.arange(i, min(i + PREDICTION_BATCH, len(images))), masks)
        for i in range(0, len(images), PREDICTION_BATCH)
    ]
    return Restored(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def _restore_batch(
    model: MaskedAutoencoder, images: Images, index: np.ndarray, masks: Sequence[Masking]
) -> Restored:
    x = images.batch(index)
    patches = model.patchify(x)
    linear = unstretch(patches.cpu().numpy(), images.network_input)
    noise = images.noise_rms(linear, index)
    mse, chi2 = np.zeros(len(x)), np.zeros(len(x))
    total, count = np.zeros_like(linear), np.zeros((1, linear.shape[1], 1), np.float32)
    for masking in masks:
        expanded = masking.expand(len(x)).to(x.device)
        error, prediction = model(x, expanded)
        hidden = masking.mask.numpy()
        flux = unstretch(model.on_scale(prediction, patches).cpu().numpy(), images.network_input)
        residual = (linear - flux) / noise
        mse += error.double().cpu().numpy()
        chi2 += (np.square(residual).mean(-1) * hidden).sum(1) / hidden.sum()
        total += residual * hidden[:, :, None]
        count += hidden[:, :, None]
    mean = (total / np.maximum(count, 1)).astype(np.float32)
    return Restored(mse / len(masks), chi2 / len(masks), mean, embedding(model, patches))


def embedding(model: MaskedAutoencoder, patches: Tensor) -> np.ndarray:
    """Mean token of every whole image, (N, L, P) -> (N, D)."""
    every = torch.arange(patches.shape[1], device=patches.device).expand(len(patches), -1)
    return model.forward_encoder(patches, every).mean(1).cpu().numpy()


def anomaly_score(
    name: str, found: Restored, reference: Restored | None, spec: Scoring
) -> np.ndarray:
    """One score of every image, (N,): higher is more anomalous.

    ``mse`` and ``chi2`` are means over masks of the error on hidden patches; ``mean_chi2`` is the
    error of the reconstruction that is averaged over masks, ``worst_patches`` that of its worst
    patches alone. The others compare with images without substructure: ``likelihood`` is minus the
    logarithm of the averaged residual's probability under a Gaussian whose covariance is that of
    their residuals (Tipping & Bishop 1999, probabilistic PCA); ``mahalanobis`` and
    ``nearest_neighbours`` are distances in the encoder's embedding.

    Args:
        name: which.
        found: the images.
        reference: images without substructure, for the scores in ``COMPARING``.
        spec: patches, neighbours and components that they use.

    Raises:
        ValueError: a score that compares has no reference, or the name is none of a score.
    """
    if name == "mse":
        return found.mse
    if name == "chi2":
        return found.chi2
    patch_chi2 = np.square(found.residual).mean(-1)
    if name == "mean_chi2":
        return patch_chi2.mean(1)
    if name == "worst_patches":
        return np.sort(patch_chi2, 1)[:, -spec.worst_patches :].mean(1)
    if reference is None:
        raise ValueError(f"the score {name} compares with images without substructure")
    if name == "likelihood":
        return -_log_likelihood(found.residual, reference.residual, spec.reference.n_components)
    if name == "mahalanobis":
        return _mahalanobis(found.embedding, reference.embedding)
    if name != "nearest_neighbours":
        raise ValueError(f"no score is called {name}; known are {', '.join(get_args(Score))}")
    neighbours = NearestNeighbors(n_neighbors=spec.reference.n_neighbours)
    distance, _ = neighbours.fit(reference.embedding).kneighbors(found.embedding)
    return distance.mean(1)


def _log_likelihood(x: np.ndarray, reference: np.ndarray, n_components: int) -> np.ndarray:
    fit = reference.reshape(len(reference), -1)
    pca = PCA(min(n_components, *(n - 1 for n in fit.shape)), random_state=0).fit(fit)
    return pca.score_samples(x.reshape(len(x), -1))


def _mahalanobis(x: np.ndarray, reference: np.ndarray) -> np.ndarray:
    covariance = np.cov(reference, rowvar=False)
    covariance += SHRINKAGE * np.trace(covariance) / len(covariance) * np.eye(len(covariance))
    shift = x - reference.mean(0)
    return np.sqrt((shift * np.linalg.solve(covariance, shift.T).T).sum(1))
