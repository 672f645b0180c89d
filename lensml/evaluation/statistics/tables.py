"""Tidy tables of metrics, as CSV, Markdown and LaTeX."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from lensml.data.files import write_bytes, write_csv
from lensml.evaluation.audit.verdicts import verdicts_of
from lensml.evaluation.statistics.metrics import FALSE_POSITIVES, Measured, resolved
from lensml.evaluation.statistics.seeds import INTERVALS, measured_table, sign_notes
from lensml.provenance import provenance_line
from lensml.schema.training import Evaluation
from lensml.tables import ALL_SEEDS, of_seeds

LATEX = {
    **{sign: "\\" + sign for sign in "_%&#${}"},
    **{"±": r"$\pm$", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"},
    "\\": r"\textbackslash{}",
}
HEAD = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>lensml</title>
<style>
body {font-family: sans-serif; margin: 1em; overflow-x: auto}
table {border-collapse: collapse; font-size: 0.9em}
th, td {padding: 0.3em 0.7em; text-align: left; white-space: nowrap; border-bottom: 1px solid #ccc}
thead th {border-bottom: 2px solid #444}
p {max-width: 60em; line-height: 1.4}
</style>
</head>
<body>
"""
FLOOR = "ece_floor: what the ece of a perfect classifier of these confidences would be."


@dataclass(frozen=True)
class TaskTable:
    """What is a task's own of its table.

    Attributes:
        title: first word of the caption.
        keys: columns that name a row; rows that differ in their seed only are summarised.
        shown: metrics of the summary; every other one is in the CSV.
        notes: sentences of the caption.
    """

    title: str
    keys: tuple[str, ...]
    shown: tuple[str, ...]
    notes: tuple[str, ...] = ()


def tabulate(
    about: TaskTable,
    found: Sequence[tuple[Mapping[str, Any], list[Measured]]],
    outputs: Sequence[str],
    spec: Evaluation,
    *,
    seed: int,
    notes: Callable[[pd.DataFrame], list[str]] = lambda _: [],
    audits: Sequence[str] = (),
) -> None:
    """Table of runs of whatever task.

    Args:
        about: what is the task's own.
        found: of every run what identifies it (``path`` of its predictions or scores, ``seed``,
            the table's keys), and its metrics.
        outputs: the .csv, .html, .md and .tex files to write.
        spec: bootstrap and operating points.
        seed: of the bootstrap.
        notes: further sentences of the caption, made from the tidy table.
        audits: .csv of the domains; those that failed are named below the table.

    Raises:
        ValueError: a file lacks a column or has no rows.
    """
    runs = [run for run, _ in found]
    table = measured_table(found, about.keys, spec, seed=seed)
    told = [*notes(table), *galaxy_notes(runs), *verdicts_of(audits)]
    if any(metric.startswith("tpr_at_fpr") for metric in about.shown):
        told += resolution_notes([run["path"] for run in runs], spec.false_positive_rates)
    write_table(table, outputs, about, confidence=spec.confidence, notes=told)


def write_table(
    table: pd.DataFrame,
    outputs: Sequence[str],
    about: TaskTable,
    *,
    confidence: float,
    notes: Sequence[str] = (),
) -> None:
    """Write a tidy table as CSV, and its main metrics with notes as Markdown and LaTeX."""
    summary = summarise(table, about.keys, about.shown)
    parts = [f"{about.title}.", INTERVALS.format(confidence=confidence)]
    parts += sign_notes(table, about.keys, about.shown)
    parts += [FLOOR] if "ece_floor" in about.shown else []
    caption = " ".join([*parts, *about.notes, *notes])
    write_formats(outputs, table, summary, caption, float_format="%.6f")


def write_formats(
    outputs: Sequence[str],
    table: pd.DataFrame,
    summary: pd.DataFrame,
    caption: str,
    *,
    float_format: str = "%.6g",
) -> None:
    """Write a table of numbers as CSV, and its summary in texts as HTML, Markdown and LaTeX.

    Args:
        outputs: the .csv, .html, .md and .tex files to write.
        table: numbers.
        summary: texts.
        caption: below the summary.
        float_format: of the numbers.
    """
    caption = f"{caption} Made with {provenance_line()}."
    for output in outputs:
        suffix = Path(output).suffix
        if suffix == ".csv":
            write_csv(output, table, float_format=float_format)
        else:
            write_bytes(output, WRITERS[suffix](summary, caption).encode())


