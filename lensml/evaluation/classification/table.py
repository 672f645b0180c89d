"""Tables of classifiers: at home, on other domains, and from a masked autoencoder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from lensml.evaluation.classification.calibration import calibrated_metrics
from lensml.evaluation.classification.metrics import classification_metrics
from lensml.evaluation.statistics.comparison import auc_gain
from lensml.evaluation.statistics.metrics import Measured
from lensml.evaluation.statistics.tables import TaskTable, tabulate
from lensml.schema.training import BASELINE, FIT_STATISTICS, Evaluation

CLASSIFICATION = TaskTable(
    title="Classification",
    keys=("domain", "model"),
    shown=(
        *("roc_auc_ovr_macro", "accuracy", "ece", "ece_floor", "ece_calibrated"),
        *("tpr_at_fpr_0.1", "tpr_at_fpr_0.01"),
    ),
)
TRANSFER = TaskTable(
    title="Transfer",
    keys=("domain", "target_domain", "model"),
    shown=("roc_auc_ovr_macro", "accuracy", "ece", "ece_floor"),
)
PRETRAINING = TaskTable(
    title="Pretraining",
    keys=("domain", "start", "n_train"),
    shown=("roc_auc_ovr_macro", "roc_auc_ovr_macro_gain", "accuracy"),
    notes=(
        "n_train: labelled images per class; as large a share of the validation images chose the "
        "weights, or the regularisation of the probe. pretrained: on all training images without "
        "substructure. Gain: paired difference from the same network from scratch.",
    ),
)
TABLES = {"classification": CLASSIFICATION, "transfer": TRANSFER, "pretraining": PRETRAINING}
BASELINE_NOTE = (
    f"{BASELINE}: quadratic logistic regression on mean and spread of 13 rings and the strengths "
    "of six azimuthal moments."
)
FIT_NOTE = (
    f"{FIT_STATISTICS}: logistic regression on statistics of the residual of the fitted smooth "
    "lens and of the convergence that explains it, fitted on the validation images."
)


def tabulate_classifiers(
    kind: str,
    runs: Sequence[Mapping[str, str]],
    outputs: Sequence[str],
    spec: Evaluation,
    *,
    seed: int,
    audits: Sequence[str] = (),
) -> None:
    """Table of classifiers.

    Args:
        kind: of ``TABLES``.
        runs: mappings with ``path`` of a predictions.csv, ``seed``, the table's keys, and where
            there are any what :func:`measures` takes.
        outputs: the .csv, .html, .md and .tex files to write.
        spec: bootstrap and operating points.
        seed: of the bootstrap.
        audits: .csv of the domains; those that failed are named below the table.

    Raises:
        ValueError: a file lacks a column or has no rows.
    """
    found = [(run, measures(run, spec, seed=seed)) for run in runs]
    notes = baseline_notes(runs)
    about = TABLES[kind]
    tabulate(about, found, outputs, spec, seed=seed, notes=lambda _: notes, audits=audits)


def measures(run: Mapping[str, str], spec: Evaluation, *, seed: int) -> list[Measured]:
    """Metrics of a classifier.

    Args:
        run: ``path`` of its predictions; where there are any ``reference``, predictions that it is
            compared with (empty for the reference itself), and ``calibration``, its
            calibration.json, with ``validation``, the predictions that it was fitted on (both
            empty for a baseline).
        spec: bootstrap and operating points.
        seed: of the bootstrap.
    """
    found = classification_metrics(run["path"], spec, seed=seed)
    if run.get("reference"):
        found.append(auc_gain(run["path"], run["reference"], spec, seed=seed))
    if run.get("calibration"):
        fitted = run["calibration"], run["validation"]
        found += calibrated_metrics(run["path"], *fitted, spec, seed=seed)
    return found


def baseline_notes(runs: Sequence[Mapping[str, str]]) -> list[str]:
    """What models are that are no networks, where there are any."""
    models = {run.get("model") for run in runs}
    notes = {BASELINE: BASELINE_NOTE, FIT_STATISTICS: FIT_NOTE}
    return [note for model, note in notes.items() if model in models]
