"""Paired comparison of two classifiers on the same test images."""

from __future__ import annotations

import numpy as np

from lensml.evaluation.bootstrap import interval, system_weights, weighted_auc
from lensml.evaluation.metrics import Measured, read_predictions
from lensml.schema.training import Evaluation


def auc_gain(path: str, reference: str, spec: Evaluation, *, seed: int) -> Measured:
    """Difference of the macro one-vs-rest AUC between two classifiers.

    Both are evaluated on every bootstrap sample of the same systems, so that what is common to
    their errors cancels: the interval is narrower than that of two independent results.

    Args:
        path: predictions.csv of the classifier.
        reference: predictions.csv of the one it is compared with.
        spec: bootstrap.
        seed: of the bootstrap.

    Returns:
        ``roc_auc_ovr_macro_gain``, positive where the classifier is better.

    Raises:
        ValueError: the files are not predictions of the same images.
    """
    system_id, label, p, classes = read_predictions(path)
    other_id, other_label, other, other_classes = read_predictions(reference)
    same = np.array_equal(system_id, other_id) and np.array_equal(label, other_label)
    if not same or classes != other_classes:
        raise ValueError(f"{path} and {reference}: predictions of different images")
    weights = system_weights(system_id, spec.n_bootstrap, seed)
    once = np.ones((1, len(label)), np.int16)
    samples = _macro(p, label, weights) - _macro(other, label, weights)
    value = float((_macro(p, label, once) - _macro(other, label, once))[0])
    low, high = interval(samples, spec.confidence)
    return Measured("roc_auc_ovr_macro_gain", value, low, high, len(label))


def _macro(p: np.ndarray, label: np.ndarray, weights: np.ndarray) -> np.ndarray:
    areas = [weighted_auc(p[:, k], label == k, weights) for k in range(p.shape[1])]
    return np.mean(areas, axis=0)
