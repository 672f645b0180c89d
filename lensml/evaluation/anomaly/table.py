"""Tables of the search for anomalies, and of the sweep over its settings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from lensml.evaluation.anomaly.metrics import anomaly_metrics, false_alarms, proxy_auc
from lensml.evaluation.statistics.metrics import Measured
from lensml.evaluation.statistics.tables import TaskTable, tabulate
from lensml.schema.training import Evaluation

NOTE = (
    "The first score of every method is its headline; supervised: a classifier that was trained "
    "on labels, for comparison. roc_auc_any_adjusted: of what flux and Einstein radius do not "
    "foretell of the score. nominal_fpr_0.1: share of smooth test lenses beyond the score that a "
    "tenth of the smooth validation lenses exceeds. roc_auc_proxy: validation images of smooth "
    "lenses against themselves with a patch displaced, on which headline and settings are chosen."
)
ANOMALY = TaskTable(
    title="Anomaly",
    keys=("domain", "method", "score"),
    shown=(
        *("roc_auc_cdm", "roc_auc_vortex", "roc_auc_any", "roc_auc_any_adjusted"),
        *("tpr_at_fpr_0.1", "nominal_fpr_0.1", "roc_auc_proxy"),
    ),
    notes=(NOTE,),
)
SWEEP = TaskTable(
    title="Sweep",
    keys=("domain", "factor", "setting", "score"),
    shown=("roc_auc_cdm", "roc_auc_vortex", "roc_auc_any", "roc_auc_proxy"),
    notes=(NOTE,),
)
TABLES = {"anomaly": ANOMALY, "sweep": SWEEP}


def tabulate_anomaly(
    kind: str,
    runs: Sequence[Mapping[str, str]],
    outputs: Sequence[str],
    spec: Evaluation,
    *,
    seed: int,
    audits: Sequence[str] = (),
) -> None:
    """Table of anomaly scores.

    Args:
        kind: of ``TABLES``.
        runs: mappings with ``path`` of a scores.csv, ``seed``, the table's keys, and where there
            are any ``proxies``, the scores of distorted validation images.
        outputs: the .csv, .html, .md and .tex files to write.
        spec: bootstrap and operating points.
        seed: of the bootstrap.
        audits: .csv of the domains; those that failed are named below the table.

    Raises:
        ValueError: a file lacks a column or has no rows.
    """
    found = [(run, _measures(run, spec, seed=seed)) for run in runs]
    tabulate(TABLES[kind], found, outputs, spec, seed=seed, audits=audits)


def _measures(run: Mapping[str, str], spec: Evaluation, *, seed: int) -> list[Measured]:
    found = anomaly_metrics(run["path"], spec, seed=seed)
    if run.get("proxies"):
        found += false_alarms(run["path"], run["proxies"], spec, seed=seed)
        found.append(proxy_auc(run["proxies"], spec, seed=seed))
    return found
