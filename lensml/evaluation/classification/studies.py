"""Tables of the studies: encoders at equal compute, parts of the recipe, number of images."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from lensml.data.files import write_csv
from lensml.evaluation.audit.verdicts import verdicts_of
from lensml.evaluation.classification.metrics import classification_metrics
from lensml.evaluation.statistics.comparison import auc_gain
from lensml.evaluation.statistics.seeds import measured_table
from lensml.evaluation.statistics.tables import TaskTable, write_table
from lensml.schema.training import Evaluation

BACKWARD = 3  # a training step costs a forward pass and a backward pass of twice its operations
TERA = 1e12
AUC = "roc_auc_ovr_macro"
COST = ("parameters", "mflop_per_image", "steps", "seconds", "images_per_second")
STUDIES = {
    "zoo": TaskTable(
        title="Zoo",
        keys=("variant", *COST),
        shown=(AUC, f"{AUC}_gain"),
        notes=(
            "Test images. Every encoder was trained with the same number of floating-point "
            "operations; seconds are of one run, validation included. Gain: paired difference "
            "from {reference}.",
        ),
    ),
    "ablation": TaskTable(
        title="Ablation",
        keys=("variant",),
        shown=(AUC, f"{AUC}_gain", "log_loss"),
        notes=(
            "Validation images, which the best weights of every run were chosen on. Gain: paired "
            "difference from the variant {reference} of the same seed.",
        ),
    ),
    "search": TaskTable(
        title="Search",
        keys=("variant",),
        shown=(AUC, f"{AUC}_gain", "log_loss"),
        notes=(
            "Validation images, which the candidates were chosen on with another seed. Gain: "
            "paired difference from the variant {reference} of the same seed.",
        ),
    ),
    "scaling": TaskTable(
        title="Scaling",
        keys=("variant",),
        shown=(AUC, f"{AUC}_gain", "log_loss"),
        notes=(
            "Test images; every run has the same number of steps. Gain: paired difference from "
            "{reference}.",
        ),
    ),
}


def tabulate_study(
    kind: str,
    runs: Sequence[Mapping[str, Any]],
    outputs: Sequence[str],
    curves: str,
    spec: Evaluation,
    *,
    compare_with: str,
    seed: int,
    audits: Sequence[str] = (),
) -> None:
    """Table of a study, and the validation AUC of its runs against what they cost.

    Args:
        kind: of ``STUDIES``.
        runs: mappings with ``variant``, ``seed``, ``path`` of predictions, ``run`` (run.json;
            empty for a baseline) and ``size`` (JSON of the encoder's size, or empty).
        outputs: the .csv, .html, .md and .tex files to write.
        curves: CSV file of the training curves.
        spec: bootstrap and operating points.
        compare_with: variant that the paired differences are taken from, at equal seed.
        seed: of the bootstrap.
        audits: .csv of the domains; those that failed are named below the table.

    Raises:
        ValueError: a file lacks a column or has no rows.
    """
    about = STUDIES[kind]
    reference = {r["seed"]: r["path"] for r in runs if r["variant"] == compare_with}
    found = []
    for run in runs:
        measured = classification_metrics(run["path"], spec, seed=seed)
        other = reference.get(run["seed"])
        if other and other != run["path"]:
            measured.append(auc_gain(run["path"], other, spec, seed=seed))
        identity = {**_identity(kind, run, runs), "seed": run["seed"]}
        found.append((identity, measured))
    table = measured_table(found, about.keys, spec, seed=seed)
    notes = [note.format(reference=compare_with) for note in about.notes]
    told = replace(about, notes=(*notes, *verdicts_of(audits)))
    write_table(table, outputs, told, confidence=spec.confidence)
    write_csv(curves, pd.concat([_curve(r) for r in runs if r["run"]]), float_format="%.6g")


def _identity(
    kind: str, run: Mapping[str, Any], runs: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    """Variant, and in the zoo what it costs: the mean over its seeds."""
    if kind != "zoo":
        return {"variant": run["variant"]}
    if not run["size"]:
        return {"variant": run["variant"], **dict.fromkeys(COST, "–")}
    size = _read(run["size"])
    records = [_read(r["run"]) for r in runs if r["variant"] == run["variant"]]
    seconds, speed = (
        float(np.mean([r[key] for r in records])) for key in ("seconds", "images_per_second")
    )
    return {
        "variant": run["variant"],
        "parameters": size["parameters"],
        "mflop_per_image": round(size["flops"] / 1e6, 1),
        "steps": records[0]["config"]["variant"]["steps"],
        "seconds": round(seconds),
        "images_per_second": round(speed),
    }


def _curve(run: Mapping[str, Any]) -> pd.DataFrame:
    """Validation AUC of a run against steps and, where the encoder's size is known, operations."""
    history = pd.read_csv(Path(run["run"]).with_name("history.csv"))
    record = _read(run["run"])
    images = history["step"] * record["config"]["classifier"]["batch_size"]
    flops = _read(run["size"])["flops"] if run["size"] else float("nan")
    return pd.DataFrame(
        {
            "variant": run["variant"],
            "seed": run["seed"],
            "step": history["step"],
            "tflop": images * flops * BACKWARD / TERA,
            "val_roc_auc_ovr_macro": history["val_roc_auc_ovr_macro"],
        }
    )


def _read(path: str) -> dict[str, Any]:
    return json.loads(Path(path).read_text())
