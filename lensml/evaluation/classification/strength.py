"""AUC against the strength of the substructure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np
import pandas as pd
from sklearn.metrics import roc_auc_score

from lensml.data.files import write_csv
from lensml.data.store import Store, open_store
from lensml.evaluation.statistics.bootstrap import interval, system_weights, weighted_auc
from lensml.evaluation.statistics.predictions import read_independent, read_predictions
from lensml.schema.training import Evaluation

STRENGTHS = {"cdm": "log10_m_sub_total", "vortex": "log10_axion_mass"}
N_BINS = 5


def tabulate_strength(
    runs: Sequence[Mapping[str, str]],
    stores: Mapping[str, str],
    output: str,
    spec: Evaluation,
    *,
    seed: int,
) -> None:
    """AUC against ``no_sub`` in bins of the substructure's strength.

    Args:
        runs: mappings with ``domain, model, seed`` and ``path`` of a predictions.csv or of anomaly
            scores.
        stores: class -> test store of the domain, for the truth.
        output: CSV.
        spec: bootstrap.
        seed: of the bootstrap.
    """
    rows = []
    for run in runs:
        for label, store in stores.items():
            if label in STRENGTHS:
                rows += _strength_rows(run, label, open_store(store, check=False), spec, seed)
    columns = ["domain", "model", "seed", "label", "quantity", "bin_low", "bin_high"]
    table = pd.DataFrame(rows, columns=[*columns, "roc_auc", "ci_low", "ci_high", "n"])
    write_csv(output, table, float_format="%.6f")


def _strength_rows(
    run: Mapping[str, str], label: str, store: Store, spec: Evaluation, seed: int
) -> list[dict]:
    system_id, truth, score = _one_against_none(run["path"], label)
    ids = read_independent(run["path"])
    quantity = STRENGTHS[label]
    strength = _strength(store, quantity)
    finite = np.isfinite(strength)
    edges = np.quantile(strength[finite], np.linspace(0, 1, N_BINS + 1))
    rows = []
    for low, high in pairwise(edges):
        chosen = store.truth["system_id"][(strength >= low) & (strength <= high)]
        keep = (truth == "no_sub") | ((truth == label) & np.isin(system_id, chosen))
        positive = truth[keep] == label
        if positive.sum() < 2:
            continue
        weights = system_weights(ids[keep], spec.n_bootstrap, seed)
        bounds = interval(weighted_auc(score[keep], positive, weights), spec.confidence)
        rows.append(
            {
                **{name: run[name] for name in ("domain", "model", "seed")},
                "label": label,
                "quantity": quantity,
                "bin_low": low,
                "bin_high": high,
                "roc_auc": roc_auc_score(positive, score[keep]),
                "ci_low": bounds[0],
                "ci_high": bounds[1],
                "n": int(positive.sum()),
            }
        )
    return rows


def _one_against_none(path: str, label: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """System, true class and score of a class against ``no_sub`` alone, (N,) each.

    Of a classifier it is the probability where only these two are possible.
    """
    table = pd.read_csv(path)
    if "score" in table:
        system_id, truth, score = (table[k].to_numpy() for k in ("system_id", "label", "score"))
        return system_id, truth, score
    system_id, truth, p, classes = read_predictions(path)
    k = classes.index(label)
    score = p[:, k] / np.maximum(p[:, 0] + p[:, k], 1e-30)
    return system_id, np.array(classes)[truth], score


def _strength(store: Store, quantity: str) -> np.ndarray:
    if quantity == "log10_axion_mass":
        return store.truth["log10_axion_mass"]
    with np.errstate(divide="ignore"):
        return np.log10(store.truth["m_sub_total"])
