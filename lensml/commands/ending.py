"""What is said when a run ends: what its tables say, where they lie, how to go on."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import pandas as pd

from lensml.data.checksums import FOLDER
from lensml.tables import over_seeds

MACRO, ANY = "roc_auc_ovr_macro", "roc_auc_any"  # headlines of their tables


def success(results: Path, since: float) -> list[str]:
    """Lines for a run that ended well: a headline of every table that it made.

    Args:
        results: folder of the run; in storage it holds no table.
        since: when the run began, seconds since 1970.
    """
    lines = headlines(results, since)
    if not lines:
        return []
    where = f"lensml: tables in {results / 'tables'}, figures in {results / 'figures'}"
    how = [
        "  all of it on one page: the same command with --report report.html",
        f"  check files at any time: lensml verify {_recorded(results)}",
    ]
    return [where, *(f"  {line}" for line in lines), *how]


def _recorded(results: Path) -> Path:
    """The folder whose records are of a run: a named run's lie above it."""
    own = [folder for folder in (results, *results.parents) if (folder / FOLDER).is_dir()]
    return own[0] if own else results


def headlines(results: Path, since: float = 0.0) -> list[str]:
    """A line or more of every table in a folder of results that was written since.

    Args:
        results: folder of the run.
        since: seconds since 1970.
    """
    tables = {name: results / "tables" / f"{name}.csv" for name in HEADLINES}
    return [
        line
        for name, path in tables.items()
        if path.exists() and path.stat().st_mtime >= since
        for line in HEADLINES[name](pd.read_csv(path))
    ]


def failure() -> list[str]:
    """Lines for a run that stopped."""
    return [
        "lensml: stopped; a job that failed says why in a line above, which names its log.",
        "  The same command goes on where it stopped; training resumes from its last checkpoint.",
    ]


def _classification(table: pd.DataFrame) -> Iterable[str]:
    for domain, rows in _headlines(table, ["domain", "model"], MACRO):
        yield f"classification, {domain}: macro AUC {_values(rows, 'model')}"


def _adaptation(table: pd.DataFrame) -> Iterable[str]:
    keys = ["source_domain", "target_domain", "model", "method"]
    table = table.assign(pair=table["source_domain"] + " to " + table["target_domain"])
    for pair, rows in _headlines(table, ["pair", *keys], MACRO):
        for model, own in rows.groupby("model", sort=False):
            yield f"adaptation, {pair}, {model}: macro AUC {_values(own, 'method')}"


def _anomaly(table: pd.DataFrame) -> Iterable[str]:
    headline = table.groupby(["domain", "method"], sort=False)["score"].transform("first")
    table = table.loc[table["score"] == headline]
    for domain, rows in _headlines(table, ["domain", "method"], ANY):
        yield f"anomalies, {domain}: AUC {_values(rows, 'method')}"


def _audit(table: pd.DataFrame) -> Iterable[str]:
    failed = sorted(set(table.loc[~table["pass"], "domain"]))
    verdict = f"FAILED by {', '.join(map(str, failed))}; see tables/audit.md"
    yield f"audit: {verdict if failed else 'every domain passes'}"


def _label_reads(table: pd.DataFrame) -> Iterable[str]:
    for target, rows in table.groupby("target_domain", sort=False):
        n = rows.groupby("purpose", sort=False)["file"].nunique()
        told = ", ".join(f"{purpose} ({jobs})" for purpose, jobs in n.items())
        yield f"labels of {target} were read for (jobs): {told}"


HEADLINES: dict[str, Callable[[pd.DataFrame], Iterable[str]]] = {
    "classification": _classification,
    "adaptation": _adaptation,
    "label_reads_adaptation": _label_reads,
    "anomaly": _anomaly,
    "audit": _audit,
}


def _headlines(
    table: pd.DataFrame, keys: list[str], metric: str
) -> Iterable[tuple[str, pd.DataFrame]]:
    """Rows of a metric for every value of the first key, over seeds where there are several."""
    rows = over_seeds(table.loc[table["metric"] == metric], keys)
    return ((str(name), own) for name, own in rows.groupby(keys[0], sort=False))


def _values(rows: pd.DataFrame, key: str) -> str:
    """``model 0.981 [0.975, 0.986]`` of every row."""
    columns = (rows[name] for name in (key, "value", "ci_low", "ci_high"))
    return ", ".join(
        f"{name} {value:.3f} [{low:.3f}, {high:.3f}]"
        for name, value, low, high in zip(*columns, strict=True)
    )
