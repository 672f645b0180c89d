"""Metrics of anomaly scores, each with its interval."""

from __future__ import annotations

import numpy as np
import pandas as pd
from sklearn.metrics import roc_auc_score

from lensml.evaluation.statistics.bootstrap import (
    system_weights,
    weighted_auc,
)
from lensml.evaluation.statistics.metrics import (
    SLOW_RESAMPLINGS,
    Measured,
    resolved,
    true_positive_rates,
)
from lensml.evaluation.statistics.predictions import independent
from lensml.schema.training import Evaluation

# That an anomaly score must not be. Where the lens gives up the mass of its substructure, its own
# theta_E tells the classes apart though no image does: theta_E_total is what they share.
COVARIATES = ["flux", "theta_E_total"]
NOTHING_LEFT = (
    1e-6  # of a score's spread: it is a function of the covariates, what is left rounding
)


def anomaly_metrics(path: str, spec: Evaluation, *, seed: int) -> list[Measured]:
    """AUC of ``no_sub`` against each class and against any, and true positive rates.

    ``roc_auc_any_adjusted``: of what flux and Einstein radius do not foretell of a score; none
    where they foretell all of it, as of the flux itself.

    Raises:
        ValueError: a column is missing or a class has no images.
    """
    table = _read(path)
    label, score = table["label"].to_numpy(str), table["score"].to_numpy()
    if not 0 < (label != "no_sub").sum() < len(label):
        raise ValueError(f"{path}: needs images of no_sub and of another class")
    ids = independent(table)
    rows = []
    for name in [*dict.fromkeys(label[label != "no_sub"]), "any"]:
        keep = np.ones(len(label), bool) if name == "any" else np.isin(label, ["no_sub", name])
        positive = label[keep] != "no_sub"
        weights = system_weights(ids[keep], spec.n_bootstrap, seed)
        samples = weighted_auc(score[keep], positive, weights)
        value = float(roc_auc_score(positive, score[keep]))
        n = int(keep.sum())
        rows.append(Measured.of(f"roc_auc_{name}", value, samples, n, spec.confidence))
    weights = system_weights(ids, spec.n_bootstrap, seed)
    rows += true_positive_rates(score, label != "no_sub", weights, spec)
    if set(COVARIATES) <= set(table.columns):
        normal = label == "no_sub"
        rest = without_brightness(score, table[COVARIATES].to_numpy(float), normal)
        if rest[normal].std() > NOTHING_LEFT * score[normal].std():
            value = float(roc_auc_score(~normal, rest))
            samples, n = weighted_auc(rest, ~normal, weights), len(label)
            rows.append(Measured.of("roc_auc_any_adjusted", value, samples, n, spec.confidence))
    return rows


def proxy_auc(path: str, spec: Evaluation, *, seed: int) -> Measured:
    """AUC of smooth lenses against their own images distorted (``roc_auc_proxy``).

    Raises:
        ValueError: a column is missing or a class has no images.
    """
    rows = {row.metric: row for row in anomaly_metrics(path, spec, seed=seed)}
    return rows["roc_auc_proxy"]


def false_alarms(path: str, proxies: str, spec: Evaluation, *, seed: int) -> list[Measured]:
    """Rates of false positives that thresholds have which validation images set.

    A threshold is the score that the nominal share of the validation images without substructure
    exceeds; what is measured is the share of test images without substructure beyond it. That is
    ``nominal_fpr_<rate>``: an interval that holds the rate itself vouches for the threshold. The
    threshold's own scatter is in the interval, as both sets are resampled.

    Args:
        path: scores.csv of test images.
        proxies: scores.csv of validation images, without substructure and distorted.
        spec: rates, bootstrap. No rate that fewer than ten images of either set decide.
        seed: of the bootstrap.

    Raises:
        ValueError: a column is missing or there are no images of ``no_sub``.
    """
    kept, of_kept = _of_no_sub(proxies, spec, seed=seed + 1)
    score, weights = _of_no_sub(path, spec, seed=seed)
    rows = []
    for rate in spec.false_positive_rates:
        metric, n = f"nominal_fpr_{rate:g}", len(score)
        if not resolved(rate, min(len(kept), n)):
            nothing = np.full(min(len(weights), SLOW_RESAMPLINGS), np.nan)
            rows.append(Measured.none(metric, nothing, n))
            continue
        found = []
        for own, other in zip(weights[:SLOW_RESAMPLINGS], of_kept, strict=False):
            threshold = np.quantile(np.repeat(kept, other), 1 - rate)
            found.append(float(np.average(score > threshold, weights=own)))
        value = float((score > np.quantile(kept, 1 - rate)).mean())
        rows.append(Measured.of(metric, value, np.array(found), n, spec.confidence))
    return rows


def _of_no_sub(path: str, spec: Evaluation, *, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Scores (N,) of images without substructure and weights (B, N) of their resamplings."""
    table = _read(path)
    table = table.loc[table["label"] == "no_sub"]
    if table.empty:
        raise ValueError(f"{path}: needs images of no_sub")
    weights = system_weights(independent(table), spec.n_bootstrap, seed)
    return table["score"].to_numpy(), weights


def _read(path: str) -> pd.DataFrame:
    table = pd.read_csv(path)
    if not {"system_id", "label", "score"} <= set(table.columns) or table.empty:
        raise ValueError(f"{path}: needs rows and the columns system_id, label, score")
    return table


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
