"""Paired comparison of two classifiers on the same test images."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lensml.evaluation.statistics.bootstrap import (
    interval,
    system_weights,
    weighted_auc,
    weighted_mean,
)
from lensml.evaluation.statistics.metrics import Measured
from lensml.evaluation.statistics.predictions import read_independent, read_predictions
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
    label, (p, other), weights = _same_images((path, reference), spec, seed)
    once, samples = (_macro(p, label, w) - _macro(other, label, w) for w in weights)
    name = "roc_auc_ovr_macro_gain"
    return Measured.of(name, float(once[0]), samples, len(label), spec.confidence)


def gap_closed(
    path: str, reference: str, oracle: str, spec: Evaluation, *, seed: int
) -> list[Measured]:
    """Share of the way from one classifier to a better one that a third has come.

    Args:
        path: predictions.csv of a method of adaptation.
        reference: of the classifier that was not adapted.
        oracle: of the one trained with the target's labels.
        spec: bootstrap, the same samples for all three.
        seed: of the bootstrap.

    Returns:
        ``roc_auc_ovr_macro_gap_closed`` and ``accuracy_gap_closed``: 0 where the method is as good
        as the reference, 1 where it is as good as the oracle; NaN where the interval of the gap
        itself reaches 0, so that there is nothing to close.

    Raises:
        ValueError: the files are not predictions of the same images.
    """
    label, probabilities, weights = _same_images((path, reference, oracle), spec, seed)
    found = []
    for name, statistic in (("roc_auc_ovr_macro", _macro), ("accuracy", _accuracy)):
        (value,), samples = (
            _share([statistic(p, label, w) for p in probabilities]) for w in weights
        )
        gap = statistic(probabilities[2], label, weights[1])
        gap = gap - statistic(probabilities[1], label, weights[1])
        known = interval(gap, spec.confidence)[0] > 0
        name, n = f"{name}_gap_closed", len(label)
        if known:
            found.append(Measured.of(name, float(value), samples, n, spec.confidence))
        else:
            found.append(Measured.none(name, samples, n))
    return found


def _same_images(
    paths: Sequence[str], spec: Evaluation, seed: int
) -> tuple[np.ndarray, list[np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """Labels, probabilities of every file, and weights: all images once, and the bootstrap's."""
    system_id, label, first, classes = read_predictions(paths[0])
    probabilities = [first]
    for path in paths[1:]:
        other_id, other_label, p, other_classes = read_predictions(path)
        same = np.array_equal(system_id, other_id) and np.array_equal(label, other_label)
        if not same or classes != other_classes:
            raise ValueError(f"{paths[0]} and {path}: predictions of different images")
        probabilities.append(p)
    once = np.ones((1, len(label)), np.int16)
    resampled = system_weights(read_independent(paths[0]), spec.n_bootstrap, seed)
    return label, probabilities, (once, resampled)


def _share(metrics: Sequence[np.ndarray]) -> np.ndarray:
    method, reference, oracle = metrics
    with np.errstate(divide="ignore", invalid="ignore"):
        return (method - reference) / (oracle - reference)


def _accuracy(p: np.ndarray, label: np.ndarray, weights: np.ndarray) -> np.ndarray:
    return weighted_mean((p.argmax(1) == label).astype(float), weights)


def _macro(p: np.ndarray, label: np.ndarray, weights: np.ndarray) -> np.ndarray:
    areas = [weighted_auc(p[:, k], label == k, weights) for k in range(p.shape[1])]
    return np.mean(areas, axis=0)
