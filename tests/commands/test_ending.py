"""What is said when a run ends."""

from __future__ import annotations

import os
from pathlib import Path

import pandas as pd
import pytest

from lensml.commands.ending import failure, success
from lensml.tables import ALL_SEEDS

BEGAN = 1e9


def table(folder: Path, name: str, rows: list[dict], *, made: float = BEGAN + 1) -> None:
    path = folder / "tables" / f"{name}.csv"
    path.parent.mkdir(parents=True, exist_ok=True)
    pd.DataFrame(rows).to_csv(path, index=False)
    os.utime(path, (made, made))


def row(metric: str, value: float, seed: object = 0, **keys: str) -> dict:
    ends = {"ci_low": value - 0.01, "ci_high": value + 0.01, "n": 10}
    return {**keys, "seed": seed, "metric": metric, "value": value, **ends}


def test_every_table_that_was_made_has_its_headline(tmp_path):
    vit = {"domain": "euclid", "model": "vit"}
    seeds = [row("roc_auc_ovr_macro", 0.9 + k / 100, k, **vit) for k in range(2)]
    both = [*seeds, row("roc_auc_ovr_macro", 0.905, ALL_SEEDS, **vit), row("accuracy", 0.5, **vit)]
    table(tmp_path, "classification", both)
    pair = {"source_domain": "euclid", "target_domain": "hst", "model": "vit"}
    methods = {"source_only": 0.7, "adda": 0.8}
    found = [row("roc_auc_ovr_macro", v, method=m, **pair) for m, v in methods.items()]
    table(tmp_path, "adaptation", found)
    scores = {"mse": 0.6, "chi2": 0.9}
    mae = {"domain": "euclid", "method": "mae"}
    table(tmp_path, "anomaly", [row("roc_auc_any", v, score=s, **mae) for s, v in scores.items()])
    passed = [{"domain": "euclid", "pass": True}, {"domain": "hst", "pass": False}]
    table(tmp_path, "audit", passed)
    assert success(tmp_path, BEGAN) == [
        f"lensml: tables in {tmp_path}/tables, figures in {tmp_path}/figures",
        "  classification, euclid: macro AUC vit 0.905 [0.895, 0.915]",
        "  adaptation, euclid to hst, vit: macro AUC source_only 0.700 [0.690, 0.710], "
        "adda 0.800 [0.790, 0.810]",
        "  anomalies, euclid: AUC mae 0.600 [0.590, 0.610]",
        "  audit: FAILED by hst; see tables/audit.md",
        "  all of it on one page: the same command with --report report.html",
        f"  check files at any time: lensml verify {tmp_path}",
    ]


def test_the_records_of_a_named_run_lie_above_it(tmp_path):
    named = tmp_path / "results" / "mine"
    table(named, "audit", [{"domain": "euclid", "pass": True}])
    (tmp_path / "results" / ".checksums").mkdir()
    assert success(named, BEGAN)[-1].endswith(f"lensml verify {tmp_path}/results")


def test_tables_of_an_earlier_run_are_not_told_as_new(tmp_path):
    table(tmp_path, "audit", [{"domain": "euclid", "pass": True}], made=BEGAN - 1)
    assert success(tmp_path, BEGAN) == []
    table(tmp_path, "audit", [{"domain": "euclid", "pass": True}])
    assert "  audit: every domain passes" in success(tmp_path, BEGAN)


@pytest.mark.parametrize("word", ["log", "same command", "checkpoint"])
def test_a_run_that_stopped_says_how_to_go_on(word):
    assert any(word in line for line in failure())
