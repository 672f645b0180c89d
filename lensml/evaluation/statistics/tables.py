"""Tidy tables of metrics, as CSV, Markdown and LaTeX."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from lensml.data.files import write_bytes, write_csv
from lensml.evaluation.adaptation.harm import harm_notes
from lensml.evaluation.anomaly.metrics import anomaly_metrics, proxy_auc
from lensml.evaluation.audit.verdicts import verdicts_of
from lensml.evaluation.classification.calibration import calibrated_metrics
from lensml.evaluation.classification.metrics import classification_metrics
from lensml.evaluation.statistics.comparison import auc_gain, gap_closed
from lensml.evaluation.statistics.metrics import FALSE_POSITIVES, Measured, resolved
from lensml.evaluation.statistics.seeds import INTERVALS, measured_table, sign_notes
from lensml.provenance import provenance_line
from lensml.schema.training import BASELINE, Evaluation
from lensml.tables import ALL_SEEDS, of_seeds

# Columns of a paper's table; every other metric is in the CSV.
SHOWN = {
    "classification": [
        *("roc_auc_ovr_macro", "accuracy", "ece", "ece_floor", "ece_calibrated"),
        *("tpr_at_fpr_0.1", "tpr_at_fpr_0.01"),
    ],
    "adaptation": [
        *("roc_auc_ovr_macro", "roc_auc_ovr_macro_gain", "roc_auc_ovr_macro_gap_closed"),
        *("accuracy", "accuracy_gap_closed", "ece", "ece_floor"),
    ],
    "transfer": ["roc_auc_ovr_macro", "accuracy", "ece", "ece_floor"],
    "development": ["roc_auc_ovr_macro", "roc_auc_ovr_macro_gain", "accuracy"],
    "anomaly": [
        *("roc_auc_cdm", "roc_auc_vortex", "roc_auc_any", "roc_auc_any_adjusted"),
        *("tpr_at_fpr_0.1", "roc_auc_proxy"),
    ],
    "pretraining": ["roc_auc_ovr_macro", "roc_auc_ovr_macro_gain", "accuracy"],
    "sweep": ["roc_auc_cdm", "roc_auc_vortex", "roc_auc_any", "roc_auc_proxy"],
    "zoo": ["roc_auc_ovr_macro", "roc_auc_ovr_macro_gain"],
    "ablation": ["roc_auc_ovr_macro", "roc_auc_ovr_macro_gain", "log_loss"],
    "scaling": ["roc_auc_ovr_macro", "roc_auc_ovr_macro_gain", "log_loss"],
    "search": ["roc_auc_ovr_macro", "roc_auc_ovr_macro_gain", "log_loss"],
    "attribution": [
        *("auc_kappa_shuffled", "auc_kappa", "auc_kappa_gain"),
        *("auc_difference", "auc_difference_gain"),
    ],
    "regression": ["rmse", "r2", "bias", "nll", "coverage_68", "coverage_95", "pull_std"],
}
KEYS = {
    "classification": ["domain", "model"],
    "adaptation": ["source_domain", "target_domain", "model", "method"],
    "development": ["method", "source_domain", "target_domain", "trial", "settings"],
    "transfer": ["domain", "target_domain", "model"],
    "anomaly": ["domain", "method", "score"],
    "pretraining": ["domain", "start", "n_train"],
    "sweep": ["domain", "factor", "setting", "score"],
    "zoo": ["variant", "parameters", "mflop_per_image", "steps", "seconds", "images_per_second"],
    "ablation": ["variant"],
    "scaling": ["variant"],
    "search": ["variant"],
    "regression": ["domain", "substructure", "target", "model"],
    "attribution": ["domain", "model", "label", "method"],
}
GAP_CLOSED = (
    "gap_closed: (method - source_only) / (oracle - source_only) on the same bootstrap samples; "
    "none where the oracle's own lead may be nothing. The oracle is trained on labelled target "
    "images."
)
DEVELOPMENT = (
    "Labelled validation images of targets that are not reported. Gain: over the settings as "
    "configured. The best of many is best in part by luck."
)
ADJUSTED = (
    "The first score of every method is its headline; supervised: a classifier that was trained "
    "on labels, for comparison. roc_auc_any_adjusted: of what flux and Einstein radius do not "
    "foretell of the score. roc_auc_proxy: validation images of smooth "
    "lenses against themselves with a patch displaced, on which headline and settings are chosen."
)
PRETRAINING = (
    "n_train: labelled images per class; as large a share of the validation images chose the "
    "weights, or the regularisation of the probe. pretrained: on all training images without "
    "substructure. Gain: paired difference from the same network from scratch."
)
BASELINE_NOTE = (
    f"{BASELINE}: quadratic logistic regression on mean and spread of 13 rings and the strengths "
    "of six azimuthal moments."
)
SCORED = ("anomaly", "sweep")  # kinds whose files hold anomaly scores
LATEX = {
    **{sign: "\\" + sign for sign in "_%&#${}"},
    **{"±": r"$\pm$", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"},
    "\\": r"\textbackslash{}",
}
FLOOR = "ece_floor: what the ece of a perfect classifier of these confidences would be."


def tabulate(
    kind: str,
    runs: Sequence[Mapping[str, str]],
    outputs: Sequence[str],
    spec: Evaluation,
    *,
    seed: int,
    audits: Sequence[str] = (),
) -> None:
    """Table of classifiers, of adaptation, of transfer or of anomaly detection.

    Args:
        kind: 'classification', 'adaptation', 'transfer', 'anomaly' or 'sweep'.
        runs: mappings with ``path`` of a predictions.csv or scores.csv, ``seed``, the kind's keys
            of ``KEYS``, and where there are any ``reference``, the predictions that they are
            compared with (empty for the reference itself), ``oracle``, with which the share of the
            gap is measured that a method closes, ``proxies``, the scores of distorted validation
            images, and ``calibration``, a network's
            calibration.json, with ``validation``, the predictions that it was fitted on (both
            empty for a baseline).
        outputs: the .csv, .md and .tex files to write.
        spec: bootstrap and operating points.
        seed: of the bootstrap.
        audits: .csv of the domains; those that failed are named below the table.

    Raises:
        ValueError: a file lacks a column or has no rows.
    """
    found = [(run, _measured(kind, run, spec, seed=seed)) for run in runs]
    table = measured_table(found, KEYS[kind], spec, seed=seed)
    notes = [DEVELOPMENT] if kind == "development" else []
    notes += [PRETRAINING] if kind == "pretraining" else []
    notes += [GAP_CLOSED] if any(run.get("oracle") for run in runs) else []
    notes += harm_notes(runs, table) if kind == "adaptation" else []
    notes += [ADJUSTED] if kind in SCORED else []
    notes += [BASELINE_NOTE] if any(run.get("model") == BASELINE for run in runs) else []
    notes += galaxy_notes(runs)
    notes += verdicts_of(audits)
    if any(metric.startswith("tpr_at_fpr") for metric in SHOWN[kind]):
        notes += resolution_notes([run["path"] for run in runs], spec.false_positive_rates)
    write_table(table, outputs, kind=kind, confidence=spec.confidence, notes=notes)


def _measured(kind: str, run: Mapping[str, str], spec: Evaluation, *, seed: int) -> list[Measured]:
    """Every metric of a run."""
    measure = anomaly_metrics if kind in SCORED else classification_metrics
    found = measure(run["path"], spec, seed=seed)
    if run.get("proxies"):
        found.append(proxy_auc(run["proxies"], spec, seed=seed))
    if run.get("reference"):
        found.append(auc_gain(run["path"], run["reference"], spec, seed=seed))
    if run.get("oracle"):
        compared = run["reference"], run["oracle"]
        found += gap_closed(run["path"], *compared, spec, seed=seed)
    if run.get("calibration"):
        fitted = run["calibration"], run["validation"]
        found += calibrated_metrics(run["path"], *fitted, spec, seed=seed)
    return found


def write_table(
    table: pd.DataFrame,
    outputs: Sequence[str],
    *,
    kind: str,
    confidence: float,
    notes: Sequence[str] = (),
) -> None:
    """Write a tidy table as CSV, and its main metrics with notes as Markdown and LaTeX."""
    summary = summarise(table, KEYS[kind], SHOWN[kind])
    parts = [f"{kind.capitalize()}.", INTERVALS.format(confidence=confidence)]
    parts += sign_notes(table, KEYS[kind], SHOWN[kind])
    parts += [FLOOR] if "ece_floor" in SHOWN[kind] else []
    caption = " ".join([*parts, *notes])
    write_formats(outputs, table, summary, caption, float_format="%.6f")


def write_formats(
    outputs: Sequence[str],
    table: pd.DataFrame,
    summary: pd.DataFrame,
    caption: str,
    *,
    float_format: str = "%.6g",
) -> None:
    """Write a table of numbers as CSV, and its summary in texts as Markdown and LaTeX.

    Args:
        outputs: the .csv, .md and .tex files to write.
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
            text = markdown(summary, caption) if suffix == ".md" else latex(summary, caption)
            write_bytes(output, text.encode())


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


def galaxy_notes(runs: Sequence[Mapping[str, str]]) -> list[str]:
    """A sentence for domains whose intervals are over source galaxies, not over lens systems."""
    counts: dict[str, int] = {}
    for run in runs:
        table = pd.read_csv(run["path"], usecols=lambda name: name == "group")
        if "group" in table:
            domain = run.get("target_domain") or run["domain"]
            counts[domain] = len(set(table["group"]))
    return [
        f"Test images of {domain} have {n} source galaxies, over which its intervals are."
        for domain, n in counts.items()
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

    def escape(text: object) -> str:
        return "".join(LATEX.get(sign, sign) for sign in str(text))

    columns = "l" * len(summary.columns)
    lines = [
        rf"% {caption}",
        rf"\begin{{tabular}}{{{columns}}}",
        r"\hline",
        " & ".join(map(escape, summary.columns)) + r" \\",
        r"\hline",
        *(" & ".join(map(escape, row)) + r" \\" for row in summary.to_numpy()),
        r"\hline",
        r"\end{tabular}",
        "",
    ]
    return "\n".join(lines)
