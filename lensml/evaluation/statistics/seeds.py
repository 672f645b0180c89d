"""Several trainings: one interval that holds what the seeds and what the test systems do.

The interval of one run is that of its test sample alone; another training would give another
value. Over seeds the mean is reported, with a hierarchical bootstrap: every resampling draws the
systems anew, the same for all seeds, and adds what the mean over seeds may be off. Few seeds
cannot be resampled (three of them give a standard deviation that is too small by a factor of
1.2, and no tails), so that at this level Student's t of the spread between seeds takes their
place.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import t

from lensml.evaluation.statistics.metrics import COLUMNS, Measured
from lensml.schema.training import BASELINE, Evaluation
from lensml.tables import ALL_SEEDS, of_seeds

SEEDS_FOR_A_SIGN = 5
GAINS = ("_gain", "_gap_closed")  # ends of the metrics whose sign is a claim
# Metrics that lie in [0, 1], by their starts.
SHARES = ("roc_auc", "auc_", "accuracy", "tpr_at_fpr", "nominal_fpr", "share_", "coverage", "ece")
INTERVALS = (
    "One seed: value [{confidence:.0%} bootstrap interval over lens systems], to which another "
    "training would add. Several seeds: mean ± standard deviation over seeds [{confidence:.0%} "
    "interval of the mean over systems and seeds together: systems by bootstrap, the spread "
    "between seeds by Student's t]."
)


def mean_over_seeds(measured: Sequence[Measured], spec: Evaluation, *, seed: int) -> Measured:
    """Mean of a metric over seeds, with the interval over systems and seeds together.

    Args:
        measured: the same metric of two or more seeds, on the same resamplings.
        spec: confidence.
        seed: of the order in which the deviates of Student's t are met with the resamplings.
    """
    values = np.array([one.value for one in measured])
    samples = np.mean([one.samples for one in measured], axis=0)
    first, n_seeds, n = measured[0], len(measured), len(samples)
    if not np.isfinite(values).all():
        return Measured.none(first.metric, samples, first.n)
    quantile = (np.random.default_rng(seed).permutation(n) + 0.5) / n
    off = values.std(ddof=1) / np.sqrt(n_seeds) * t.ppf(quantile, n_seeds - 1)
    samples = samples + off
    if is_share(first.metric):
        samples = np.clip(samples, 0, 1)
    return Measured.of(first.metric, float(values.mean()), samples, first.n, spec.confidence)


def is_share(metric: str) -> bool:
    """Whether a metric lies between 0 and 1."""
    return metric.startswith(SHARES) and not metric.endswith(GAINS)


def measured_table(
    found: Sequence[tuple[Mapping[str, Any], Sequence[Measured]]],
    keys: Sequence[str],
    spec: Evaluation,
    *,
    seed: int,
) -> pd.DataFrame:
    """Tidy table of the metrics of runs; where there are several seeds, also of all of them.

    Args:
        found: of every run its identity (``keys`` and ``seed``) and its metrics.
        keys: columns that tell one method from another.
        spec: confidence.
        seed: of the bootstrap.

    Returns:
        Columns ``keys``, ``seed`` (a number, or ``ALL_SEEDS``) and ``COLUMNS``.
    """
    methods: dict[tuple, list[tuple[Mapping[str, Any], Sequence[Measured]]]] = {}
    for identity, measured in found:
        methods.setdefault(tuple(identity[k] for k in keys), []).append((identity, measured))
    rows = []
    for name, runs in methods.items():
        for identity, measured in runs:
            rows += [_row(keys, name, identity["seed"], one) for one in measured]
        if len(runs) > 1:
            by_metric = [{one.metric: one for one in measured} for _, measured in runs]
            for metric in by_metric[0]:
                of_all = [m[metric] for m in by_metric if metric in m]
                if len(of_all) == len(runs):
                    rows.append(
                        _row(keys, name, ALL_SEEDS, mean_over_seeds(of_all, spec, seed=seed))
                    )
    return pd.DataFrame(rows, columns=[*keys, "seed", *COLUMNS])


def _row(keys: Sequence[str], name: tuple, seed: Any, measured: Measured) -> dict[str, Any]:
    return {**dict(zip(keys, name, strict=True)), "seed": seed, **measured.row}


def sign_notes(table: pd.DataFrame, keys: Sequence[str], metrics: Sequence[str]) -> list[str]:
    """A sentence if gains are shown of fewer seeds than settle a sign.

    The baseline is left out: it is fitted in one way only, so that more seeds settle nothing.

    Args:
        table: of :func:`measured_table`.
        keys: its keys.
        metrics: that are shown.
    """
    gains = [m for m in metrics if m.endswith(GAINS) and m in set(table["metric"])]
    drawn = table["model"] != BASELINE if "model" in table else True
    runs = of_seeds(table.loc[table["metric"].isin(gains) & drawn])
    if runs.empty:
        return []
    fewest = min(len(set(group["seed"])) for _, group in runs.groupby([*keys, "metric"]))
    if fewest >= SEEDS_FOR_A_SIGN:
        return []
    count = "one seed" if fewest == 1 else f"{fewest} seeds"
    return [
        f"{', '.join(gains)}: from {count}; whether they are above or below 0 takes at least "
        f"{SEEDS_FOR_A_SIGN}."
    ]
