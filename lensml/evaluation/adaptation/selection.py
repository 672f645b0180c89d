"""How well criteria without labels order adapted classifiers by their accuracy on the target.

The table that judges them needs labels of the target; nothing in a run follows from it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import rankdata

from lensml.evaluation.adaptation.criteria import CRITERIA
from lensml.evaluation.statistics.bootstrap import system_weights, weighted_mean
from lensml.evaluation.statistics.metrics import Measured
from lensml.evaluation.statistics.predictions import read_independent, read_predictions
from lensml.evaluation.statistics.seeds import measured_table
from lensml.evaluation.statistics.tables import summarise, write_formats
from lensml.schema.training import Evaluation

FEWEST = 4  # runs of a pair with which an order says anything
PAIR = ("source_domain", "target_domain")
EVERY = "every pair"  # in place of a source: the mean over pairs
AT_RANDOM = "at random"  # in place of a criterion: what its regret is measured against
SPEARMAN, REGRET = "spearman", "accuracy_regret"
KEYS = (*PAIR, "criterion")
CAPTION = (
    "Criteria without labels: value [{confidence:.0%} bootstrap interval, for which lens systems "
    "and runs are both resampled]. spearman: rank correlation, over every method, encoder and "
    "seed of a pair, of the criterion with the accuracy on the target's labelled test images. "
    "accuracy_regret: accuracy of the best of these runs less that of the run that the criterion "
    "puts first; of '{at_random}' less the mean. A method that trains on a criterion makes it "
    "worthless."
)


@dataclass(frozen=True)
class Runs:
    """Runs of one pair.

    Attributes:
        criteria: name -> (R,) of every run.
        accuracy: (R,) on the target.
        resampled: (B, R) the same on resampled systems.
        drawn: (B, R) int, indices of resampled runs.
    """

    criteria: Mapping[str, np.ndarray]
    accuracy: np.ndarray
    resampled: np.ndarray
    drawn: np.ndarray


def tabulate_criteria(
    runs: Sequence[Mapping[str, Any]], outputs: Sequence[str], spec: Evaluation, *, seed: int
) -> None:
    """Table of every criterion on every pair, and of their means over pairs.

    Args:
        runs: mappings with ``source_domain``, ``target_domain``, ``path`` of predictions of the
            target's test images, and ``criterion_file``, see
            :func:`lensml.evaluation.adaptation.evidence.measure_criteria`.
        outputs: the .csv, .html, .md and .tex files to write.
        spec: bootstrap.
        seed: of the bootstrap.

    Raises:
        ValueError: a pair has fewer than ``FEWEST`` runs, or predictions of other images.
    """
    pairs: dict[tuple[str, ...], list[Mapping[str, Any]]] = {}
    for run in runs:
        pairs.setdefault(tuple(run[name] for name in PAIR), []).append(run)
    read = {pair: read_runs(own, spec, seed=seed) for pair, own in pairs.items()}
    judged = {pair: _judged(own, spec) for pair, own in read.items()}
    if len(judged) > 1:
        judged[EVERY, EVERY] = _means(list(judged.values()), spec)
    found = [
        ({**dict(zip(PAIR, pair, strict=True)), "criterion": name, "seed": 0}, rows)
        for pair, criteria in judged.items()
        for name, rows in criteria.items()
    ]
    table = measured_table(found, KEYS, spec, seed=seed)
    summary = summarise(table, KEYS, (SPEARMAN, REGRET)).rename(columns={"seeds": "runs"})
    summary["runs"] = [str(rows[0].n) for _, rows in found]
    caption = CAPTION.format(confidence=spec.confidence, at_random=AT_RANDOM)
    write_formats(outputs, table, summary, caption, float_format="%.6f")


def read_runs(runs: Sequence[Mapping[str, Any]], spec: Evaluation, *, seed: int) -> Runs:
    """Criteria and accuracies of the runs of one pair; see :func:`tabulate_criteria`."""
    paths = tuple(str(run["path"]) for run in runs)
    if len(runs) < FEWEST:
        pair = " to ".join(str(runs[0][name]) for name in PAIR)
        raise ValueError(
            f"{pair}: {len(runs)} runs; criteria are compared over at least {FEWEST} "
            "(adaptation.methods, classifier.seeds)"
        )
    systems, truth, *_ = read_predictions(paths[0])
    correct = [_correct(path, systems, truth, paths[0]) for path in paths]
    weights = system_weights(read_independent(paths[0]), spec.n_bootstrap, seed)
    drawn = np.random.default_rng(seed).integers(0, len(runs), (len(weights), len(runs)))
    told = [json.loads(Path(run["criterion_file"]).read_text())["criteria"] for run in runs]
    return Runs(
        criteria={name: np.array([one[name] for one in told], float) for name in CRITERIA},
        accuracy=np.array([c.mean() for c in correct]),
        resampled=np.stack([weighted_mean(c, weights) for c in correct], axis=1),
        drawn=drawn,
    )


def _correct(path: str, systems: np.ndarray, truth: np.ndarray, first: str) -> np.ndarray:
    own, label, p, _ = read_predictions(path)
    if not (np.array_equal(own, systems) and np.array_equal(label, truth)):
        raise ValueError(f"{first} and {path}: predictions of different images")
    return (p.argmax(1) == label).astype(float)


def spearman(criterion: np.ndarray, accuracy: np.ndarray) -> np.ndarray:
    """Rank correlation of the rows of (..., R); NaN where one of a row's is constant."""
    a, b = (rankdata(x, axis=-1) for x in (criterion, accuracy))
    a, b = (x - x.mean(-1, keepdims=True) for x in (a, b))
    with np.errstate(invalid="ignore", divide="ignore"):
        return (a * b).sum(-1) / np.sqrt((a**2).sum(-1) * (b**2).sum(-1))


