"""Table of the attribution maps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from lensml.evaluation.attribution.maps import NOTE, REFERENCE
from lensml.evaluation.attribution.truth import IDENTITY, METRICS
from lensml.evaluation.audit.verdicts import verdicts_of
from lensml.evaluation.statistics.bootstrap import system_weights
from lensml.evaluation.statistics.metrics import Measured, mean_metric
from lensml.evaluation.statistics.predictions import independent
from lensml.evaluation.statistics.seeds import measured_table
from lensml.evaluation.statistics.tables import TaskTable, write_table
from lensml.schema.training import Evaluation

ATTRIBUTION = TaskTable(
    title="Attribution",
    keys=("domain", "model", "label", "method"),
    shown=(
        *("auc_kappa_shuffled", "auc_kappa", "auc_kappa_gain"),
        *("auc_difference", "auc_difference_gain"),
    ),
    notes=(NOTE,),
)


def tabulate_attribution(
    runs: Sequence[Mapping[str, str]],
    outputs: Sequence[str],
    spec: Evaluation,
    *,
    seed: int,
    audits: Sequence[str] = (),
) -> None:
    """Table of how well maps point at the substructure.

    Args:
        runs: mappings with ``path`` of a scores.csv, ``reference`` of the domain's baselines,
            ``domain``, ``model`` and ``seed``.
        outputs: the .csv, .html, .md and .tex files to write.
        spec: bootstrap.
        seed: of the bootstrap.
        audits: .csv of the domains; those that failed are named below the table.
    """
    rows: list[tuple[dict, list[Measured]]] = []
    for run in runs:
        scores, reference = (read_scores(run[key]) for key in ("path", "reference"))
        identity = {key: run[key] for key in ("domain", "model", "seed")}
        same = reference.loc[reference["method"] == REFERENCE]
        for _, group in scores.groupby(["label", "method"], sort=False):
            of = {key: group[key].iloc[0] for key in ("label", "method")}
            rows.append((identity | of, attribution_metrics(group, same, spec, seed=seed)))
    table = measured_table(rows, ATTRIBUTION.keys, spec, seed=seed)
    notes = verdicts_of(audits)
    write_table(table, outputs, ATTRIBUTION, confidence=spec.confidence, notes=notes)


def read_scores(path: str) -> pd.DataFrame:
    """Read a scores.csv of maps.

    Raises:
        ValueError: a column is missing or the file has no rows.
    """
    table = pd.read_csv(path)
    columns = [*IDENTITY, "method", *METRICS]
    if not set(columns) <= set(table.columns) or table.empty:
        raise ValueError(f"{path}: needs rows and the columns {', '.join(columns)}")
    return table


def attribution_metrics(
    scores: pd.DataFrame, reference: pd.DataFrame, spec: Evaluation, *, seed: int
) -> list[Measured]:
    """Mean scores of one method's maps of one class, and their gain over the reference.

    Args:
        scores: rows of :func:`lensml.evaluation.attribution.truth.score_rows`.
        reference: rows of the same images.
        spec: bootstrap over lens systems.
        seed: of the bootstrap.
    """
    joined = scores.merge(reference, on=list(IDENTITY), suffixes=("", "_reference"))
    rows = []
    for metric in METRICS:
        # Without substructure inside the image there is nothing to point at.
        some = joined.loc[joined[metric].notna()]
        weights = system_weights(independent(some), spec.n_bootstrap, seed)
        value = some[metric].to_numpy()
        gain = value - some[f"{metric}_reference"].to_numpy()
        for name, terms in ((metric, value), (f"{metric}_gain", gain)):
            rows.append(mean_metric(name, float(terms.mean()), terms, weights, spec))
    return rows
