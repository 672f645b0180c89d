"""Scores that a detector must beat: principal components, total flux; and the ceiling."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from sklearn.decomposition import PCA

from lensml.data.images import unstretch
from lensml.evaluation.classification.baselines import (
    all_images,
)
from lensml.evaluation.statistics.predictions import (
    Scored,
    read_predictions,
    total_flux,
    write_scores,
)
from lensml.training.engine.setting import Setting


def score_pca(
    train: str,
    scored: Sequence[Scored],
    *,
    n_components: int,
    n_images: int,
    setting: Setting,
) -> None:
    """Anomaly baselines: what principal components of ``no_sub`` images leave unexplained.

    ``residual``: mean square of the residual on the network's scale; ``chi2``: of the image's own
    components, in units of every pixel's noise.

    Args:
        train: store without substructure.
        scored: images, and files of either score.
        n_components: of images.
        n_images: to take them from.
        setting: see :class:`lensml.training.engine.setting.Setting`.
    """
    fit = all_images(setting.arrays([train], limit=n_images))
    stretched = _components(fit, n_components)
    linear = _components(unstretch(fit, setting.network_input), n_components)
    for part in scored:
        images = setting.arrays(part.stores, limit=part.limit)
        x = all_images(images)
        flux = unstretch(x, images.network_input)
        left = _unexplained(linear, flux) / images.noise_rms(flux, np.arange(len(images)))
        for name, residual in {"residual": _unexplained(stretched, x), "chi2": left}.items():
            score = np.square(residual).mean((1, 2))
            write_scores(part.outputs[name], score, images, part.classes)


def _components(fit: np.ndarray, n_components: int) -> PCA:
    n_components = min(n_components, len(fit) - 1)
    pca = PCA(n_components=n_components, svd_solver="randomized", random_state=0)
    return pca.fit(fit.reshape(len(fit), -1))


def _unexplained(pca: PCA, x: np.ndarray) -> np.ndarray:
    flat = x.reshape(len(x), -1)
    return (flat - pca.inverse_transform(pca.transform(flat))).reshape(x.shape)


def score_total_flux(scored: Sequence[Scored], *, setting: Setting) -> None:
    """Anomaly baseline: the flux of the image in units of the background's standard deviation."""
    for part in scored:
        images = setting.arrays(part.stores, limit=part.limit)
        write_scores(part.outputs["flux"], total_flux(images), images, part.classes)


def score_supervised(
    predictions: str,
    stores: Sequence[str],
    output: str,
    *,
    classes: Sequence[str],
    setting: Setting,
) -> None:
    """Ceiling of anomaly detection: the probability of substructure of a labelled classifier.

    Args:
        predictions: of the classifier on the test images, predictions.csv.
        stores: of these images, one per class, ``no_sub`` first.
        output: CSV of the score.
        classes: names in the order of the stores.
        setting: see :class:`lensml.training.engine.setting.Setting`.

    Raises:
        ValueError: the predictions are of other images.
    """
    system_id, _, p, names = read_predictions(predictions)
    images = setting.arrays(stores)
    if list(names) != list(classes) or not np.array_equal(system_id, np.asarray(images.system_id)):
        raise ValueError(f"{predictions}: predictions are of other images or classes")
    write_scores(output, 1 - p[:, 0], images, classes)
