"""The source classifier on harmonised images."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from toy.cameras import camera
from toy.joint import DISTORTION, JOINT
from toy.runs import assert_same_results, run_adda
from toy.stores import setting, write_store
from toy.study import ADABN, ADDA, CNN, Study, results_in

from lensml.data.harmonise import Harmony, agree, harmonise_store
from lensml.data.store import open_store
from lensml.schema.adaptation import SourceContinued
from lensml.simulate.dataset import pool_unlabelled
from lensml.training.adaptation.harmonised import adapt_to_harmonised
from lensml.training.adaptation.run import adapt_jointly

pytestmark = pytest.mark.usefixtures("one_torch_thread")

OWN = SourceContinued(learning_rate=1e-3, batch_norm="target")


def agreed(study: Study, folder: Path, fwhm: float) -> str:
    """Of a source whose PSF is 0.16 arcsec."""
    cameras = camera(num_pix=16), camera(0.101, fwhm, num_pix=16)
    harmony: Harmony = agree(*cameras, study.train, [study.pool])
    folder.mkdir(parents=True, exist_ok=True)
    harmony.write(folder / "harmony.json")
    return str(folder / "harmony.json")


def shared(folder: Path) -> dict:
    return {
        "own": OWN,
        "encoder": CNN,
        "joint": JOINT,
        "distortion": DISTORTION,
        "adda": ADDA,
        "adabn": ADABN,
        "num_classes": 2,
        "symmetries": ("square", "flips"),
        "setting": setting(folder),
    }


def run(study: Study, folder: Path, fwhm: float) -> None:
    adapt_to_harmonised(
        study.train,
        study.pool,
        study.weights["cnn"],
        agreed(study, folder, fwhm),
        results_in(folder),
        **shared(folder),
    )


def test_a_source_that_changed_is_trained_further(study, tmp_path):
    run(study, tmp_path / "harmonised", fwhm=0.3)
    adapt_jointly(
        "source_continued",
        study.train,
        study.pool,
        study.weights["cnn"],
        results_in(tmp_path / "joint"),
        **shared(tmp_path / "joint"),
    )
    assert_same_results(tmp_path / "harmonised", tmp_path / "joint")
    before = load_file(study.weights["cnn"])
    after = load_file(tmp_path / "harmonised" / "weights.safetensors")
    assert not torch.equal(before["head.weight"], after["head.weight"])


def test_a_source_that_stayed_as_it_was_keeps_its_classifier(study, tmp_path):
    run(study, tmp_path, fwhm=0.1)
    before = load_file(study.weights["cnn"])
    after = load_file(tmp_path / "weights.safetensors")
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)
    record = json.loads((tmp_path / "run.json").read_text())
    assert record["config"]["method"] == "source_harmonised"
    assert record["config"]["steps"] == 0
    assert not (tmp_path / "state").exists()


def whole_way(study: Study, target: list[str], folder: Path) -> None:
    """From labelled stores of the target to a classifier that ADDA adapted in one camera."""
    pool = folder / "plain" / "train.zarr"
    pool_unlabelled(pool, target, seed=1)
    own = study._replace(pool=str(pool))
    harmony = agreed(own, folder / "start", fwhm=0.3)
    sides = {"source": study.train, "target": [str(pool)]}
    one_camera = {
        side: [str(folder / side / str(k) / "train.zarr") for k in range(len(stores))]
        for side, stores in sides.items()
    }
    for side, stores in sides.items():
        for store, output in zip(stores, one_camera[side], strict=True):
            harmonise_store(store, output, Harmony.read(harmony), side=side, seed=1)  # type: ignore[arg-type]
    start = results_in(folder / "start")
    files = one_camera["source"], one_camera["target"][0], study.weights["cnn"], harmony
    adapt_to_harmonised(*files, start, **shared(folder / "start"))
    begun = own._replace(train=one_camera["source"], weights={"cnn": start.weights})
    adda = ADDA.model_copy(update={"steps": 10})
    run_adda(begun, folder / "adda", encoder=CNN, pool=one_camera["target"][0], adda=adda)


def test_labels_of_the_target_change_no_byte(study, tmp_path):
    """Truth is NaN, classes are named otherwise and divided elsewhere."""
    images = np.concatenate([open_store(path).image.load() for path in study.target])
    hidden = [
        write_store(
            tmp_path / name / "train.zarr",
            images[part],
            substructure=name,
            truth=dict.fromkeys(("theta_E", "theta_E_total"), np.full(len(images[part]), np.nan)),
        )
        for name, part in (("cdm", slice(0, 7)), ("no_sub", slice(7, 48)))
    ]
    for folder, target in (("here", study.target), ("there", hidden)):
        whole_way(study, target, tmp_path / folder)
    for run_folder in ("start", "adda"):
        here, there = (tmp_path / folder / run_folder for folder in ("here", "there"))
        assert_same_results(here, there)
