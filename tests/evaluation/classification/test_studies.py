"""A study ends in a table and a figure."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from lensml.evaluation.classification.studies import tabulate_study
from lensml.figures import Style, plot_study
from lensml.schema.studies import SHIPPED
from lensml.schema.training import Evaluation


def write_run(folder: Path, skill: float, seed: int, n: int = 120) -> dict:
    """A run's files as the workflow writes them, with a given skill."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(seed)
    label = np.arange(n) % 3
    logits = rng.normal(size=(n, 3)) + skill * np.eye(3)[label]
    p = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    classes = np.array(["no_sub", "cdm", "vortex"])
    table = pd.DataFrame({"system_id": np.arange(n) // 3, "index": 0, "label": classes[label]})
    for k, name in enumerate(classes):
        table[f"p_{name}"] = p[:, k]
    table.to_csv(folder / "predictions.csv", index=False)
    steps = [10, 20]
    pd.DataFrame({"step": steps, "val_roc_auc_ovr_macro": [0.6, 0.7]}).to_csv(
        folder / "history.csv", index=False
    )
    record = {
        "config": {"classifier": {"batch_size": 36}, "variant": {"steps": 20}},
        "seconds": 12.5,
        "images_per_second": 100.0,
    }
    (folder / "run.json").write_text(json.dumps(record))
    (folder / "size.json").write_text(json.dumps({"parameters": 10, "flops": 10**9}))
    return {
        "path": str(folder / "predictions.csv"),
        "run": str(folder / "run.json"),
        "size": str(folder / "size.json"),
    }


SPEC = Evaluation(
    n_bootstrap=100,
    confidence=0.95,
    false_positive_rates=[0.1],
    calibration_bins=10,
    n_embedded=10,
)
SKILL = {"zoo": {"cnn": 0.5, "vit": 2.0}, "ablation": {SHIPPED: 2.0, "worse": 0.5}}
SKILL["scaling"] = {"n100": 0.5, "n1000": 2.0}
REFERENCE = {"zoo": "cnn", "ablation": SHIPPED, "scaling": "n1000"}


@pytest.mark.parametrize("kind", ["zoo", "ablation", "scaling"])
def test_a_study_ends_in_a_table_with_paired_differences_and_a_figure(tmp_path, kind):
    runs = [
        {"variant": name, "seed": seed, **write_run(tmp_path / f"{name}{seed}", skill, seed)}
        for name, skill in SKILL[kind].items()
        for seed in (0, 1)
    ]
    outputs = [str(tmp_path / f"table.{ending}") for ending in ("csv", "md", "tex")]
    curves = str(tmp_path / "curves.csv")
    tabulate_study(kind, runs, outputs, curves, SPEC, compare_with=REFERENCE[kind], seed=0)
    table = pd.read_csv(outputs[0])
    gain = table.loc[table["metric"] == "roc_auc_ovr_macro_gain"]
    assert set(gain["variant"]) == set(SKILL[kind]) - {REFERENCE[kind]}
    better = SKILL[kind][REFERENCE[kind]] < max(SKILL[kind].values())
    assert np.all((gain["ci_low"] > 0) == better)
    assert np.all((gain["ci_high"] < 0) != better)
    curve = pd.read_csv(curves)
    # 10 steps of 36 images, three times 1e9 operations each
    assert curve["tflop"].iloc[0] == pytest.approx(10 * 36 * 3e9 / 1e12)
    if kind == "zoo":
        assert set(table["parameters"]) == {10}
    style = Style(dpi=50, font_size=8, width=6, color_map="magma")
    figure = tmp_path / "figure.png"
    plot_study(kind, outputs[0], curves, title="Toy", style=style, output=[figure])
    assert figure.stat().st_size > 5000
