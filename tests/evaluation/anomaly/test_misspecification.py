"""Fits that believe something wrong: who believes what, scores, and rates at thresholds."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from toy.fits import fit_spec, simulated

from lensml.evaluation.anomaly.fits import MOST_ANOMALOUS
from lensml.evaluation.anomaly.misspecification import (
    measure_misspecification,
    score_of,
    tabulate_misspecification,
)
from lensml.fit.smooth import SmoothFitter
from lensml.schema.misspecification import Case, Sample, resolve_case

CLASSES = ["no_sub", "cdm"]
SCORES = ["evidence", "arc_low_1", "chi2"]
SAMPLE = Sample(n_validation=6, n_smooth=6, n_substructure=3, scores=SCORES)  # type: ignore[arg-type]
FIT = fit_spec(n_reference=200)


@pytest.fixture(scope="module")
def camera(domain):
    return domain("euclid", num_pix=48, supersampling_factor=1, refinement_factor=1)


@pytest.fixture(scope="module")
def measured(camera, tmp_path_factory):
    """Factory: scores of a case, kind -> score -> table."""
    done: dict[str, dict[str, dict[str, pd.DataFrame]]] = {}

    def make(classes=CLASSES, **case: Any):
        key = repr(case)
        if key not in done:
            folder = tmp_path_factory.mktemp("case")
            files = {k: [f"{folder}/{k}/{s}.csv" for s in SCORES] for k in ("test", "validation")}
            believed = resolve_case(Case(**case), camera, FIT)
            measure_misspecification(believed, **files, classes=classes, sample=SAMPLE, seed=4)
            done[key] = {
                kind: dict(zip(SCORES, map(pd.read_csv, paths), strict=True))
                for kind, paths in files.items()
            }
        return done[key]

    return make


def chi2_of(tables, kind, label="no_sub"):
    table = tables[kind]["chi2"]
    return table.loc[table["label"] == label, "score"].to_numpy()


def test_nothing_is_wrong_where_all_is_as_known(measured):
    tables = measured()
    for score in SCORES:
        of_test, known = (tables[kind][score] for kind in ("test", "validation"))
        assert list(of_test.columns) == ["system_id", "index", "label", "score"]
        assert of_test["label"].tolist() == ["no_sub"] * 6 + ["cdm"] * 3
        assert known["label"].tolist() == ["no_sub"] * 6
        assert not set(of_test["system_id"]) & set(known["system_id"])
    for kind in ("test", "validation"):
        assert chi2_of(tables, kind) == pytest.approx(1, abs=0.15)


def test_systems_are_the_same_in_every_class_and_case(measured, camera):
    systems, _ = simulated(camera, "cdm", 3, seed=4)
    for tables in (measured(), measured(psf_fwhm_factor=1.5)):
        table = tables["test"]["chi2"]
        of_class = {name: rows["system_id"].tolist() for name, rows in table.groupby("label")}
        assert of_class["cdm"] == of_class["no_sub"][:3] == systems.truth["system_id"].tolist()


def test_validation_lenses_are_as_they_are_believed_to_be(measured):
    for case in (
        {"psf_fwhm_factor": 1.5},
        {"population_changes": {"lens": {"a3_a": 0.15, "a4_a": 0.15}}},
    ):
        tables = measured(**case)
        assert chi2_of(tables, "validation") == pytest.approx(1, abs=0.15)
        assert np.median(chi2_of(tables, "test")) > 1.3


def test_fitted_multipoles_are_none_of_its_business(measured):
    multipoles = {"population_changes": {"lens": {"a3_a": 0.05, "a4_a": 0.05}}}
    unknown, freed = measured(**multipoles), measured(**multipoles, fit={"multipoles": "fitted"})
    assert np.median(chi2_of(freed, "test")) == pytest.approx(1, abs=0.1)
    assert np.median(chi2_of(unknown, "test")) > np.median(chi2_of(freed, "test")) + 0.05


def test_lenses_of_observed_galaxies_are_grouped_by_them(measured):
    tables = measured(["no_sub"], population_changes={"source": {"galaxies": "cosmos_acs_f814w"}})
    assert (tables["test"]["chi2"]["group"] >= 0).all()
    assert "group" not in tables["validation"]["chi2"]


def test_an_image_without_a_model_is_most_anomalous(camera, reference_library):
    _, images = simulated(camera, "no_sub", 1)
    (found,) = SmoothFitter(camera, FIT).fit(images, reference_library)
    assert score_of(found, "chi2") == found.chi2
    assert found.explained is not None
    assert score_of(found, "z") == found.explained.z
    assert score_of(replace(found, outcome="failed"), "chi2") == MOST_ANOMALOUS
    assert score_of(replace(found, explained=None), "evidence") == MOST_ANOMALOUS
    assert score_of(replace(found, chi2=np.nan), "chi2") == MOST_ANOMALOUS


@pytest.fixture(scope="module")
def reference_library(camera):
    from lensml.fit.starts import draw_reference

    return draw_reference(camera, n=FIT.n_reference, seed=4)


def written(folder, name, score, label):
    path = folder / f"{name}.csv"
    table = pd.DataFrame({"system_id": range(len(score)), "label": label, "score": score})
    table.to_csv(path, index=False)
    return str(path)


@pytest.fixture(scope="module")
def tabulated(tmp_path_factory, default_config):
    """Tables of two cases: thresholds hold, and five times as many lenses exceed them."""
    tmp_path = tmp_path_factory.mktemp("tabulated")
    rng = np.random.default_rng(0)
    known = written(tmp_path, "known", rng.normal(size=1000), "no_sub")
    common = {"domain": "euclid", "score": "chi2", "seed": 1, "validation": known}
    runs = []
    for case, width in (("right", 1.0), ("wrong", 1.4)):
        smooth = width * rng.normal(size=1000)
        score, label = np.r_[smooth, smooth[:200] + 1], ["no_sub"] * 1000 + ["cdm"] * 200
        runs.append({**common, "case": case, "path": written(tmp_path, case, score, label)})
    outputs = [str(tmp_path / f"table.{ending}") for ending in ("csv", "md", "tex")]
    section = {"n_validation": 1000, "n_smooth": 1000}
    given = {"section": section, "classes": CLASSES, "spec": default_config.evaluation, "seed": 1}
    tabulate_misspecification(runs, outputs, tmp_path / "run.json", **given)
    return tmp_path


def test_rates_at_the_nominal_threshold_stand_beside_the_auc(tabulated):
    table: Any = pd.read_csv(tabulated / "table.csv").set_index(["case", "metric"])
    right, wrong = (table.loc[(case, "nominal_fpr_0.01")] for case in ("right", "wrong"))
    assert right["ci_low"] <= 0.01 <= right["ci_high"]
    assert wrong["ci_low"] > 0.01
    assert wrong["value"] == pytest.approx(0.05, abs=0.03)
    assert table.loc[("right", "roc_auc_cdm"), "value"] == pytest.approx(0.76, abs=0.05)
    assert np.isnan(table.loc[("right", "nominal_fpr_0.001"), "value"])  # one lens of a thousand


def test_rates_that_the_lenses_do_not_resolve_are_not_shown(tabulated):
    head = (tabulated / "table.md").read_text().splitlines()[0]
    assert "| roc_auc_cdm | nominal_fpr_0.1 | nominal_fpr_0.01 |" in head
    assert "nominal_fpr_0.001" not in head
    assert json.loads((tabulated / "run.json").read_text())["config"]["seed"] == 1
