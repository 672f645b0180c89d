"""Bootstrap over lens systems of areas under the ROC curve and of means."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

CHUNK = 256  # resamplings at a time, to bound memory


def system_weights(system_id: np.ndarray, n_bootstrap: int, seed: int) -> np.ndarray:
    """How often each image is drawn when systems are resampled with replacement.

    Images of one system (the same lens with another substructure) are drawn together, because they
    are not independent.

    Args:
        system_id: (N,), or what else is independent
            (:func:`lensml.evaluation.statistics.predictions.independent`).
        n_bootstrap: number of resamplings, B.
        seed: of the resampling.

    Returns:
        (B, N) int16.
    """
    systems, inverse = np.unique(system_id, return_inverse=True)
    rng = np.random.default_rng(seed)
    count = len(systems)
    draws = rng.multinomial(count, np.full(count, 1 / count), size=n_bootstrap)
    return draws.astype(np.int16)[:, inverse]


def weighted_auc(score: np.ndarray, positive: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Area under the ROC curve for every row of weights; ties count half.

    Args:
        score: (N,) higher means positive.
        positive: (N,) bool.
        weights: (B, N).

    Returns:
        (B,), NaN where a row holds only one class.
    """
    order = np.argsort(score, kind="stable")
    _, group = np.unique(score[order], return_inverse=True)
    starts = np.flatnonzero(np.diff(group, prepend=-1))
    out = np.empty(len(weights))
    for first in range(0, len(weights), CHUNK):
        w = weights[first : first + CHUNK, order].astype(float)
        up = np.add.reduceat(w * positive[order], starts, axis=1)
        down = np.add.reduceat(w * ~positive[order], starts, axis=1)
        below = np.cumsum(down, axis=1) - down
        area = (up * (below + down / 2)).sum(1)
        with np.errstate(invalid="ignore", divide="ignore"):
            out[first : first + CHUNK] = area / (up.sum(1) * down.sum(1))
    return out


def weighted_mean(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Mean of (N,) values for every row of (B, N) weights."""
    return weights @ values / weights.sum(1)


def interval(samples: np.ndarray, confidence: float) -> tuple[float, float]:
    """Percentile interval of bootstrap samples (NaN samples are left out)."""
    tail = (1 - confidence) / 2
    low, high = np.nanquantile(samples, [tail, 1 - tail])
    return float(low), float(high)


def resampled(
    statistic: Callable[[np.ndarray], float], weights: np.ndarray, *, limit: int
) -> np.ndarray:
    """A statistic of image indices for the first ``limit`` rows of weights.

    For statistics that have no weighted form; the indices repeat as the weights say.
    """
    index = np.arange(weights.shape[1])
    return np.array([statistic(np.repeat(index, row)) for row in weights[:limit]])
