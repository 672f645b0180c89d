"""Table of the regressions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from lensml.evaluation.audit.verdicts import verdicts_of
from lensml.evaluation.regression.metrics import (
    NOTE,
    regression_metrics,
)
from lensml.evaluation.statistics.seeds import measured_table
from lensml.evaluation.statistics.tables import KEYS, write_table
from lensml.schema.training import Evaluation


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
        outputs: the .csv, .md and .tex files to write.
        spec: bootstrap.
        seed: of the bootstrap.
        audits: .csv of the domains; those that failed are named below the table.

    Raises:
        ValueError: a file lacks a column or has no rows.
    """
    found = [(run, regression_metrics(run["path"], spec, seed=seed)) for run in runs]
    table = measured_table(found, KEYS["regression"], spec, seed=seed)
    notes = [NOTE, *verdicts_of(audits)]
    write_table(table, outputs, kind="regression", confidence=spec.confidence, notes=notes)
