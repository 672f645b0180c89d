"""The source classifier on harmonised images."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from toy.cameras import camera
from toy.joint import DISTORTION, JOINT
from toy.runs import assert_same_results
from toy.stores import setting
from toy.study import ADABN, ADDA, CNN, Study, results_in

from lensml.data.harmonise import Harmony, agree
from lensml.schema.adaptation import SourceContinued
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
