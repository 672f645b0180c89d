"""What a classifier must be told of images, and what is known of it, inside its weights."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import safe_open
from safetensors.numpy import save

from lensml.evaluation.classification.calibration import read_temperature
from lensml.schema.training import BASELINE
from lensml.tables import ALL_SEEDS, read_table

KEY = "lensml"  # of the description among the metadata of a safetensors file
NEEDED = (
    *("classes", "domain", "encoder", "image_size", "judged_by", "network_input"),
    *("pixel_scale", "symmetry", "temperature"),
)
COLUMNS = ("domain", "model", "seed", "metric", "value", "ci_low", "ci_high", "n")

Metrics = dict[str, dict[str, float]]  # metric -> value, ci_low, ci_high, n


def description_of(
    run: Mapping[str, str],
    table: str,
    *,
    domain: str,
    encoder: str,
    seed: int,
    classes: Sequence[str],
    symmetry: str,
    judged_by: Mapping[str, Any],
    about: Mapping[str, Any],
) -> dict[str, Any]:
    """Everything that is to be known of a trained classifier, as plain data.

    Args:
        run: its ``calibration`` and ``run`` files.
        table: .csv of the classifiers, with intervals.
        domain, encoder, seed: which row of it is the network's.
        classes: in the order of the probabilities.
        symmetry: that predictions are averaged over.
        judged_by: see :meth:`lensml.plan.datasets.Datasets.judged_by`.
        about: what texts tell besides: label of the domain, images per class, confidence.

    Raises:
        ValueError: the table has no row of the network.
    """
    record = json.loads(Path(run["run"]).read_text())
    return {
        "domain": domain,
        "name": f"lensml-{domain}-{encoder}-seed{seed}",
        "classes": list(classes),
        "image_size": judged_by["domain"]["num_pix"],
        "pixel_scale": judged_by["domain"]["instrument"]["pixel_scale"],
        "units": {"pixel_scale": "arcsec", "image": "e-/s per pixel"},
        "encoder": record["config"]["encoder"],
        "network_input": record["config"]["network_input"],
        "recipe": record["config"]["classifier"],
        "symmetry": symmetry,
        "temperature": read_temperature(run["calibration"]),
        "seed": seed,
        "judged_by": dict(judged_by),
        "metrics": metrics_of(table, domain, encoder, seed),
        "metrics_of_all_seeds": metrics_of(table, domain, encoder, ALL_SEEDS),
        "metrics_of_baseline": metrics_of(table, domain, BASELINE, 0),
        "about": dict(about),
        "versions": record["versions"],
        "git_commit": record["git_commit"],
        "made_with": record["made_with"],
    }


def metrics_of(table: str, domain: str, model: str, seed: int | str) -> Metrics:
    """A model's numbers in the table of classifiers; those that were not to be had are left out.

    Raises:
        ValueError: there are none of this seed.
    """
    found = read_table(table, COLUMNS)
    of_model = (found["domain"] == domain) & (found["model"] == model)
    rows = found.loc[of_model & (found["seed"].astype(str) == str(seed))]
    if rows.empty and seed != ALL_SEEDS:
        raise ValueError(f"{table}: has no rows of {model}, seed {seed}, on {domain}")
    names = ("value", "ci_low", "ci_high", "n")
    return {
        str(row["metric"]): {name: float(row[name]) for name in names}
        for row in rows.to_dict("records")
        if np.isfinite([row[name] for name in names]).all()
    }


def described(weights: str | Path, description: Mapping[str, Any]) -> bytes:
    """Weights as a safetensors file with a description in its head.

    Args:
        weights: a run's, whose own metadata are replaced.
        description: plain data.
    """
    with safe_open(weights, framework="numpy") as file:
        tensors = {name: file.get_tensor(name) for name in sorted(file.keys())}
    text = json.dumps(description, sort_keys=True, allow_nan=False)
    return save(tensors, metadata={KEY: text})  # of several keys the order is not fixed


def read_description(weights: str | Path) -> dict[str, Any]:
    """The description in a safetensors file.

    Raises:
        ValueError: the file is damaged, or says too little of the network in it.
    """
    try:
        with safe_open(weights, framework="numpy") as file:
            found = json.loads((file.metadata() or {}).get(KEY, "{}"))
    except Exception as error:  # of safetensors' own kind, which is an Exception alone
        reason = " ".join(str(error).split())
        raise ValueError(f"{weights}: cannot be read ({reason})") from None
    missing = [name for name in NEEDED if name not in found]
    if missing:
        raise ValueError(
            f"{weights}: says nothing of {', '.join(missing)}; weights that describe themselves "
            "are written by snakemake model_cards"
        )
    return found
