"""Table of the regressions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from lensml.evaluation.audit.verdicts import verdicts_of
from lensml.evaluation.regression.metrics import (
    NOTE,
    regression_metrics,
)
from lensml.evaluation.statistics.metrics import Measured
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
    keys = [*KEYS["regression"], "seed"]
    rows = [
        {**{k: run[k] for k in keys}, **measured._asdict()}
        for run in runs
        for measured in regression_metrics(run["path"], spec, seed=seed)
    ]
    table = pd.DataFrame(rows, columns=[*keys, *Measured._fields])
    notes = [NOTE, *verdicts_of(audits)]
    write_table(table, outputs, kind="regression", confidence=spec.confidence, notes=notes)
