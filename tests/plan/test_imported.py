"""Domains of files: what is asked of them, and what cannot be."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from toy.configuration import configured

from lensml import plan
from lensml.schema import ConfigError

MINE = {
    "description": "Images in files",
    "instrument": "euclid_vis",
    "population": "deeplense_varied",
    "num_pix": 64,
    "supersampling_factor": 3,
    "files": {"folder": "data"},
}
ALONE = {
    "domains": ["mine", "hst"],
    "tasks": ["classification", "anomaly"],
    "classifier": {"domains": ["mine"], "paired_batches": False},
    "anomaly": {"domains": ["mine"]},
}


def mine(changes: dict | None = None, **domain: object):
    catalogue = {"catalogue": {"domains": {"mine": {**MINE, **domain}}}}
    return configured({**ALONE, **catalogue, **(changes or {})})


def test_the_truth_is_asked_of_simulated_domains_alone():
    results = plan.Results(mine())
    assert results.simulated(["mine", "hst"]) == ["hst"]
    asked = [*results.tables(), *results.figures()]
    assert not [file for file in asked if "strength" in file or "found" in file]
    assert (results.title("mine"), results.title("hst")) == (
        "mine",
        "DeepLense substructure on varied lenses, HST",
    )
    assert any("reliability_mine" in file for file in asked)
    rows = [{"domain": "mine"}, {"domain": "hst"}]
    assert plan.Datasets(mine()).audits(rows, "domain") == ["results/audit/hst.csv"]
    assert plan.Limit(mine()).domains == ["hst"]
    assert mine().attributed("domains") == []
    assert plan.Observed(mine()).judged_domains() == []


def test_a_class_is_imported_anew_where_its_own_folder_changes(tmp_path):
    config = mine(files={"folder": str(tmp_path), "classes": {"cdm": "sphere"}})
    datasets = plan.Datasets(config)
    job = SimpleNamespace(domain="mine", substructure="cdm", split="test")
    assert datasets.files_of(job) == [f"{tmp_path}/sphere"]
    (tmp_path / "test" / "sphere").mkdir(parents=True)
    assert datasets.files_of(job) == [f"{tmp_path}/test/sphere"]
    table = plan.Datasets(mine(files={"table": "images.csv"}))
    assert table.files_of(job) == ["images.csv"]
    for labels, files in {"y": ["all.h5"], "y.csv": ["all.h5", "y.csv"]}.items():
        array = plan.Datasets(mine(files={"array": "all.h5", "labels": labels}))
        assert array.files_of(job) == files


def test_studies_that_nobody_spoke_of_refuse_when_they_are_asked_for():
    sizes = {"simulation": {"n_train": 100, "n_val": 50, "n_test": 50}}
    small = mine({**sizes, "domains": ["mine"]})
    with pytest.raises(ValueError, match=r"pretraining\.fractions = 0\.01: leaves fewer than 2"):
        plan.Pretraining(small).results()
    assert plan.Sweep(small).results()
    odd = mine({"anomaly": {"domains": ["mine"], "mae": {"patch_size": 5}}}, num_pix=60)
    with pytest.raises(ValueError, match=r"sweep\.vary\.patch_size = 8: must divide"):
        plan.Sweep(odd).results()


def test_images_without_noise_are_not_judged():
    config = mine({"classifier": {"domains": ["model_ii"]}, "domains": ["mine", "model_ii"]})
    assert [d["name"] for d in plan.Observed(config).judged_domains()] == ["model_ii"]
    changed = {"catalogue": {"domains": {"model_ii": {"instrument_changes": {"noise": "none"}}}}}
    quiet = configured(
        {
            "domains": ["model_ii"],
            "classifier": {"domains": ["model_ii"]},
            "tasks": ["classification"],
            **changed,
        }
    )
    with pytest.raises(ValueError, match="no smooth lens can be fitted"):
        plan.Observed(quiet).verdict_table()


def test_of_files_alone_nothing_is_audited():
    assert plan.Results(mine({"domains": ["mine"]})).audit() == []


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"classifier": {"domains": ["mine"]}}, "classifier.paired_batches = True: 'mine'"),
        ({"limit": {"domains": ["mine"]}}, "limit.domains = ['mine']: 'mine' consists of files"),
        ({"attribution": {"domains": ["mine"]}}, "attribution.domains = ['mine']: 'mine'"),
        (
            {"tasks": ["classification", "regression"], "regression": {"domains": ["mine"]}},
            "'mine' consists of files: it has no truth to regress",
        ),
    ],
)
def test_what_files_cannot_give_is_one_line(changes, problem):
    with pytest.raises(ConfigError) as caught:
        mine(changes)
    assert any(problem in line for line in caught.value.lines), caught.value.lines


@pytest.mark.parametrize(
    ("files", "problem"),
    [
        ({}, "give exactly one of folder, table and array, found none"),
        (
            {"folder": "a", "table": "b"},
            "give exactly one of folder, table and array, found folder and table",
        ),
        ({"array": "a.h5"}, "labels is missing"),
        ({"folder": "a", "labels": "y"}, "labels and images are for an array alone"),
        ({"folder": "a", "classes": {"axion": "a"}}, "no_sub"),
        ({"folder": "a", "flux_scale": 0.0}, "flux_scale"),
    ],
)
def test_where_files_lie_is_said_once(files, problem):
    with pytest.raises(ConfigError) as caught:
        mine(files=files)
    assert problem in "\n".join(caught.value.lines)


def test_light_that_was_subtracted_is_not_known_of_files():
    with pytest.raises(ConfigError) as caught:
        mine(population="realistic")
    assert "lens light subtracted, of which files say nothing" in "\n".join(caught.value.lines)
