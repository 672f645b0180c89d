"""Calibration of classifiers: one temperature from validation images, and what it changes."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, softmax

from lensml.data.files import write_csv, write_json
from lensml.evaluation.classification.metrics import SMALLEST_PROBABILITY, probability_metrics
from lensml.evaluation.statistics.bootstrap import interval, resampled, system_weights
from lensml.evaluation.statistics.metrics import SLOW_RESAMPLINGS, Measured
from lensml.evaluation.statistics.predictions import read_independent, read_predictions
from lensml.schema.training import Evaluation
from lensml.tables import ALL_SEEDS

BOUNDS = (0.05, 20.0)  # of the temperature: beyond them nothing but the class is left, or nothing


class Bin(NamedTuple):
    """Images whose confidence lies in a bin, with the interval of their accuracy over systems."""

    bin_low: float
    bin_high: float
    confidence: float
    accuracy: float
    ci_low: float
    ci_high: float
    n: int


def fit_temperature(p: np.ndarray, label: np.ndarray) -> float:
    """The temperature T for which the log-loss of p^(1/T), normalised, is smallest.

    Guo et al. 2017 (arXiv:1706.04599) divide logits by T; the logarithm of a probability is a
    logit. T > 1 softens an over-confident classifier. T < 1 sharpens an under-confident one, as
    the mean over several views of an image makes it.

    Args:
        p: (N, K) probabilities of images that neither training nor the test has seen.
        label: (N,) int.

    Returns:
        T within ``BOUNDS``, which perfect or random predictions run into.

    Raises:
        ValueError: a probability is not a number.
    """
    if not np.isfinite(p).all():
        raise ValueError("a probability is not a finite number; no temperature can be fitted")
    logits = _log(p)

    # Convex in 1/T, hence with a single minimum in log T.
    def loss(log_temperature: float) -> float:
        return _log_loss(logits / np.exp(log_temperature), label)

    found = minimize_scalar(loss, bounds=np.log(BOUNDS), method="bounded", options={"xatol": 1e-5})
    return float(np.exp(found.x))


def apply_temperature(p: np.ndarray, temperature: float) -> np.ndarray:
    """Probabilities p^(1/T), normalised: (N, K) to (N, K)."""
    return softmax(_log(p) / temperature, axis=1)


def _log(p: np.ndarray) -> np.ndarray:
    return np.log(np.maximum(p, SMALLEST_PROBABILITY))


def _log_loss(logits: np.ndarray, label: np.ndarray) -> float:
    return float(-log_softmax(logits, axis=1)[np.arange(len(label)), label].mean())


def calibrate_classifier(validation: str, output: str) -> None:
    """Fit a temperature and write it with the log-loss before and after as JSON.

    Args:
        validation: predictions of validation images, columns as in ``predictions.csv``.
        output: the .json to write.

    Raises:
        ValueError: the file lacks a column, has no rows, or a probability is not a number.
    """
    _, label, p, _ = read_predictions(validation)
    try:
        temperature = fit_temperature(p, label)
    except ValueError as error:
        raise ValueError(f"{validation}: {error}") from None
    content = {
        "temperature": temperature,
        "n": len(label),
        "log_loss_before": _log_loss(_log(p), label),
        "log_loss_after": _log_loss(_log(p) / temperature, label),
    }
    write_json(output, content)


def read_temperature(path: str) -> float:
    """Temperature of a ``calibration.json``.

    Raises:
        ValueError: it holds none.
    """
    try:
        return float(json.loads(Path(path).read_text())["temperature"])
    except (ValueError, KeyError, TypeError):
        raise ValueError(f"{path}: holds no number 'temperature'; delete it to fit anew") from None


def calibrated_metrics(
    path: str, calibration: str, validation: str, spec: Evaluation, *, seed: int
) -> list[Measured]:
    """The temperature, and what judges probabilities once it is applied.

    Args:
        path: predictions.csv of test images.
        calibration: calibration.json of the classifier.
        validation: the predictions that its temperature was fitted on. The interval of the
            temperature is over their systems; in the other intervals it is fixed.
        spec: bootstrap and bins.
        seed: of the bootstrap.
    """
    _, label, p, _ = read_predictions(path)
    weights = system_weights(read_independent(path), spec.n_bootstrap, seed)
    temperature = read_temperature(calibration)
    return [
        _temperature_interval(temperature, validation, spec, seed),
        *probability_metrics(
            apply_temperature(p, temperature), label, weights, spec, suffix="_calibrated"
        ),
    ]


def _temperature_interval(
    temperature: float, validation: str, spec: Evaluation, seed: int
) -> Measured:
    _, label, p, _ = read_predictions(validation)
    weights = system_weights(read_independent(validation), spec.n_bootstrap, seed)
    samples = resampled(
        lambda index: fit_temperature(p[index], label[index]), weights, limit=SLOW_RESAMPLINGS
    )
    return Measured.of("temperature", temperature, samples, len(label), spec.confidence)


def reliability_bins(
    p: np.ndarray, label: np.ndarray, system_id: np.ndarray, spec: Evaluation, *, seed: int
) -> list[Bin]:
    """Accuracy in equal-width bins of confidence, the bins of the expected calibration error.

    Args:
        p: (N, K) probabilities.
        label: (N,) int.
        system_id: (N,); systems are resampled as a whole.
        spec: bootstrap and number of bins.
        seed: of the bootstrap.

    Returns:
        The bins that hold images, from low confidence to high.
    """
    bins = spec.calibration_bins
    confidence, hit = p.max(1), p.argmax(1) == label
    which = np.minimum((confidence * bins).astype(int), bins - 1)
    # Sums over the images of a system first: images times resamplings would not fit in memory.
    systems, system = np.unique(system_id, return_inverse=True)
    images, hits = np.zeros((2, len(systems), bins))
    np.add.at(images, (system, which), 1)
    np.add.at(hits, (system, which), hit)
    weights = system_weights(systems, spec.n_bootstrap, seed).astype(float)
    with np.errstate(invalid="ignore"):  # a resampling may leave a bin without images
        samples = (weights @ hits) / (weights @ images)
    return [
        Bin(
            k / bins,
            (k + 1) / bins,
            float(confidence[which == k].mean()),
            float(hit[which == k].mean()),
            *interval(samples[:, k], spec.confidence),
            int((which == k).sum()),
        )
        for k in np.unique(which)
    ]


def tabulate_reliability(
    runs: Sequence[Mapping[str, Any]], output: str, spec: Evaluation, *, seed: int
) -> None:
    """Write the reliability of every run of a domain, before and after its temperature.

    Args:
        runs: mappings with ``model``, ``seed``, ``path`` of a predictions.csv, and ``calibration``
            (a calibration.json; empty for a baseline, which has rows before only).
        output: CSV. A model with several seeds also has rows of all of them, seed ``all``.
        spec: bootstrap and bins.
        seed: of the bootstrap.
    """
    rows = []
    for model in dict.fromkeys(run["model"] for run in runs):
        own = [run for run in runs if run["model"] == model]
        groups = {str(run["seed"]): [run] for run in own}
        groups |= {ALL_SEEDS: own} if len(own) > 1 else {}
        for name, some in groups.items():
            for calibrated in (False, True) if some[0]["calibration"] else (False,):
                identity = {
                    "model": model,
                    "seed": name,
                    "calibrated": "yes" if calibrated else "no",
                }
                found = reliability_bins(*_pooled(some, calibrated), spec, seed=seed)
                rows += [{**identity, **one._asdict()} for one in found]
    table = pd.DataFrame(rows, columns=["model", "seed", "calibrated", *Bin._fields])
    write_csv(output, table, float_format="%.6f")


def _pooled(
    runs: Sequence[Mapping[str, Any]], calibrated: bool
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Probabilities, labels and systems of several runs, one after the other."""
    parts = []
    for run in runs:
        _, label, p, _ = read_predictions(run["path"])
        if calibrated:
            p = apply_temperature(p, read_temperature(run["calibration"]))
        parts.append((p, label, read_independent(run["path"])))
    p, label, ids = (np.concatenate(column) for column in zip(*parts, strict=True))
    return p, label, ids
