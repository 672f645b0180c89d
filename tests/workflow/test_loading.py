"""A trained network from its folder says of images what the workflow says of them."""

from __future__ import annotations

import shutil
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import yaml
from toy.configuration import ROOT
from toy.examples import example

import lensml
from lensml.evaluation.classification.calibration import apply_temperature

RUN = "results/classification/euclid/vit_conv_stem/seed0"
N_TEST = 48

pytestmark = [pytest.mark.workflow, pytest.mark.slow, pytest.mark.usefixtures("one_torch_thread")]


@pytest.fixture(scope="module")
def classifier(finished):
    return lensml.load(finished / RUN)


@pytest.fixture(scope="module")
def images(finished) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Class -> test images and their noise, both in e-/s."""
    found = {}
    for name in ("no_sub", "cdm", "vortex"):
        store = lensml.open_store(finished / f"results/datasets/euclid/{name}/test.zarr")
        rms = np.asarray(store.truth["background_rms"])
        found[name] = (np.asarray(store.image[np.arange(N_TEST)]), rms)
    return found


def test_probabilities_are_those_of_the_workflow(finished, classifier, images):
    assert classifier.classes == tuple(images)
    assert (classifier.domain, classifier.num_pix, classifier.pixel_scale) == ("euclid", 64, 0.101)
    table = pd.read_csv(finished / RUN / "predictions.csv")
    p = table[[f"p_{name}" for name in images]].to_numpy()
    found = np.concatenate([classifier.predict_proba(*both) for both in images.values()])
    np.testing.assert_allclose(found, apply_temperature(p, classifier.temperature), atol=1e-6)
    np.testing.assert_allclose(found.sum(1), 1, rtol=1e-5)


def test_of_one_image_the_noise_is_measured_on_its_border(classifier, images):
    image, rms = images["cdm"]
    measured = classifier.predict_proba(image[0])
    assert measured.shape == (1, 3)
    np.testing.assert_allclose(measured, classifier.predict_proba(image[:1], rms[0]), atol=0.02)
    assert not np.allclose(measured, classifier.predict_proba(image[:1], 30 * rms[0]), atol=1e-6)


def test_the_guide_predicts_images_of_a_store(finished, monkeypatch, capsys):
    monkeypatch.chdir(finished)
    exec(example(ROOT / "docs" / "export.md", "python", "lensml.load"), {})
    said = capsys.readouterr().out
    assert "LoadedClassifier(domain='euclid', classes=('no_sub', 'cdm', 'vortex')" in said
    assert len(said.splitlines()) == 1 + 5


def test_an_adapted_network_is_for_the_target(finished):
    adapted = lensml.load(finished / "results/adaptation/euclid/hst/vit_conv_stem/adda/seed0")
    assert (adapted.domain, adapted.pixel_scale, adapted.temperature) == ("hst", 0.08, 1.0)


def test_images_that_are_not_the_domains_are_refused(classifier, images):
    image, _ = images["no_sub"]
    with pytest.raises(
        ValueError, match=r"\(2, 32, 32\); images of euclid are \(N, 64, 64\), 0.101"
    ):
        classifier.predict_proba(image[:2, :32, :32])
    spoilt = image[:3].copy()
    spoilt[2, 0, 0] = np.nan
    with pytest.raises(ValueError, match="image 2 has pixels that are not finite"):
        classifier.predict_proba(spoilt)
    with pytest.raises(ValueError, match=r"sees image: maps none .* not residual"):
        classifier.predict_proba(image[:1], residual=image[:1])
    with pytest.raises(ValueError, match="background_rms must be above 0"):
        classifier.predict_proba(image[:1], 0.0)


def test_folders_without_a_classifier_of_plain_images_are_refused(finished, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no trained classifier: weights.safetensors is"):
        lensml.load(tmp_path)
    alone = shutil.copytree(finished / RUN, tmp_path / "alone")
    with pytest.raises(ValueError, match=r"no config.yaml of a run lies above it"):
        lensml.load(alone)
    config = yaml.safe_load((finished / "results/config.yaml").read_text())
    config["adaptation"] |= {"harmonise": "known", "methods": ["source_only", "adda"]}
    config["adaptation"]["adda"]["start"] = "source_only"
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(config))
    below = "adaptation/euclid/hst/vit_conv_stem/adda/seed0"
    shutil.copytree(finished / "results" / below, tmp_path / below)
    with pytest.raises(ValueError, match="brought to a common camera"):
        lensml.load(tmp_path / below)
    with pytest.raises(ValueError, match="is no classifier: it lies below 'regression'"):
        lensml.load(shutil.copytree(finished / RUN, tmp_path / "regression/a/b/c/seed0"))


def test_the_package_is_imported_without_torch():
    code = "import lensml, sys; print('torch' in sys.modules, lensml.load.__module__)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "lensml.evaluation.classification.loading"]
    with pytest.raises(AttributeError, match="has no attribute 'unknown'"):
        getattr(lensml, "unknown")  # noqa: B009  types know that it is not there
