"""Table of adaptation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from lensml.evaluation.adaptation.harm import harm_notes
from lensml.evaluation.classification.table import baseline_notes, measures
from lensml.evaluation.statistics.comparison import gap_closed
from lensml.evaluation.statistics.metrics import Measured
from lensml.evaluation.statistics.tables import TaskTable, tabulate
from lensml.schema.training import Evaluation

ADAPTATION = TaskTable(
    title="Adaptation",
    keys=("source_domain", "target_domain", "model", "method"),
    shown=(
        *("roc_auc_ovr_macro", "roc_auc_ovr_macro_gain", "roc_auc_ovr_macro_gap_closed"),
        *("accuracy", "accuracy_gap_closed", "ece", "ece_floor"),
    ),
)
GAP_CLOSED = (
    "gap_closed: (method - source_only) / (oracle - source_only) on the same bootstrap samples; "
    "none where the oracle's own lead may be nothing. The oracle is trained on labelled target "
    "images."
)


def tabulate_adaptation(
    runs: Sequence[Mapping[str, str]],
    outputs: Sequence[str],
    spec: Evaluation,
    *,
    seed: int,
    audits: Sequence[str] = (),
) -> None:
    """Table of methods of adaptation.

    Args:
        runs: mappings with ``path`` of a predictions.csv, ``seed``, the table's keys,
            ``reference``, the predictions of source_only, and ``oracle``, with which the share of
            the gap is measured that a method closes (each empty where there is none).
        outputs: the .csv, .md and .tex files to write.
        spec: bootstrap and operating points.
        seed: of the bootstrap.
        audits: .csv of the domains; those that failed are named below the table.

    Raises:
        ValueError: a file lacks a column or has no rows.
    """
    known = [GAP_CLOSED] if any(run.get("oracle") for run in runs) else []
    tabulate(
        ADAPTATION,
        [(run, _measures(run, spec, seed=seed)) for run in runs],
        outputs,
        spec,
        seed=seed,
        notes=lambda table: [*known, *harm_notes(runs, table), *baseline_notes(runs)],
        audits=audits,
    )


def _measures(run: Mapping[str, str], spec: Evaluation, *, seed: int) -> list[Measured]:
    found = measures(run, spec, seed=seed)
    if run.get("oracle"):
        compared = run["reference"], run["oracle"]
        found += gap_closed(run["path"], *compared, spec, seed=seed)
    return found
