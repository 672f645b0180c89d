"""What metrics of every task share: a value with its interval."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from sklearn.metrics import roc_curve

from lensml.evaluation.statistics.bootstrap import (
    interval,
    resampled,
    weighted_mean,
)
from lensml.schema.training import Evaluation

SLOW_RESAMPLINGS = 200  # for metrics without a weighted form


class Measured(NamedTuple):
    """A metric with its bootstrap interval over systems."""

    metric: str
    value: float
    ci_low: float
    ci_high: float
    n: int


def mean_metric(
    name: str, value: float, terms: np.ndarray, weights: np.ndarray, spec: Evaluation
) -> Measured:
    """Mean of terms (N,) with its interval."""
    low, high = interval(weighted_mean(terms, weights), spec.confidence)
    return Measured(name, value, low, high, len(terms))


def tpr_at_fpr(score: np.ndarray, positive: np.ndarray, rate: float) -> float:
    """True positive rate at a false positive rate, interpolated on the ROC curve."""
    fpr, tpr, _ = roc_curve(positive, score)
    return float(np.interp(rate, fpr, tpr))


def true_positive_rates(
    score: np.ndarray, positive: np.ndarray, weights: np.ndarray, spec: Evaluation
) -> list[Measured]:
    """True positive rates of a score at the false positive rates of the specification."""
    rows = []
    for rate in spec.false_positive_rates:

        def statistic(index: np.ndarray, rate: float = rate) -> float:
            return tpr_at_fpr(score[index], positive[index], rate)

        samples = resampled(statistic, weights, limit=SLOW_RESAMPLINGS)
        value = tpr_at_fpr(score, positive, rate)
        low, high = interval(samples, spec.confidence)
        rows.append(Measured(f"tpr_at_fpr_{rate:g}", value, low, high, len(score)))
    return rows
