"""What a result must beat: radial profiles, principal components, total flux."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import PolynomialFeatures, StandardScaler

from lensml.data.images import StretchedImages, unstretch
from lensml.evaluation.metrics import read_predictions
from lensml.evaluation.predictions import Scored, total_flux, write_predictions, write_scores
from lensml.training.setting import Setting

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
        setting: see :class:`lensml.training.setting.Setting`.
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
        setting: see :class:`lensml.training.setting.Setting`.

    Raises:
        ValueError: the predictions are of other images.
    """
    system_id, _, p, names = read_predictions(predictions)
    images = setting.arrays(stores)
    if list(names) != list(classes) or not np.array_equal(system_id, np.asarray(images.system_id)):
        raise ValueError(f"{predictions}: predictions are of other images or classes")
    write_scores(output, 1 - p[:, 0], images, classes)
