"""Table of the regressions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from lensml.evaluation.regression.metrics import NOTE, regression_metrics
from lensml.evaluation.statistics.tables import TaskTable, tabulate
from lensml.schema.training import Evaluation

REGRESSION = TaskTable(
    title="Regression",
    keys=("domain", "substructure", "target", "model"),
    shown=("rmse", "r2", "bias", "nll", "coverage_68", "coverage_95", "pull_std"),
    notes=(NOTE,),
)


def tabulate_regression(
    runs: Sequence[Mapping[str, str]],
    outputs: Sequence[str],
    spec: Evaluation,
    *,
    seed: int,
    audits: Sequence[str] = (),
) -> None:
    """Table of regressions.

    Args:
        runs: mappings with ``path`` of a predictions.csv, ``seed``, ``domain``, ``substructure``,
            ``target`` and ``model``.
        outputs: the .csv, .html, .md and .tex files to write.
        spec: bootstrap.
        seed: of the bootstrap.
        audits: .csv of the domains; those that failed are named below the table.

    Raises:
        ValueError: a file lacks a column or has no rows.
    """
    found = [(run, regression_metrics(run["path"], spec, seed=seed)) for run in runs]
    tabulate(REGRESSION, found, outputs, spec, seed=seed, audits=audits)
