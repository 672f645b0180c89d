"""What metrics of every task share: a value, its interval, and the resamplings behind it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from sklearn.metrics import roc_curve

from lensml.evaluation.statistics.bootstrap import (
    interval,
    resampled,
    weighted_mean,
)
from lensml.schema.training import Evaluation

SLOW_RESAMPLINGS = 200  # for metrics without a weighted form
FALSE_POSITIVES = 10  # fewer of them do not fix a false positive rate
COLUMNS = ("metric", "value", "ci_low", "ci_high", "n")  # of a table


@dataclass(frozen=True)
class Measured:
    """A metric with its bootstrap interval over systems.

    Attributes:
        metric: its name.
        value: on every image once; NaN where it was not to be had.
        ci_low, ci_high: ends of the interval.
        n: images.
        samples: (B,) the metric on every resampling of the systems.
    """

    metric: str
    value: float
    ci_low: float
    ci_high: float
    n: int
    samples: np.ndarray = field(repr=False, compare=False)

    @classmethod
    def of(
        cls, metric: str, value: float, samples: np.ndarray, n: int, confidence: float
    ) -> Measured:
        """A metric whose interval holds this share of its resamplings."""
        return cls(metric, float(value), *interval(samples, confidence), n, samples)

    @classmethod
    def none(cls, metric: str, samples: np.ndarray, n: int) -> Measured:
        """A metric that is not to be had from these images."""
        return cls(metric, np.nan, np.nan, np.nan, n, samples)

    @property
    def row(self) -> dict[str, Any]:
        """Its ``COLUMNS``."""
        return {name: getattr(self, name) for name in COLUMNS}


def mean_metric(
    name: str, value: float, terms: np.ndarray, weights: np.ndarray, spec: Evaluation
) -> Measured:
    """Mean of terms (N,) with its interval."""
    samples = weighted_mean(terms, weights)
    return Measured.of(name, value, samples, len(terms), spec.confidence)


def tpr_at_fpr(score: np.ndarray, positive: np.ndarray, rate: float) -> float:
    """True positive rate at a false positive rate, interpolated on the ROC curve."""
    fpr, tpr, _ = roc_curve(positive, score)
    return float(np.interp(rate, fpr, tpr))


def true_positive_rates(
    score: np.ndarray, positive: np.ndarray, weights: np.ndarray, spec: Evaluation
) -> list[Measured]:
    """True positive rates of a score at the false positive rates of the specification.

    None where fewer than ``FALSE_POSITIVES`` images decide: the bootstrap's interval of such a
    rate covers the truth far less often than it says (65 % for 95 % where it is one image).
    """
    rows = []
    for rate in spec.false_positive_rates:

        def statistic(index: np.ndarray, rate: float = rate) -> float:
            return tpr_at_fpr(score[index], positive[index], rate)

        name = f"tpr_at_fpr_{rate:g}"
        if not resolved(rate, int((~positive).sum())):
            nothing = np.full(min(len(weights), SLOW_RESAMPLINGS), np.nan)
            rows.append(Measured.none(name, nothing, len(score)))
            continue
        samples = resampled(statistic, weights, limit=SLOW_RESAMPLINGS)
        value = tpr_at_fpr(score, positive, rate)
        rows.append(Measured.of(name, value, samples, len(score), spec.confidence))
    return rows


def resolved(rate: float, n_negative: int) -> bool:
    """Whether enough images decide a false positive rate."""
    return rate * n_negative >= FALSE_POSITIVES - 1e-9
