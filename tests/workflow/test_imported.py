"""Folders of images that others made, through the workflow: classifier and detectors."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from toy.smoke_run import overlay, planned, snakemake

import lensml

pytestmark = [pytest.mark.workflow, pytest.mark.slow]

NAMES = {"no_sub": "no", "cdm": "sphere", "vortex": "vort"}  # as the published sets have them
N = 90
MINE = {
    "tasks": ["classification", "anomaly"],
    "domains": ["mine"],
    "simulation": {"n_train": 48, "n_val": 16, "n_test": 16, "images_per_block": 48},
    "classifier": {"domains": ["mine"], "paired_batches": False},
    "regression": {"domains": []},
    "adaptation": {"pairs": []},
    "anomaly": {
        "domains": ["mine"],
        "autoencoders": {"methods": []},
        "mae": {"batch_size": 48},
        "pca": {"n_images": 48},
        "smooth_fit": True,
    },
    "pretraining": {"fractions": [0.25, 1.0]},
    "catalogue": {
        "domains": {
            "mine": {
                "description": "Images in files",
                "label": "Mine",
                "instrument": "euclid_vis",
                "population": "deeplense_varied",
                "num_pix": 64,
                "supersampling_factor": 3,
                "files": {"folder": "data", "classes": NAMES},
            }
        }
    },
}


@pytest.fixture(scope="module")
def folder(finished, tmp_path_factory):
    """Images of a finished run as a user's files, the vortex's in the published pickles."""
    path = tmp_path_factory.mktemp("mine")
    for substructure, name in NAMES.items():
        store = lensml.open_store(finished / f"results/datasets/euclid/{substructure}/train.zarr")
        (path / "data" / name).mkdir(parents=True)
        for i, image in enumerate(store.image[np.arange(N)]):
            content: np.ndarray = image
            if substructure == "vortex":
                content = np.empty(2, dtype=object)
                content[:] = [image, 1e-23]
            np.save(path / "data" / name / f"{i}.npy", content, allow_pickle=True)
    return path


@pytest.fixture(scope="module")
def made(folder):
    """Every table of a run on these files, and its overlay."""
    change = overlay(folder, MINE)
    snakemake(folder, "tables", overlays=[change])
    return folder, change


def test_every_task_has_its_table(made):
    folder, change = made
    tables = {path.stem for path in (folder / "results/tables").glob("*.csv")}
    assert tables == {
        "classification",
        "anomaly",
        "fits",
        "reliability_mine",
    }  # no truth, no audit
    found = pd.read_csv(folder / "results/tables/anomaly.csv")
    assert {"mae", "smooth_fit", "potential_filter", "pca"} <= set(found["method"])
    assert planned(folder, "tables", overlays=[change]) == {}


def test_a_store_holds_the_files_images_and_nothing_of_their_truth(made):
    folder, _ = made
    store = lensml.open_store(folder / "results/datasets/mine/vortex/train.zarr")
    assert set(store.truth) == {"system_id", "background_rms", "exposure_time"}
    files = [np.load(p, allow_pickle=True)[0] for p in (folder / "data/vort").glob("*.npy")]
    for image in store.image[np.arange(len(store))]:
        assert sum(np.array_equal(image, file) for file in files) == 1
    ids = [
        lensml.open_store(folder / f"results/datasets/mine/{name}/{split}.zarr").truth["system_id"]
        for name in NAMES
        for split in ("train", "val", "test")
    ]
    assert len(np.unique(np.concatenate(ids))) == 3 * (48 + 16 + 16)


def test_figures_are_planned_without_those_of_the_truth(made):
    folder, change = made
    jobs = planned(folder, "figures", overlays=[change])
    assert jobs["plot_gallery"] == 1
    shown = {"plot_strength", "plot_anomaly_strength", "plot_found", "render_convergence"}
    assert not shown & set(jobs)


@pytest.mark.usefixtures("one_torch_thread")
def test_other_files_are_judged_by_these(made):
    folder, _ = made
    run = folder / "results/classification/mine/vit_conv_stem"
    found = lensml.predict(run, folder / "data" / "sphere")
    assert len(found) == N
    assert np.mean(found["verdict"].to_numpy(str) == "within") > 0.8


def test_too_few_files_are_counted_before_anything_is_trained(folder, tmp_path):
    (tmp_path / "data").symlink_to(folder / "data")
    change = overlay(tmp_path, {**MINE, "simulation": {**MINE["simulation"], "n_train": 100}})
    store = "results/datasets/mine/cdm/train.manifest.json"
    done = snakemake(tmp_path, store, overlays=[change], check=False)
    assert done.returncode != 0
    # which blocks start before the first of them fails is not ordered
    logs = list((tmp_path / "logs/import_block/mine/cdm/train").glob("*.log"))
    said = "class 'sphere' has 90 images; asked for are 100 for 'train'"
    assert logs
    assert all(said in log.read_text() for log in logs)
    assert not (tmp_path / "results/datasets").exists()
