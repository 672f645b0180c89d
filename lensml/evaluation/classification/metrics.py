"""Metrics of class probabilities, each with its interval."""

from __future__ import annotations

import numpy as np
from sklearn.metrics import accuracy_score, roc_auc_score

from lensml.evaluation.statistics.bootstrap import (
    interval,
    resampled,
    system_weights,
    weighted_auc,
)
from lensml.evaluation.statistics.metrics import (
    SLOW_RESAMPLINGS,
    Measured,
    mean_metric,
    true_positive_rates,
)
from lensml.evaluation.statistics.predictions import read_predictions
from lensml.schema.training import Evaluation

SMALLEST_PROBABILITY = 1e-12  # lower ones count as this in a logarithm


def classification_metrics(path: str, spec: Evaluation, *, seed: int) -> list[Measured]:
    """Every metric of a ``predictions.csv``.

    AUC one-vs-rest (macro and per class), accuracy, log-loss, expected calibration error, Brier
    score, and the true positive rate at fixed false positive rates for 'any substructure'.
    """
    system_id, label, p, classes = read_predictions(path)
    weights = system_weights(system_id, spec.n_bootstrap, seed)
    n = len(label)
    rows = []
    areas = []
    for k, name in enumerate(classes):
        samples = weighted_auc(p[:, k], label == k, weights)
        areas.append(samples)
        value = float(roc_auc_score(label == k, p[:, k]))
        rows.append(Measured(f"roc_auc_{name}", value, *interval(samples, spec.confidence), n))
    macro = float(np.mean([row.value for row in rows]))
    low, high = interval(np.mean(areas, axis=0), spec.confidence)
    rows.insert(0, Measured("roc_auc_ovr_macro", macro, low, high, n))

    hit = (p.argmax(1) == label).astype(float)
    value = float(accuracy_score(label, p.argmax(1)))
    rows.append(mean_metric("accuracy", value, hit, weights, spec))
    rows += probability_metrics(p, label, weights, spec)
    rows += true_positive_rates(1 - p[:, 0], label > 0, weights, spec)
    return rows


def probability_metrics(
    p: np.ndarray, label: np.ndarray, weights: np.ndarray, spec: Evaluation, *, suffix: str = ""
) -> list[Measured]:
    """Log-loss, Brier score and expected calibration error: what a temperature changes.

    Args:
        p: (N, K) probabilities.
        label: (N,) int.
        weights: (B, N) of the bootstrap.
        spec: confidence and bins.
        suffix: of the names.
    """
    surprise = -np.log(np.clip(p[np.arange(len(p)), label], SMALLEST_PROBABILITY, 1))
    brier = np.square(p - np.eye(p.shape[1])[label]).sum(1)
    return [
        mean_metric(f"log_loss{suffix}", float(surprise.mean()), surprise, weights, spec),
        mean_metric(f"brier_score{suffix}", float(brier.mean()), brier, weights, spec),
        calibration_error(f"ece{suffix}", p, label, weights, spec),
    ]


def expected_calibration_error(p: np.ndarray, label: np.ndarray, bins: int) -> float:
    """Mean gap of confidence and accuracy over equal-width bins of confidence (Guo et al. 2017).

    Noise of the accuracies adds to it, and once more in a resampling: of a well-calibrated
    classifier the bootstrap interval lies above the value.

    Args:
        p: (N, K) probabilities.
        label: (N,) int.
        bins: number of bins.
    """
    confidence, hit = p.max(1), p.argmax(1) == label
    which = np.minimum((confidence * bins).astype(int), bins - 1)
    gap = np.bincount(which, hit - confidence, minlength=bins)
    return float(np.abs(gap).sum() / len(label))


def calibration_error(
    name: str, p: np.ndarray, label: np.ndarray, weights: np.ndarray, spec: Evaluation
) -> Measured:
    """Expected calibration error with its interval."""

    def ece(index: np.ndarray) -> float:
        return expected_calibration_error(p[index], label[index], spec.calibration_bins)

    samples = resampled(ece, weights, limit=SLOW_RESAMPLINGS)
    value = ece(np.arange(len(label)))
    return Measured(name, value, *interval(samples, spec.confidence), len(label))
