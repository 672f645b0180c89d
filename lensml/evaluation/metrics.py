"""Metrics of classification and anomaly detection, each with its interval."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd
from sklearn.metrics import accuracy_score, roc_auc_score, roc_curve

from lensml.evaluation.bootstrap import (
    interval,
    resampled,
    system_weights,
    weighted_auc,
    weighted_mean,
)
from lensml.schema.training import Evaluation

# That an anomaly score must not be. Where the lens gives up the mass of its substructure, its own
# theta_E tells the classes apart though no image does: theta_E_total is what they share.
COVARIATES = ["flux", "theta_E_total"]
NOTHING_LEFT = (
    1e-6  # of a score's spread: it is a function of the covariates, what is left rounding
)
SLOW_RESAMPLINGS = 200  # for metrics without a weighted form
SMALLEST_PROBABILITY = 1e-12  # lower ones count as this in a logarithm


class Measured(NamedTuple):
    """A metric with its bootstrap interval over systems."""

    metric: str
    value: float
    ci_low: float
    ci_high: float
    n: int


def read_predictions(path: str) -> tuple[np.ndarray, np.ndarray, np.ndarray, list[str]]:
    """Predictions of test images.

    Returns:
        system_id (N,), label (N,) int, probabilities (N, K), names of the classes.

    Raises:
        ValueError: a column is missing or the file has no rows.
    """
    table = pd.read_csv(path)
    missing = {"system_id", "index", "label"} - set(table.columns)
    classes = [c.removeprefix("p_") for c in table.columns if c.startswith("p_")]
    if missing or not classes or table.empty:
        raise ValueError(f"{path}: needs rows and the columns system_id, index, label, p_<class>")
    unknown = set(table["label"]) - set(classes)
    if unknown:
        raise ValueError(f"{path}: label {sorted(unknown)[0]!r} has no column p_<class>")
    label = np.array([classes.index(name) for name in table["label"]])
    probabilities = table[[f"p_{name}" for name in classes]].to_numpy()
    return table["system_id"].to_numpy(), label, probabilities, classes


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
    rows.append(_mean("accuracy", value, hit, weights, spec))
    rows += probability_metrics(p, label, weights, spec)
    rows += _true_positive_rates(1 - p[:, 0], label > 0, weights, spec)
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
        _mean(f"log_loss{suffix}", float(surprise.mean()), surprise, weights, spec),
        _mean(f"brier_score{suffix}", float(brier.mean()), brier, weights, spec),
        _calibration(f"ece{suffix}", p, label, weights, spec),
    ]


def anomaly_metrics(path: str, spec: Evaluation, *, seed: int) -> list[Measured]:
    """AUC of ``no_sub`` against each class and against any, and true positive rates.

    ``roc_auc_any_adjusted``: of what flux and Einstein radius do not foretell of a score; none
    where they foretell all of it, as of the flux itself.

    Raises:
        ValueError: a column is missing or a class has no images.
    """
    table = pd.read_csv(path)
    if not {"system_id", "label", "score"} <= set(table.columns) or table.empty:
        raise ValueError(f"{path}: needs rows and the columns system_id, label, score")
    label, score = table["label"].to_numpy(str), table["score"].to_numpy()
    if not 0 < (label != "no_sub").sum() < len(label):
        raise ValueError(f"{path}: needs images of no_sub and of another class")
    system_id = table["system_id"].to_numpy()
    rows = []
    for name in [*dict.fromkeys(label[label != "no_sub"]), "any"]:
        keep = np.ones(len(label), bool) if name == "any" else np.isin(label, ["no_sub", name])
        positive = label[keep] != "no_sub"
        weights = system_weights(system_id[keep], spec.n_bootstrap, seed)
        samples = weighted_auc(score[keep], positive, weights)
        value = float(roc_auc_score(positive, score[keep]))
        low, high = interval(samples, spec.confidence)
        rows.append(Measured(f"roc_auc_{name}", value, low, high, int(keep.sum())))
    weights = system_weights(system_id, spec.n_bootstrap, seed)
    rows += _true_positive_rates(score, label != "no_sub", weights, spec)
    if set(COVARIATES) <= set(table.columns):
        normal = label == "no_sub"
        rest = without_brightness(score, table[COVARIATES].to_numpy(float), normal)
        if rest[normal].std() > NOTHING_LEFT * score[normal].std():
            value = float(roc_auc_score(~normal, rest))
            limits = interval(weighted_auc(rest, ~normal, weights), spec.confidence)
            rows.append(Measured("roc_auc_any_adjusted", value, *limits, len(label)))
    return rows


def proxy_auc(path: str, spec: Evaluation, *, seed: int) -> Measured:
    """AUC of smooth lenses against their own images distorted (``roc_auc_proxy``).

    Raises:
        ValueError: a column is missing or a class has no images.
    """
    rows = {row.metric: row for row in anomaly_metrics(path, spec, seed=seed)}
    return rows["roc_auc_proxy"]


def without_brightness(
    score: np.ndarray, covariates: np.ndarray, normal: np.ndarray
) -> np.ndarray:
    """What of a score flux and Einstein radius do not foretell, (N,).

    A quadratic polynomial of them is fitted to the score of images without substructure.

    Args:
        score: (N,).
        covariates: (N, 2).
        normal: (N,) bool, without substructure.
    """
    center, spread = covariates[normal].mean(0), covariates[normal].std(0)
    u, v = ((covariates - center) / np.where(spread > 0, spread, 1)).T
    terms = np.stack([np.ones_like(u), u, v, u * u, u * v, v * v], 1)
    fitted, *_ = np.linalg.lstsq(terms[normal], score[normal], rcond=None)
    return score - terms @ fitted


def _mean(
    name: str, value: float, terms: np.ndarray, weights: np.ndarray, spec: Evaluation
) -> Measured:
    low, high = interval(weighted_mean(terms, weights), spec.confidence)
    return Measured(name, value, low, high, len(terms))


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


def _calibration(
    name: str, p: np.ndarray, label: np.ndarray, weights: np.ndarray, spec: Evaluation
) -> Measured:
    def ece(index: np.ndarray) -> float:
        return expected_calibration_error(p[index], label[index], spec.calibration_bins)

    samples = resampled(ece, weights, limit=SLOW_RESAMPLINGS)
    value = ece(np.arange(len(label)))
    return Measured(name, value, *interval(samples, spec.confidence), len(label))


def tpr_at_fpr(score: np.ndarray, positive: np.ndarray, rate: float) -> float:
    """True positive rate at a false positive rate, interpolated on the ROC curve."""
    fpr, tpr, _ = roc_curve(positive, score)
    return float(np.interp(rate, fpr, tpr))


def _true_positive_rates(
    score: np.ndarray, positive: np.ndarray, weights: np.ndarray, spec: Evaluation
) -> list[Measured]:
    rows = []
    for rate in spec.false_positive_rates:

        def statistic(index: np.ndarray, rate: float = rate) -> float:
            return tpr_at_fpr(score[index], positive[index], rate)

        samples = resampled(statistic, weights, limit=SLOW_RESAMPLINGS)
        value = tpr_at_fpr(score, positive, rate)
        low, high = interval(samples, spec.confidence)
        rows.append(Measured(f"tpr_at_fpr_{rate:g}", value, low, high, len(score)))
    return rows
