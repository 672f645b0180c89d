"""The audit of every domain as one table, and in words where a domain failed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from lensml.data.files import write_bytes, write_csv
from lensml.evaluation.audit.verdicts import verdicts
from lensml.evaluation.statistics.tables import html, latex, markdown

CAPTION = (
    "Audit: does anything but substructure tell the classes apart? AUC are macro, one against the "
    "rest; those that must be 0.5 come from classifiers measured on lens systems that they were "
    "not fitted on. Radial profile and moments above their thresholds are a warning: radius and "
    "shape of the ring are enough. background_auc: pixels in which no class of a system has light."
)


def tabulate_audit(audits: Sequence[str], outputs: Sequence[str]) -> None:
    """Join the audits of domains.

    Args:
        audits: .csv of every domain.
        outputs: the .csv, .html, .md and .tex files to write.
    """
    table = pd.concat([pd.read_csv(path) for path in audits], ignore_index=True)
    summary = pd.DataFrame(
        {
            "domain": table["domain"],
            "test": table["test"],
            "value": [f"{v:.3g}" for v in table["value"]],
            "allowed": [_allowed(row) for row in table.itertuples()],
            "n": table["n"].astype(str),
            "pass": ["yes" if p else "NO" for p in table["passed"]],
        }
    )
    told = verdicts(table) or ["Every domain passes every test."]
    for output in outputs:
        suffix = Path(output).suffix
        if suffix == ".csv":
            write_csv(output, table.rename(columns={"passed": "pass"}), float_format="%.6g")
        elif suffix == ".md":
            lines = [markdown(summary, CAPTION), *told]
            write_bytes(output, ("\n".join(lines) + "\n").encode())
        elif suffix == ".html":
            write_bytes(output, html(summary, " ".join([CAPTION, *told])).encode())
        else:
            write_bytes(output, latex(summary, CAPTION).encode())


def _allowed(row: tuple) -> str:
    criterion, null, threshold = (getattr(row, k) for k in ("criterion", "null", "threshold"))
    if criterion == "within":
        return f"{null:g} ± {threshold:.2g}" if threshold else f"{null:g}"
    return f"{criterion} {threshold:.2g}"
