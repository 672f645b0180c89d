"""The exported graph gives torch's probabilities."""

from __future__ import annotations

import numpy as np
import onnxruntime
import pytest
import torch
from toy.exported import ENCODERS, SIZE, TEMPERATURE, network_of
from toy.stores import NETWORK_INPUT, RMS, blobs, write_store

from lensml.data.images import stretch
from lensml.data.store import open_store
from lensml.data.torch_dataset import Images
from lensml.evaluation.classification.calibration import apply_temperature
from lensml.evaluation.classification.export import to_onnx
from lensml.evaluation.classification.metrics import SMALLEST_PROBABILITY
from lensml.models.encoders import Classifier, build_classifier
from lensml.models.export import ExportedClassifier
from lensml.models.symmetry import SYMMETRIES, transform

pytestmark = pytest.mark.usefixtures("one_torch_thread")


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
