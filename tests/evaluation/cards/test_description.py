"""Weights that describe themselves: nothing else is needed to predict."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file
from toy.cards import toy_arguments, write_toy_card
from toy.exported import CLASSES, SIZE, TEMPERATURE, network_of
from toy.fits import fit_spec
from toy.stores import NETWORK_INPUT, RMS, blobs

import lensml
from lensml.data.checksums import checksum_of_file
from lensml.evaluation.cards.description import read_description
from lensml.evaluation.cards.writing import write_card
from lensml.evaluation.prediction.networks import networks_of
from lensml.training.engine.checkpoint import save_weights

pytestmark = pytest.mark.usefixtures("one_torch_thread")


@pytest.fixture
def folder(tmp_path, domain) -> Path:
    return write_toy_card(tmp_path, domain("euclid"), fit_spec())


def test_the_weights_alone_say_what_images_they_take(folder, tmp_path, domain):
    alone = tmp_path / "given.safetensors"
    shutil.copy(folder / "model.safetensors", alone)
    found = lensml.load(alone)
    assert (found.domain, found.classes, found.num_pix) == ("euclid", tuple(CLASSES), SIZE)
    assert found.pixel_scale == domain("euclid").instrument.pixel_scale
    assert (found.channels, found.temperature) == (("image",), TEMPERATURE)
    images = blobs(5, np.random.default_rng(0))
    p = found.predict_proba(images, RMS)
    np.testing.assert_array_equal(p, lensml.load(folder).predict_proba(images, RMS))
    assert p.std(0).min() > 0.01


def test_the_weights_are_those_of_the_run(folder):
    found = load_file(folder / "model.safetensors")
    for name, tensor in network_of("cnn").state_dict().items():
        np.testing.assert_array_equal(found[name], tensor.numpy())


def test_the_description_beside_them_is_the_same_and_knows_their_checksum(folder):
    said = json.loads((folder / "config.json").read_text())
    weights = said.pop("weights")
    assert said == read_description(folder / "model.safetensors")
    assert weights["sha256"] == checksum_of_file(folder / "model.safetensors")[1]
    assert said["network_input"] == NETWORK_INPUT.model_dump()
    assert said["encoder"]["kind"] == "cnn"
    auc = {"value": 0.8, "ci_low": 0.75, "ci_high": 0.85, "n": 300.0}
    assert said["metrics"]["roc_auc_ovr_macro"] == pytest.approx(auc)
    assert said["metrics_of_baseline"]["accuracy"]["value"] == 0.6
    n = sum(each.numel() for each in network_of("cnn").state_dict().values())
    assert said["about"]["parameters"] == n


def test_equal_runs_give_equal_bytes(folder, tmp_path, domain):
    for k in range(4):
        (tmp_path / f"{k}").mkdir()
        again = write_toy_card(tmp_path / f"{k}", domain("euclid"), fit_spec())
        for name in ("model.safetensors", "config.json", "README.md"):
            assert (folder / name).read_bytes() == (again / name).read_bytes()


def test_predictions_are_judged_by_what_it_says(folder):
    (network,), judged = networks_of(folder)
    assert network.domain == judged.domain.name == "euclid"
    assert (judged.domain.num_pix, judged.seed) == (SIZE, 0)
    assert judged.fit == fit_spec()
    assert judged.folder == folder


def test_a_network_that_is_not_in_the_table_is_named(tmp_path, domain):
    given = toy_arguments(tmp_path, domain("euclid"), fit_spec())
    with pytest.raises(ValueError, match=r"table\.csv: has no rows of cnn, seed 1, on euclid"):
        write_card(**{**given, "seed": 1})
    assert not (tmp_path / "card").exists()


def test_weights_that_say_nothing_of_themselves_are_refused(tmp_path):
    path = tmp_path / "a.safetensors"
    save_weights(path, network_of("cnn").state_dict(), {"encoder": {}})
    with pytest.raises(ValueError, match=r"says nothing of classes, domain, image_size.*cards"):
        lensml.load(path)
    path.write_bytes(path.read_bytes()[:50])
    with pytest.raises(ValueError, match=r"a\.safetensors: cannot be read") as caught:
        lensml.load(path)
    assert "\n" not in str(caught.value)
