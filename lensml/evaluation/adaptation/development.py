"""What a search of settings of adaptation found, and the settings to use."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from lensml.data.files import write_bytes
from lensml.evaluation.classification.table import measures
from lensml.evaluation.statistics.tables import TaskTable, tabulate
from lensml.schema.training import Evaluation

AUC = "roc_auc_ovr_macro"
DEVELOPMENT = TaskTable(
    title="Development",
    keys=("method", "source_domain", "target_domain", "trial", "settings"),
    shown=(AUC, f"{AUC}_gain", "accuracy"),
    notes=(
        "Labelled validation images of targets that are not reported. Gain: over the settings as "
        "configured. The best of many is best in part by luck.",
    ),
)


def tabulate_development(
    runs: Sequence[Mapping[str, Any]],
    outputs: Sequence[str],
    best: str,
    spec: Evaluation,
    *,
    seed: int,
) -> None:
    """Table of the trials of every method, and an overlay with the best of each.

    Args:
        runs: mappings with ``source_domain``, ``target_domain``, ``method``, ``trial``,
            ``values``, ``configured`` (what they are in the first trial), ``seed``, ``path`` of
            predictions of labelled target images, and ``reference``, those of the same method's
            first trial.
        outputs: the .csv, .html, .md and .tex files to write.
        best: YAML file to be used as a further configuration file.
        spec: bootstrap.
        seed: of the bootstrap.
    """
    named = [{**run, "settings": settings_text(run["values"], run["configured"])} for run in runs]
    found = [(run, measures(run, spec, seed=seed)) for run in named]
    tabulate(DEVELOPMENT, found, outputs, spec, seed=seed)
    table = pd.read_csv(next(path for path in outputs if Path(path).suffix == ".csv"))
    means = table.loc[table["metric"] == AUC].groupby(["method", "trial"])["value"].mean()
    values = {(run["method"], run["trial"]): run["values"] for run in runs}
    pairs = dict.fromkeys(f"{run['source_domain']} to {run['target_domain']}" for run in runs)
    lines = [f"# Best settings on the target labels of {', '.join(pairs)}: mean AUC."]
    sections: dict[str, dict[str, Any]] = {}
    for method in dict.fromkeys(run["method"] for run in runs):
        own = means.loc[method]
        trial = int(own.idxmax())
        lines.append(f"# {method}: trial {trial}, {own[trial]:.4f}; as configured {own[0]:.4f}.")
        for name, value in values[method, trial].items():
            sections.setdefault(method, {})[name.partition(".")[2]] = value
    tree = {"adaptation": sections} if sections else {}
    text = "\n".join(lines) + "\n" + (yaml.safe_dump(tree, sort_keys=False) if tree else "")
    write_bytes(best, text.encode())


def settings_text(values: Mapping[str, Any], configured: Mapping[str, Any]) -> str:
    """Values of a trial as a cell of a table; without any, those that are configured."""
    given = ", ".join(
        f"{name.partition('.')[2]} {json.dumps(v)}" for name, v in (values or configured).items()
    )
    return given if values else f"as configured: {given}"
