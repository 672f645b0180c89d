"""The audit of every domain as one table, and in words where a domain failed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from lensml.data.files import write_bytes, write_csv
from lensml.evaluation.tables import latex, markdown

# What tells the classes apart where a test fails.
MEANING = {
    "parameters_auc": "the parameters of lens and source",
    "parameters_ks": "the parameters of lens and source",
    "einstein_radius_mean": "the mass inside the Einstein ring",
    "einstein_radius_auc": "the mass inside the Einstein ring",
    "background_auc": "the corners of the image",
    "radial_profile_auc": "the radial profile (an Einstein radius is enough)",
    "null_auc": "overfitting",
    "splits": "lenses seen in training",
    "noise_variance": "missing or wrong noise",
    "index_auc": "the order of the images",
    "layout": "the file format",
    "pairing": "different lenses in different classes",
}
CAPTION = (
    "Audit: does anything but substructure tell the classes apart? AUC are macro, one against the "
    "rest; those that must be 0.5 come from classifiers measured on lens systems that they were "
    "not fitted on. A radial profile above its threshold is a warning: an Einstein radius is "
    "enough."
)


def tabulate_audit(audits: Sequence[str], outputs: Sequence[str]) -> None:
    """Join the audits of domains.

    Args:
        audits: .csv of every domain.
        outputs: the .csv, .md and .tex files to write.
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
    for output in outputs:
        suffix = Path(output).suffix
        if suffix == ".csv":
            write_csv(output, table.rename(columns={"passed": "pass"}), float_format="%.6g")
        elif suffix == ".md":
            lines = [markdown(summary, CAPTION), *verdicts(table)]
            write_bytes(output, ("\n".join(lines) + "\n").encode())
        else:
            write_bytes(output, latex(summary, CAPTION).encode())


def _allowed(row: tuple) -> str:
    criterion, null, threshold = (getattr(row, k) for k in ("criterion", "null", "threshold"))
    if criterion == "within":
        return f"{null:g} ± {threshold:.2g}" if threshold else f"{null:g}"
    return f"{criterion} {threshold:.2g}"


def verdicts(table: pd.DataFrame) -> list[str]:
    """One sentence for every domain that failed a test, or one that none did.

    Args:
        table: columns ``domain``, ``test``, ``passed``.
    """
    failed = table.loc[~table["passed"].astype(bool)]
    if failed.empty:
        return ["Every domain passes every test."]
    sentences = []
    for domain, rows in failed.groupby("domain", sort=False):
        what = list(dict.fromkeys(MEANING[test] for test in rows["test"]))
        joined = what[0] if len(what) == 1 else f"{', '.join(what[:-1])} and {what[-1]}"
        sentences.append(f"Results on {domain} measure {joined}, not substructure.")
    return sentences