def regret(criterion: np.ndarray, accuracy: np.ndarray) -> np.ndarray:
    """Best accuracy of the rows of (..., R) less that of the run with the highest criterion.

    Of runs that share the highest criterion the mean counts.
    """
    chosen = criterion == criterion.max(-1, keepdims=True)
    return accuracy.max(-1) - (accuracy * chosen).sum(-1) / chosen.sum(-1)


def _judged(runs: Runs, spec: Evaluation) -> dict[str, list[Measured]]:
    """Criterion -> its metrics on one pair, and the regret of choosing at random."""
    resampled = np.take_along_axis(runs.resampled, runs.drawn, axis=1)
    n, found = len(runs.accuracy), {}
    for name, values in runs.criteria.items():
        drawn = values[runs.drawn]
        rho, rhos = spearman(values, runs.accuracy), spearman(drawn, resampled)
        lost, losses = regret(values, runs.accuracy), regret(drawn, resampled)
        found[name] = [
            _measured(SPEARMAN, rho, rhos, n, spec),
            _measured(REGRET, lost, losses, n, spec),
        ]
    nothing = np.zeros(n)
    lost = regret(nothing, runs.accuracy)
    losses = regret(np.zeros_like(resampled), resampled)
    found[AT_RANDOM] = [_measured(REGRET, lost, losses, n, spec)]
    return found


def _measured(metric: str, value: Any, samples: np.ndarray, n: int, spec: Evaluation) -> Measured:
    if not np.isfinite(value):
        return Measured.none(metric, samples, n)
    return Measured.of(metric, float(value), samples, n, spec.confidence)


def _means(pairs: Sequence[Mapping[str, list[Measured]]], spec: Evaluation) -> dict:
    """Means over those pairs on which a criterion could be judged."""
    return {
        name: [
            _mean([m for m in alike if np.isfinite(m.value)] or alike[:1], spec)
            for alike in zip(*(pair[name] for pair in pairs), strict=True)
        ]
        for name in pairs[0]
    }


def _mean(alike: Sequence[Measured], spec: Evaluation) -> Measured:
    value = np.mean([m.value for m in alike])
    samples = np.mean([m.samples for m in alike], axis=0)
    return _measured(alike[0].metric, value, samples, sum(m.n for m in alike), spec)