def resolution_notes(paths: Sequence[str], rates: Sequence[float]) -> list[str]:
    """A sentence if false positive rates are below the resolution of the smallest test set.

    Args:
        paths: predictions or scores with the column ``label``.
        rates: false positive rates of the table.
    """
    labels = [pd.read_csv(path, usecols=["label"])["label"].to_numpy(str) for path in paths]
    n = min(int(np.count_nonzero(label == "no_sub")) for label in labels)
    fine = [rate for rate in rates if not resolved(rate, n)]
    if not fine:
        return []
    names = ", ".join(f"tpr_at_fpr_{rate:g}" for rate in fine)
    return [
        f"{names}: not given, because of {n} images without substructure in the smallest test set "
        f"fewer than {FALSE_POSITIVES} are false positives at these rates."
    ]


def galaxy_notes(runs: Sequence[Mapping[str, Any]]) -> list[str]:
    """A sentence for domains whose intervals are over source galaxies, not over lens systems."""
    counts: dict[str, int] = {}
    for run in runs:
        table = pd.read_csv(run["path"], usecols=lambda name: name == "group")
        if "group" in table:
            domain = run.get("target_domain") or run["domain"]
            what = f"{domain}, {run['case']}" if "case" in run else domain
            counts[what] = len(set(table["group"]))
    return [
        f"Test images of {what} have {n} source galaxies, over which its intervals are."
        for what, n in counts.items()
    ]


def summarise(table: pd.DataFrame, keys: Sequence[str], metrics: Sequence[str]) -> pd.DataFrame:
    """One row per method with its number of seeds and a text per metric."""
    rows = []
    for _, group in table.groupby(list(keys), sort=False):
        row = {key: str(group[key].iloc[0]) for key in keys}
        row["seeds"] = str(of_seeds(group)["seed"].nunique())
        for metric in metrics:
            chosen = group.loc[group["metric"] == metric]
            row[metric] = _text(chosen) if len(chosen) else "–"
        rows.append(row)
    return pd.DataFrame(rows, columns=[*keys, "seeds", *metrics])


def _text(rows: pd.DataFrame) -> str:
    """The value of one seed, or mean and spread of several, with the interval."""
    single = of_seeds(rows)
    shown = rows.loc[rows["seed"].astype(str) == ALL_SEEDS] if len(single) > 1 else single
    if rows["value"].isna().to_numpy().any():
        return "–"
    spread = f" ± {single['value'].std(ddof=1):.3f}" if len(single) > 1 else ""
    value, low, high = (shown[name].iloc[0] for name in ("value", "ci_low", "ci_high"))
    return f"{value:.3f}{spread} [{low:.3f}, {high:.3f}]"


def markdown(summary: pd.DataFrame, caption: str) -> str:
    """A table of texts as Markdown, with its caption below."""

    def cell(text: object) -> str:
        return str(text).replace("|", r"\|")

    lines = [
        "| " + " | ".join(summary.columns) + " |",
        "|" + " --- |" * len(summary.columns),
        *("| " + " | ".join(map(cell, row)) + " |" for row in summary.to_numpy()),
    ]
    return "\n".join([*lines, "", caption, ""])


def latex(summary: pd.DataFrame, caption: str) -> str:
    """A table of texts as a LaTeX tabular, with its caption as a comment."""

    def safe(text: object) -> str:
        return "".join(LATEX.get(sign, sign) for sign in str(text))

    columns = "l" * len(summary.columns)
    lines = [
        rf"% {caption}",
        rf"\begin{{tabular}}{{{columns}}}",
        r"\hline",
        " & ".join(map(safe, summary.columns)) + r" \\",
        r"\hline",
        *(" & ".join(map(safe, row)) + r" \\" for row in summary.to_numpy()),
        r"\hline",
        r"\end{tabular}",
        "",
    ]
    return "\n".join(lines)


def html(summary: pd.DataFrame, caption: str) -> str:
    """A table of texts as a page by itself, with its caption below."""
    with pd.option_context("display.max_colwidth", None):  # pandas 2 cuts cells
        table = summary.to_html(index=False, border=0)
    return f"{HEAD}{table}\n<p>{escape(caption)}</p>\n</body>\n</html>\n"


WRITERS = {".html": html, ".md": markdown, ".tex": latex}
