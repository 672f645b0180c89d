"""Metrics of class probabilities, each with its interval."""

from __future__ import annotations

import numpy as np
from sklearn.metrics import accuracy_score, roc_auc_score

from lensml.evaluation.statistics.bootstrap import (
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
from lensml.evaluation.statistics.predictions import read_independent, read_predictions
from lensml.schema.training import Evaluation

SMALLEST_PROBABILITY = 1e-12  # lower ones count as this in a logarithm


def classification_metrics(path: str, spec: Evaluation, *, seed: int) -> list[Measured]:
    """Every metric of a ``predictions.csv``.

    AUC one-vs-rest (macro and per class), accuracy, log-loss, expected calibration error, Brier
    score, and the true positive rate at fixed false positive rates for 'any substructure'.
    """
    _, label, p, classes = read_predictions(path)
    weights = system_weights(read_independent(path), spec.n_bootstrap, seed)
    n = len(label)
    rows = []
    areas = []
    for k, name in enumerate(classes):
        samples = weighted_auc(p[:, k], label == k, weights)
        areas.append(samples)
        value = float(roc_auc_score(label == k, p[:, k]))
        rows.append(Measured.of(f"roc_auc_{name}", value, samples, n, spec.confidence))
    macro, samples = float(np.mean([row.value for row in rows])), np.mean(areas, axis=0)
    rows.insert(0, Measured.of("roc_auc_ovr_macro", macro, samples, n, spec.confidence))

    hit = (p.argmax(1) == label).astype(float)
    value = float(accuracy_score(label, p.argmax(1)))
    rows.append(mean_metric("accuracy", value, hit, weights, spec))
    rows += probability_metrics(p, label, weights, spec)
    rows += true_positive_rates(1 - p[:, 0], label > 0, weights, spec)
    return rows


def probability_metrics(
    p: np.ndarray, label: np.ndarray, weights: np.ndarray, spec: Evaluation, *, suffix: str = ""
) -> list[Measured]:
    """Log-loss, Brier score, calibration error and its floor: what a temperature changes.

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
        calibration_floor(f"ece_floor{suffix}", p, spec),
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
    which = confidence_bins(confidence, bins)
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
    return Measured.of(name, value, samples, len(label), spec.confidence)


def calibration_floor(name: str, p: np.ndarray, spec: Evaluation) -> Measured:
    """What the calibration error would be if every probability were right.

    The accuracy of a bin of n images is off by chance, and its modulus adds to the error whichever
    side it is off to: so far above zero is the error of a perfect classifier of this size. The
    images are drawn anew with the probabilities that they have, ``SLOW_RESAMPLINGS`` times: the
    mean, and the interval of a single such test set.

    Args:
        name: of the metric.
        p: (N, K) probabilities.
        spec: confidence and bins.
    """
    confidence, rng = p.max(1), np.random.default_rng(0)
    which = confidence_bins(confidence, spec.calibration_bins)
    samples = np.empty(SLOW_RESAMPLINGS)
    for k in range(SLOW_RESAMPLINGS):
        hit = rng.random(len(p)) < confidence
        gap = np.bincount(which, hit - confidence, minlength=spec.calibration_bins)
        samples[k] = np.abs(gap).sum() / len(p)
    return Measured.of(name, float(samples.mean()), samples, len(p), spec.confidence)


def confidence_bins(confidence: np.ndarray, bins: int) -> np.ndarray:
    """Which of the equal-width bins of confidence every image is in, (N,) int."""
    return np.minimum((confidence * bins).astype(int), bins - 1)
