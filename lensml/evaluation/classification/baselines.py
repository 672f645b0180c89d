"""What a result must beat: radial profiles, principal components, total flux."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import PolynomialFeatures, StandardScaler

from lensml.data.images import StretchedImages
from lensml.evaluation.statistics.predictions import (
    write_predictions,
)
from lensml.training.engine.setting import Setting

N_RINGS = 13  # mean and spread in each ring: 26 features


def radial_profile(images: np.ndarray, n_rings: int = N_RINGS) -> np.ndarray:
    """Mean and standard deviation in concentric rings of equal width about the centre.

    Args:
        images: (N, H, W), H = W.
        n_rings: rings out to the inscribed circle; fewer in images of less than 2 n_rings pixels.

    Returns:
        (N, 2 n_rings).
    """
    size = images.shape[1]
    n_rings = min(n_rings, size // 2)  # narrower rings would hold no pixel
    axis = np.arange(size) - (size - 1) / 2
    radius = np.hypot(axis[:, None], axis[None, :])
    ring = np.minimum((radius / (size / 2) * n_rings).astype(int), n_rings).ravel()
    flat = images.reshape(len(images), -1).astype(float)
    features = []
    for k in range(n_rings):
        inside = flat[:, ring == k]
        features += [inside.mean(1), inside.std(1)]
    return np.stack(features, axis=1)


def all_images(images: StretchedImages) -> np.ndarray:
    """Every image on the network's scale, (N, H, W) float32."""
    return images.rows(np.arange(len(images)))


def radial_profile_model() -> Pipeline:
    """Quadratic logistic regression on radial profiles."""
    return make_pipeline(
        StandardScaler(),
        PolynomialFeatures(2, include_bias=False),
        StandardScaler(),
        LogisticRegression(C=0.1, max_iter=300),
    )


def predict_radial_profile(
    train: Sequence[str],
    test: Sequence[str],
    output: str,
    *,
    classes: Sequence[str],
    setting: Setting,
) -> None:
    """Shortcut baseline: quadratic logistic regression on 26 radial-profile numbers.

    What it reaches needs no substructure to be seen: an Einstein radius is enough.
    """
    fit, images = setting.arrays(train), setting.arrays(test)
    model = radial_profile_model()
    model.fit(profiles(fit), fit.labels)
    write_predictions(output, model.predict_proba(profiles(images)), images, classes)


def profiles(images: StretchedImages) -> np.ndarray:
    """:func:`radial_profile` of every image, (N, 2 N_RINGS)."""
    pieces = np.array_split(np.arange(len(images)), max(len(images) // 1000, 1))
    return np.concatenate([radial_profile(images.rows(p)) for p in pieces])
