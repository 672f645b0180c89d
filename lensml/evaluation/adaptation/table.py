"""Table of adaptation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from lensml.evaluation.adaptation.gate import gate_notes, start_notes
from lensml.evaluation.adaptation.harm import harm_notes
from lensml.evaluation.classification.table import baseline_notes, measures
from lensml.evaluation.statistics.comparison import auc_gain, gap_closed
from lensml.evaluation.statistics.metrics import Measured
from lensml.evaluation.statistics.tables import TaskTable, tabulate
from lensml.schema.training import Evaluation

ADAPTATION = TaskTable(
    title="Adaptation",
    keys=("source_domain", "target_domain", "model", "method"),
    shown=(
        *("roc_auc_ovr_macro", "roc_auc_ovr_macro_gain", "roc_auc_ovr_macro_gap_closed"),
        *("accuracy", "accuracy_gap_closed", "ece", "ece_floor"),
    ),
)
GAP_CLOSED = (
    "gap_closed: (method - source_only) / (oracle - source_only) on the same bootstrap samples; "
    "none where the oracle's own lead may be nothing. The oracle is trained on labelled target "
    "images."
)
HARMONISED_GAIN = "roc_auc_ovr_macro_harmonised_gain"
ONE_CAMERA = (
    "source_harmonised: images of both domains were brought to one camera before anything was "
    "adapted, and every method but source_only and oracle sees these. harmonised_gain: over "
    "source_harmonised, so that what one camera gives is not put down to a method; gain: over "
    "source_only."
)


def tabulate_adaptation(
    runs: Sequence[Mapping[str, str]],
    outputs: Sequence[str],
    spec: Evaluation,
    *,
    seed: int,
    audits: Sequence[str] = (),
    max_im_loss: float = 0.0,
) -> None:
    """Table of methods of adaptation.

    Args:
        runs: mappings with ``path`` of a predictions.csv, ``seed``, the table's keys,
            ``reference``, the predictions of source_only, and ``oracle``, with which the share of
            the gap is measured that a method closes (each empty where there is none). Of pairs
            whose cameras were brought together also ``harmonised``, the predictions of
            source_harmonised, and ``criteria``, see
            :func:`lensml.evaluation.adaptation.gate.gate_notes`, and ``starts``, see
            :func:`lensml.evaluation.adaptation.gate.start_notes`.
        outputs: the .csv, .html, .md and .tex files to write.
        spec: bootstrap and operating points.
        seed: of the bootstrap.
        audits: .csv of the domains; those that failed are named below the table.
        max_im_loss: of the gate, whose verdicts are told below the table; nothing follows.

    Raises:
        ValueError: a file lacks a column or has no rows.
    """
    known = [GAP_CLOSED] if any(run.get("oracle") for run in runs) else []
    about = ADAPTATION
    if any(run.get("harmonised") for run in runs):
        known.append(ONE_CAMERA)
        about = replace(about, shown=(*about.shown[:2], HARMONISED_GAIN, *about.shown[2:]))
    known += [*start_notes(runs), *gate_notes(runs, max_im_loss)]
    tabulate(
        about,
        [(run, _measures(run, spec, seed=seed)) for run in runs],
        outputs,
        spec,
        seed=seed,
        notes=lambda table: [*known, *harm_notes(runs, table), *baseline_notes(runs)],
        audits=audits,
    )


def _measures(run: Mapping[str, str], spec: Evaluation, *, seed: int) -> list[Measured]:
    found = measures(run, spec, seed=seed)
    if run.get("harmonised"):
        gain = auc_gain(run["path"], run["harmonised"], spec, seed=seed)
        found.append(replace(gain, metric=HARMONISED_GAIN))
    if run.get("oracle"):
        compared = run["reference"], run["oracle"]
        found += gap_closed(run["path"], *compared, spec, seed=seed)
    return found
