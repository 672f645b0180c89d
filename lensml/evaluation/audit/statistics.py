"""Statistics of the audit: classifiers on few numbers, standard errors, verdicts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from scipy.stats import rankdata
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import roc_auc_score

ROUNDING = 1e-9
N_PERMUTATIONS = 200  # a standard error of them has an error of 5 %


class Finding(NamedTuple):
    """Outcome of one test.

    Attributes:
        test: its name.
        value: what was measured.
        null: what it is where there is no leak.
        criterion: 'within' (the threshold of the null), 'at most' or 'above' the threshold.
        threshold: see ``criterion``.
        passed: whether it holds.
        n: images (in all, or per class) that the value is measured on.
        detail: for the reader.
    """

    test: str
    value: float
    null: float
    criterion: str
    threshold: float
    passed: bool
    n: int
    detail: str


def within(
    test: str, value: float, null: float, threshold: float, n: int, detail: str = ""
) -> Finding:
    """Passes where the value is no farther from the null than the threshold."""
    passed = bool(abs(value - null) <= threshold + ROUNDING)
    return Finding(test, value, null, "within", threshold, passed, n, detail)


def below(test: str, value: float, threshold: float, n: int, detail: str = "") -> Finding:
    """Passes where an AUC is no larger than the threshold."""
    passed = bool(value <= threshold)
    return Finding(test, value, 0.5, "at most", threshold, passed, n, detail)


def above(test: str, value: float, threshold: float, n: int, detail: str = "") -> Finding:
    """Passes where a p-value is larger than the threshold."""
    passed = bool(value > threshold)
    return Finding(test, value, 1.0, "above", threshold, passed, n, detail)


def auc_standard_error(counts: Sequence[int]) -> float:
    """Standard error of the macro one-against-the-rest AUC where scores know nothing.

    For one class of m images against m' others it is sqrt((m + m' + 1) / (12 m m')) (Mann and
    Whitney 1947); the mean over classes is the error of the macro AUC were the classes' areas
    fully correlated, its largest value. Images are taken as independent: that classes share
    lenses makes the true error smaller, and no classifier sees the pairs.

    Args:
        counts: images of every class.
    """
    total = sum(counts)
    return float(np.mean([np.sqrt((total + 1) / (12 * m * (total - m))) for m in counts]))


def permuted_standard_error(
    p: np.ndarray, label: np.ndarray, systems: np.ndarray, *, seed: int
) -> float:
    """Standard error of the macro AUC where scores know nothing, with classes that share systems.

    Labels are exchanged within every system, which is all that no leak means there: the images of
    a system have their noise in common, and scores that follow it cancel. Images without a
    partner are exchanged among themselves.

    Args:
        p: (N, K) scores.
        label: (N,) int.
        systems: (N,) system_id.
        seed: of the permutations.
    """
    _, group, count = np.unique(systems, return_inverse=True, return_counts=True)
    group = np.where(count[group] > 1, group, -1)
    rank = np.stack([rankdata(column) for column in p.T], axis=1)
    here, rng, areas = np.argsort(group, kind="stable"), np.random.default_rng(seed), []
    exchanged = np.empty_like(label)
    for _ in range(N_PERMUTATIONS):
        exchanged[here] = label[np.lexsort((rng.random(len(label)), group))]
        areas.append(_macro_of_ranks(rank, exchanged))
    return float(np.std(areas))


def _macro_of_ranks(rank: np.ndarray, label: np.ndarray) -> float:
    """Macro one-against-the-rest AUC from the ranks of the scores of every class."""
    areas = []
    for k in range(rank.shape[1]):
        m = int((label == k).sum())
        above = rank[label == k, k].sum() - m * (m + 1) / 2
        areas.append(above / (m * (len(label) - m)))
    return float(np.mean(areas))


def split_systems(
    features: Sequence[np.ndarray], systems: Sequence[np.ndarray], *, seed: int
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Two halves that share no lens system.

    Fit and measurement are then independent, and an AUC without a leak is distributed as
    :func:`auc_standard_error` says, which that of pooled cross-validation is not.

    Args:
        features: (N, F) of every class.
        systems: system_id, (N,), of every class.
        seed: of the halves.

    Returns:
        Features of every class in either half.
    """
    known = np.unique(np.concatenate(list(systems)))
    chosen = np.random.default_rng(seed).permutation(known)[: len(known) // 2]
    first = [np.isin(ids, chosen) for ids in systems]
    fit = [x[mask] for x, mask in zip(features, first, strict=True)]
    return fit, [x[~mask] for x, mask in zip(features, first, strict=True)]


def boosted_trees() -> HistGradientBoostingClassifier:
    """Classifier of small tables."""
    options: dict[str, Any] = {"max_iter": 50, "max_leaf_nodes": 15, "early_stopping": False}
    return HistGradientBoostingClassifier(**options, random_state=0)


def macro_auc(
    model: Any, fit: Sequence[np.ndarray], measured: Sequence[np.ndarray]
) -> tuple[float, int]:
    """Macro one-against-the-rest AUC of a classifier.

    Args:
        model: of scikit-learn; constant features are allowed.
        fit, measured: features, (N, F) of every class.

    Returns:
        The AUC, and the images of the smallest class that it is measured on.

    Raises:
        ValueError: a class is empty.
    """
    p, label = scores(model, fit, measured)
    return macro_area(p, label), min(len(x) for x in measured)


def macro_area(p: np.ndarray, label: np.ndarray) -> float:
    """Macro one-against-the-rest AUC of (N, K) scores."""
    return float(np.mean([roc_auc_score(label == k, p[:, k]) for k in range(p.shape[1])]))


def scores(
    model: Any, fit: Sequence[np.ndarray], measured: Sequence[np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """Scores (N, K) of what is measured, one class after the other, and its labels (N,).

    Raises:
        ValueError: a class is empty.
    """
    if not all(len(x) for x in (*fit, *measured)):
        raise ValueError("the audit needs images of every class in both halves; simulate more")
    model.fit(np.concatenate(list(fit)), _labels(fit))
    return model.predict_proba(np.concatenate(list(measured))), _labels(measured)


def _labels(features: Sequence[np.ndarray]) -> np.ndarray:
    return np.repeat(np.arange(len(features)), [len(x) for x in features])
