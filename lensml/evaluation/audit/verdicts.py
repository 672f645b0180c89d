"""What the audit says of a domain's results, in words."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

# What tells the classes apart where a test fails.
MEANING = {
    "parameters_auc": "the parameters of lens and source",
    "parameters_ks": "the parameters of lens and source",
    "einstein_radius_mean": "the mass inside the Einstein ring",
    "einstein_radius_auc": "the mass inside the Einstein ring",
    "background_auc": "the background, where there is no arc",
    "radial_profile_auc": "the radial profile (an Einstein radius is enough)",
    "moments_auc": "the shape of the ring (six azimuthal moments are enough)",
    "null_auc": "overfitting",
    "splits": "lenses seen in training",
    "noise_variance": "missing or wrong noise",
    "index_auc": "the order of the images",
    "layout": "the file format",
    "pairing": "different lenses in different classes",
}


def verdicts_of(audits: Sequence[str]) -> list[str]:
    """:func:`verdicts` of audit files, one .csv per domain; none for none."""
    if not audits:
        return []
    return verdicts(pd.concat([pd.read_csv(path) for path in audits], ignore_index=True))


def verdicts(table: pd.DataFrame) -> list[str]:
    """One sentence for every domain that failed a test.

    Args:
        table: columns ``domain``, ``test``, ``passed``.
    """
    failed = table.loc[~table["passed"].astype(bool)]
    sentences = []
    for domain, rows in failed.groupby("domain", sort=False):
        what = list(dict.fromkeys(MEANING[test] for test in rows["test"]))
        joined = what[0] if len(what) == 1 else f"{', '.join(what[:-1])} and {what[-1]}"
        sentences.append(f"Results on {domain} measure {joined}, not substructure.")
    return sentences
