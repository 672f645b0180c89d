"""Exported classifiers: onnxruntime gives torch's probabilities, or there is no file."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch
from toy_stores import NETWORK_INPUT, RMS, blobs, noise, setting, write_store

from lensml.data.images import stretch
from lensml.data.store import open_store
from lensml.data.torch_dataset import Images
from lensml.evaluation.classification import export
from lensml.evaluation.classification.calibration import apply_temperature
from lensml.evaluation.classification.export import export_classifier, to_onnx
from lensml.evaluation.classification.metrics import SMALLEST_PROBABILITY
from lensml.models.encoders import Classifier, build_classifier
from lensml.models.export import ExportedClassifier
from lensml.models.symmetry import SYMMETRIES, transform
from lensml.schema.encoders import Cnn, Encoder, Vit, VitConvStem
from lensml.training.engine.checkpoint import save_weights

CLASSES = ["no_sub", "cdm", "vortex"]
SIZE = 16
TEMPERATURE = 0.6
SIZES: dict[str, Any] = {
    "embed_dim": 16,
    "depth": 2,
    "num_heads": 2,
    "mlp_ratio": 2.0,
    "init_values": 0.1,
    "drop_path_rate": 0.2,  # must not act in an exported network
}
ENCODERS: dict[str, Encoder] = {
    "cnn": Cnn(kind="cnn", widths=[4, 8]),
    "vit": Vit(kind="vit", patch_size=8, **SIZES),
    "vit_conv_stem": VitConvStem(kind="vit_conv_stem", stem_widths=[4, 8], **SIZES),
}


pytestmark = pytest.mark.usefixtures("one_torch_thread")


def network_of(name: str) -> Classifier:
    """A network with statistics of images and probabilities that are neither 0 nor 1."""
    network = build_classifier(ENCODERS[name], img_size=SIZE, num_classes=3, seed=1)
    rng = np.random.default_rng(0)
    x = torch.from_numpy(stretch(blobs(64, rng), np.full(64, RMS), NETWORK_INPUT))[:, None]
    with torch.no_grad():
        network.train()
        for _ in range(40):  # the running statistics of batch norm
            network(x)
        network.eval()
        logits = network(x)
        network.head.weight *= 3 / logits.std(0).mean()
        network.head.bias -= network(x).mean(0)
    return network


def images_and_rms(n: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(3)
    return blobs(n, rng).astype(np.float32), rng.uniform(0.05, 0.2, n).astype(np.float32)


def by_hand(network: Classifier, image: np.ndarray, rms: np.ndarray, symmetry: str) -> np.ndarray:
    """What the workflow computes: stretch, mean over the group, temperature, in that order."""
    x = torch.from_numpy(stretch(image, rms, NETWORK_INPUT))[:, None]
    with torch.inference_mode():
        p = torch.stack([network(transform(x, e)).softmax(1) for e in SYMMETRIES[symmetry]])
    return apply_temperature(p.double().mean(0).numpy(), TEMPERATURE)


def session_of(network: Classifier, symmetry: str) -> onnxruntime.InferenceSession:
    module = ExportedClassifier(
        network,
        NETWORK_INPUT,
        symmetry=symmetry,
        temperature=TEMPERATURE,
        smallest=SMALLEST_PROBABILITY,
    )
    content = to_onnx(module, img_size=SIZE).SerializeToString()
    return onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])


@pytest.mark.parametrize(
    ("name", "symmetry"), [("cnn", "square"), ("vit", "none"), ("vit_conv_stem", "half_turn")]
)
def test_the_graph_gives_the_probabilities_of_torch(name, symmetry):
    network = network_of(name)
    session = session_of(network, symmetry)
    image, rms = images_and_rms(7)
    expected = by_hand(network, image, rms, symmetry)
    assert 0.02 < expected.std() < 0.6  # the images differ
    for n in (1, 7):
        answer = session.run(None, {"image": image[:n], "background_rms": rms[:n]})
        found = np.asarray(answer[0])
        assert found.shape == (n, 3)
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, expected[:n], rtol=0, atol=3e-6)


@pytest.mark.parametrize(
    "changes", [{"stretch": "linear"}, {"stretch": "per_image_max"}, {"center_crop": 12}]
)
def test_the_graph_crops_and_stretches_as_the_network_input_says(tmp_path, changes):
    spec = NETWORK_INPUT.model_copy(update=changes)
    path = write_store(tmp_path / "test.zarr", images_and_rms(5)[0])
    images = Images([path], spec, max_memory_fraction=0.5)
    network = build_classifier(
        ENCODERS["cnn"], img_size=images.img_size, num_classes=3, seed=0
    ).eval()
    module = ExportedClassifier(network, spec, symmetry="none", temperature=1.0, smallest=1e-12)
    raw = torch.from_numpy(open_store(path).image.load())
    with torch.inference_mode():
        found = module(raw, torch.full((5,), RMS))
        expected = network(images.batch(np.arange(5))).softmax(1)
    torch.testing.assert_close(found, expected, atol=1e-6, rtol=1e-5)


def test_an_image_of_another_size_is_refused():
    session = session_of(network_of("cnn"), "none")
    given = {"image": np.zeros((2, 20, 20), np.float32), "background_rms": np.ones(2, np.float32)}
    with pytest.raises(Exception, match="Got invalid dimensions for input: image"):
        session.run(None, given)


def test_equal_weights_give_equal_bytes_without_a_trace_of_where():
    files = [to_onnx(_module(), img_size=SIZE).SerializeToString() for _ in range(2)]
    assert files[0] == files[1]
    assert b".py" not in files[0]
    assert b"lensml" not in files[0]


def _module() -> ExportedClassifier:
    return ExportedClassifier(
        network_of("cnn"), NETWORK_INPUT, symmetry="square", temperature=1.5, smallest=1e-12
    )


# Files


def prepared(folder: Path, *, n: int = 10, size: int = SIZE) -> dict[str, Any]:
    """Arguments of an export: stores, weights and a temperature."""
    rng = np.random.default_rng(0)
    makers = {"no_sub": noise, "cdm": blobs, "vortex": blobs}
    stores = [
        write_store(folder / name / "test.zarr", make(n, rng, size=size), substructure=name)
        for name, make in makers.items()
    ]
    save_weights(folder / "weights.safetensors", network_of("cnn").state_dict(), {})
    (folder / "calibration.json").write_text(json.dumps({"temperature": TEMPERATURE}))
    return {
        "stores": stores,
        "weights": str(folder / "weights.safetensors"),
        "calibration": str(folder / "calibration.json"),
        "network_file": str(folder / "out" / "classifier.onnx"),
        "description_file": str(folder / "out" / "classifier.json"),
        "classes": CLASSES,
        "encoder": ENCODERS["cnn"],
        "symmetry": "square",
        "pixel_scale": 0.1,
        "setting": setting(folder),
    }


def test_an_export_is_a_network_and_its_description(tmp_path):
    given = prepared(tmp_path)
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
