"""Files of an export."""

from __future__ import annotations

import json
import warnings
from pathlib import Path

import onnxruntime
import pytest
from toy.exported import CLASSES, ENCODERS, SIZE, TEMPERATURE, prepared
from toy.stores import NETWORK_INPUT

from lensml.evaluation.classification import export
from lensml.evaluation.classification.export import export_classifier
from lensml.models.encoders import build_classifier
from lensml.training.engine.checkpoint import save_weights

pytestmark = pytest.mark.usefixtures("one_torch_thread")


def test_an_export_is_a_network_and_its_description(tmp_path):
    given = prepared(tmp_path, symmetry="square")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        export_classifier(**given)
    found = json.loads(Path(given["description_file"]).read_text())
    assert found["classes"] == CLASSES
    assert found["image_size"] == SIZE
    assert found["inputs"]["image"] == {"shape": ["N", SIZE, SIZE], "dtype": "float32"}
    assert found["units"]["image"] == "e-/s per pixel"
    assert found["temperature"] == TEMPERATURE
    assert found["network_input"] == NETWORK_INPUT.model_dump()
    assert found["judged_by"] == given["judged_by"]
    assert found["n_checked"] == 30
    assert found["greatest_difference"] < 3e-6
    assert {"torch", "onnx", "onnxruntime"} <= set(found["versions"])
    session = onnxruntime.InferenceSession(given["network_file"])
    shapes = {one.name: one.shape for one in [*session.get_inputs(), *session.get_outputs()]}
    assert shapes == {
        "image": ["N", SIZE, SIZE],
        "background_rms": ["N"],
        "probabilities": ["N", 3],
    }


def test_the_first_images_of_every_class_are_compared(tmp_path, monkeypatch):
    monkeypatch.setattr(export, "N_CHECKED", 4)
    given = prepared(tmp_path)
    export_classifier(**given)
    assert json.loads(Path(given["description_file"]).read_text())["n_checked"] == 12


@pytest.mark.parametrize("allowed", [0.0, float("nan")])
def test_nothing_is_written_if_the_two_differ(tmp_path, monkeypatch, allowed):
    monkeypatch.setattr(export, "TOLERANCE", allowed)
    given = prepared(tmp_path)
    with pytest.raises(ValueError, match="probabilities of ONNX and torch differ by") as caught:
        export_classifier(**given)
    assert "\n" not in str(caught.value)
    assert not Path(given["network_file"]).parent.exists()


def test_weights_for_another_image_size_are_refused(tmp_path):
    given = prepared(tmp_path, size=24)
    network = build_classifier(ENCODERS["vit"], img_size=SIZE, num_classes=3, seed=0)
    save_weights(given["weights"], network.state_dict(), {})
    with pytest.raises(ValueError, match=r"weights\.safetensors: cannot be loaded") as caught:
        export_classifier(**{**given, "encoder": ENCODERS["vit"]})
    assert "\n" not in str(caught.value)
    assert not Path(given["network_file"]).parent.exists()
