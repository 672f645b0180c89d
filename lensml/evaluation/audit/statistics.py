"""Statistics of the audit: classifiers on few numbers, standard errors, verdicts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import roc_auc_score

ROUNDING = 1e-9


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
    if not all(len(x) for x in (*fit, *measured)):
        raise ValueError("the audit needs images of every class in both halves; simulate more")
    model.fit(np.concatenate(list(fit)), _labels(fit))
    p = model.predict_proba(np.concatenate(list(measured)))
    label = _labels(measured)
    areas = [roc_auc_score(label == k, p[:, k]) for k in range(len(measured))]
    return float(np.mean(areas)), min(len(x) for x in measured)


def _labels(features: Sequence[np.ndarray]) -> np.ndarray:
    return np.repeat(np.arange(len(features)), [len(x) for x in features])
