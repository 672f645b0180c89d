"""What a classifier must beat: a few numbers per image that know nothing of substructure.

The row and the files of this baseline are called ``radial_profile``: beside mean and spread of
rings it has the strengths of six azimuthal moments, without which it would be too easy to beat.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

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
N_MOMENTS = 6
ANNULUS = (0.25, 0.75)  # of the inscribed circle's radius: where the arcs of shipped domains are


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


def annular_moments(images: np.ndarray, n_moments: int = N_MOMENTS) -> np.ndarray:
    """Strengths |a_m| of the azimuthal moments of one annulus about the centre.

    a_m is the mean of the image times exp(i m phi) over the annulus, m = 1 to ``n_moments``: how
    lopsided, elongated, ... the ring of arcs is, whichever way it is turned.

    Args:
        images: (N, H, W), H = W.
        n_moments: number of orders.

    Returns:
        (N, n_moments).
    """
    size = images.shape[1]
    axis = np.arange(size) - (size - 1) / 2
    place = axis[None, :] + 1j * axis[:, None]
    radius = np.abs(place) / (size / 2)
    inside = (radius >= ANNULUS[0]) & (radius < ANNULUS[1])
    turned = np.exp(1j * np.outer(np.angle(place[inside]), np.arange(1, n_moments + 1)))
    return np.abs(images[:, inside].astype(float) @ turned) / inside.sum()


FEATURES: Mapping[str, Sequence[Callable[[np.ndarray], np.ndarray]]] = {
    "rings": (radial_profile,),
    "rings_and_moments": (radial_profile, annular_moments),
}
SHIPPED_FEATURES = "rings_and_moments"  # of the baseline that stands beside every network


def image_features(images: np.ndarray, features: str = SHIPPED_FEATURES) -> np.ndarray:
    """Features (key of ``FEATURES``) of (N, H, W) images, one row each."""
    return np.concatenate([part(images) for part in FEATURES[features]], axis=1)


def all_images(images: StretchedImages) -> np.ndarray:
    """Every image on the network's scale, (N, H, W) float32."""
    return images.rows(np.arange(len(images)))


def radial_profile_model() -> Pipeline:
    """Quadratic logistic regression on the features of an image."""
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
    features: str = SHIPPED_FEATURES,
) -> None:
    """Shortcut baseline: quadratic logistic regression on 32 numbers per image.

    What it reaches needs no substructure to be seen: an Einstein radius and the shape of the ring
    are enough.

    Args:
        train, test: stores, one per class.
        output: predictions.csv of the test images.
        classes: names in the order of the stores.
        setting: see :class:`lensml.training.engine.setting.Setting`.
        features: key of ``FEATURES``.
    """
    fit, images = setting.arrays(train), setting.arrays(test)
    model = radial_profile_model()
    model.fit(profiles(fit, features), fit.labels)
    write_predictions(output, model.predict_proba(profiles(images, features)), images, classes)


def profiles(images: StretchedImages, features: str = SHIPPED_FEATURES) -> np.ndarray:
    """:func:`image_features` of every image, one row each."""
    pieces = np.array_split(np.arange(len(images)), max(len(images) // 1000, 1))
    return np.concatenate([image_features(images.rows(p), features) for p in pieces])
