"""Metrics and table of regression: errors, likelihood and calibration of its intervals."""

from __future__ import annotations

from collections.abc import Callable
from statistics import NormalDist

import numpy as np
import pandas as pd

from lensml.evaluation.statistics.bootstrap import system_weights, weighted_mean
from lensml.evaluation.statistics.metrics import Measured
from lensml.evaluation.statistics.predictions import independent
from lensml.schema.training import Evaluation

COLUMNS = ["system_id", "truth", "mean", "std_raw", "std"]
LEVELS = {"coverage_68": 0.68, "coverage_95": 0.95}  # central intervals
NOTE = (
    "Targets: log10_mass_fraction is log10 of the mass of all substructure over the lens mass "
    "inside the Einstein radius, log10_axion_mass is log10(m_a / eV); rmse and bias (predicted "
    "- true) in dex. nll: mean Gaussian negative log-likelihood. coverage: share of the truth "
    "inside the central interval. pull_std: standard deviation of (true - predicted) / "
    "predicted standard deviation, which is scaled by one factor fitted on validation images "
    "(metrics of the unscaled one end in _raw in the CSV). prior: mean and standard deviation "
    "of the training set for every image. radial_profile: ridge regression on rings and "
    "azimuthal moments, with its residual on validation images for every image."
)


def read_regression(path: str) -> pd.DataFrame:
    """Read predictions of a regression.

    Raises:
        ValueError: a column is missing, the file has no rows, or a deviation is not positive.
    """
    table = pd.read_csv(path)
    if not set(COLUMNS) <= set(table.columns) or table.empty:
        raise ValueError(f"{path}: needs rows and the columns {', '.join(COLUMNS)}")
    if not np.all(table[["std_raw", "std"]].to_numpy() > 0):
        raise ValueError(f"{path}: std_raw and std must be positive")
    return table


def variance_scale(truth: np.ndarray, mean: np.ndarray, std: np.ndarray) -> float:
    """The factor on all standard deviations that maximises the Gaussian likelihood.

    It is the root mean square of the pull, the counterpart of a classifier's temperature (Levi et
    al. 2022, arXiv:1905.11659).

    Args:
        truth, mean, std: (N,) of validation images.
    """
    return float(np.sqrt(np.mean(np.square((truth - mean) / std))))


def regression_metrics(path: str, spec: Evaluation, *, seed: int) -> list[Measured]:
    """Every metric of a regression's ``predictions.csv``; see ``NOTE``."""
    table = read_regression(path)
    weights = system_weights(independent(table), spec.n_bootstrap, seed)
    truth, mean = table["truth"].to_numpy(), table["mean"].to_numpy()
    rows = _errors(truth, mean, weights, spec)
    for name, suffix in (("std", ""), ("std_raw", "_raw")):
        rows += _calibration(truth, mean, table[name].to_numpy(), suffix, weights, spec)
    return rows


def _errors(
    truth: np.ndarray, mean: np.ndarray, weights: np.ndarray, spec: Evaluation
) -> list[Measured]:
    squared, centred = np.square(mean - truth), truth - truth.mean()

    def rmse(w: np.ndarray) -> np.ndarray:
        return np.sqrt(weighted_mean(squared, w))

    def r2(w: np.ndarray) -> np.ndarray:
        return 1 - weighted_mean(squared, w) / np.square(_weighted_std(centred, w))

    def bias(w: np.ndarray) -> np.ndarray:
        return weighted_mean(mean - truth, w)

    statistics = {"rmse": rmse, "r2": r2, "bias": bias}
    return [_measure(name, s, weights, spec) for name, s in statistics.items()]


def _calibration(
    truth: np.ndarray,
    mean: np.ndarray,
    std: np.ndarray,
    suffix: str,
    weights: np.ndarray,
    spec: Evaluation,
) -> list[Measured]:
    pull = (truth - mean) / std
    terms = {"nll": np.square(pull) / 2 + np.log(std) + np.log(2 * np.pi) / 2}
    for name, level in LEVELS.items():
        terms[name] = (np.abs(pull) < NormalDist().inv_cdf((1 + level) / 2)).astype(float)
    rows = [
        _measure(name + suffix, lambda w, term=term: weighted_mean(term, w), weights, spec)
        for name, term in terms.items()
    ]
    rows.append(_measure(f"pull_std{suffix}", lambda w: _weighted_std(pull, w), weights, spec))
    return rows


def _weighted_std(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    variance = weighted_mean(np.square(values), weights) - weighted_mean(values, weights) ** 2
    return np.sqrt(np.maximum(variance, 0))


def _measure(
    name: str, statistic: Callable[[np.ndarray], np.ndarray], weights: np.ndarray, spec: Evaluation
) -> Measured:
    """A statistic of (B, N) weights on all images once, and on the resamplings."""
    n = weights.shape[1]
    value = float(statistic(np.ones((1, n)))[0])
    return Measured.of(name, value, statistic(weights), n, spec.confidence)
