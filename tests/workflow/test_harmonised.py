"""Cameras brought together in a run: from the datasets of a finished one to its table."""

import shutil

import numpy as np
import pandas as pd
import pytest
from toy.smoke_run import copy_of_datasets, digests, overlay, planned, snakemake

pytestmark = [pytest.mark.workflow, pytest.mark.slow]

TABLE = "results/tables/adaptation.csv"
RUNS = "results/adaptation/euclid/hst/vit_conv_stem"
HARMONISED = {
    "adaptation": {
        "harmonise": "known",
        "methods": ["source_only", "source_harmonised", "adda", "oracle"],
        "adda": {"start": "harmonised"},
    }
}
KEPT = (  # of the finished run, beside its datasets
    *("results/classification", "results/audit", "results/transfer"),
    *(f"{RUNS}/{method}" for method in ("source_only", "oracle")),
)
JOBS = {
    "find_harmony": 1,
    "harmonise_images": 3 * 3 + 1,  # training, validation and test images, and the pool
    "predict_radial_profile_harmonised": 1,
    "adapt_harmonised": 1,
    "adapt_adda": 1,
    "predict_adapted": 2,
    "measure_criteria": 3,
    "tabulate_adaptation": 1,
}


@pytest.fixture(scope="module")
def one_camera(finished, tmp_path_factory):
    """A folder with the table, and its overlay."""
    folder = copy_of_datasets(finished, tmp_path_factory.mktemp("one_camera"))
    for part in KEPT:
        shutil.copytree(finished / part, folder / part)
    change = overlay(folder, HARMONISED)
    # Those that see the images as they are stay as they are.
    assert planned(folder, TABLE, overlays=[change]) == JOBS
    snakemake(folder, TABLE, overlays=[change])
    return folder, change


def test_the_table_has_gains_over_both_starts_and_what_the_gate_says(one_camera):
    folder, change = one_camera
    table = pd.read_csv(folder / TABLE)
    assert set(table["method"]) == set(HARMONISED["adaptation"]["methods"])
    gains = {
        name: set(table.loc[table["metric"] == f"roc_auc_ovr_macro_{name}", "method"])
        for name in ("gain", "harmonised_gain")
    }
    assert gains == {
        "gain": {"source_harmonised", "adda", "oracle"},
        "harmonised_gain": {"adda"},
    }
    trivial = table.loc[table["model"] == "radial_profile"]
    assert set(trivial["method"]) == {"source_only", "source_harmonised"}
    text = (folder / TABLE).with_suffix(".md").read_text()
    assert "Gate: of adda, euclid to hst" in text
    assert "Start: cameras of euclid to hst, vit_conv_stem, would without a label be " in text
    assert planned(folder, TABLE, overlays=[change]) == {}


def test_other_images_of_the_same_lenses_are_predicted(one_camera, finished):
    folder, _ = one_camera
    adda = [pd.read_csv(f / f"{RUNS}/adda/seed0/predictions.csv") for f in (folder, finished)]
    assert adda[0]["system_id"].equals(adda[1]["system_id"])
    assert not np.allclose(adda[0]["p_cdm"], adda[1]["p_cdm"])


def test_without_the_targets_labelled_stores_the_same_weights_come_out(one_camera, tmp_path):
    """Nothing of them is left but their manifests, for which Snakemake looks."""
    folder, change = one_camera
    for part in ("results/datasets", "results/classification", ".snakemake/metadata"):
        shutil.copytree(folder / part, tmp_path / part)
    for store in (tmp_path / "results/datasets/hst").glob("*/*.zarr"):
        if store.parent.name != "unlabelled":
            shutil.rmtree(store)
    adapted = f"{RUNS}/adda/seed0/weights.safetensors"
    snakemake(tmp_path, adapted, overlays=[change])
    for below in ("harmony/known/euclid/hst/target/unlabelled", RUNS.removeprefix("results/")):
        there = digests(folder / "results" / below)
        found = digests(tmp_path / "results" / below)
        found = {name: digest for name, digest in found.items() if not name.endswith("run.json")}
        assert found
        assert found.items() <= there.items()
    assert (tmp_path / adapted).exists()
