"""What the guides show works as it stands there."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from toy.configuration import CONFIG_DIR, DEFAULT, ROOT, load_files
from toy.examples import example
from toy.exported import CLASSES, network_of
from toy.stores import NETWORK_INPUT

from lensml.data.store import open_store
from lensml.evaluation.classification.export import to_onnx
from lensml.evaluation.classification.metrics import SMALLEST_PROBABILITY
from lensml.models.export import ExportedClassifier


def test_the_domain_that_the_readme_adds_is_simulated_and_trained_on(tmp_path):
    overlay = tmp_path / "mine.yaml"
    overlay.write_text(example(CONFIG_DIR / "README.md", "yaml", "my_survey"), encoding="utf-8")
    config = load_files(DEFAULT, overlay)
    assert "my_survey" in config.domains
    assert "my_survey" in config.classifier.domains
    assert config.domain("my_survey").num_pix == 64
    psf = config.domain("hst_l1").instrument.psf_fwhm
    assert psf == 0.18 != load_files(DEFAULT).domain("hst_l1").instrument.psf_fwhm


@pytest.fixture
def own_images(domain, simulate_store, tmp_path, monkeypatch) -> tuple[np.ndarray, np.ndarray]:
    """Simulated images as a user's own in a folder with an exported network, and their rms."""
    store = open_store(simulate_store(tmp_path / "stores", domain(), "cdm", n_images=24))
    images = store.image[np.arange(24)]
    module = ExportedClassifier(
        network_of("cnn"),
        NETWORK_INPUT,
        symmetry="none",
        temperature=1.0,
        smallest=SMALLEST_PROBABILITY,
    )
    monkeypatch.chdir(tmp_path)
    Path("classifier.onnx").write_bytes(to_onnx(module, img_size=64).SerializeToString())
    Path("classifier.json").write_text(json.dumps({"classes": CLASSES}))
    np.save("mine.npy", images)
    return images, store.truth["background_rms"]


@pytest.mark.slow
@pytest.mark.usefixtures("one_torch_thread")
def test_the_export_guide_measures_the_noise_and_scores_images(own_images):
    images, rms = own_images
    names: dict[str, Any] = {}
    exec(example(ROOT / "docs" / "export.md", "python", "mine.npy"), names)
    np.testing.assert_allclose(names["rms"], rms, rtol=0.1)
    assert abs(np.mean(names["rms"] / rms) - 1) < 0.02
    assert names["rms"].dtype == np.float32
    assert names["probabilities"].shape == (len(images), len(CLASSES))
    # A corner of a few pixels, as the guide once had it, is no such measure.
    corner = images[:, :6, :6].std((1, 2)) / rms
    assert np.abs(corner - 1).max() > 0.2
