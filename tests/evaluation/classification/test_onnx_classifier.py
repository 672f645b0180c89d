"""An exported classifier says what torch says, of the same images, with the same refusals."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from toy.exported import CLASSES, SIZE, TEMPERATURE, network_of, prepared
from toy.stores import NETWORK_INPUT, RMS, blobs

from lensml.evaluation.classification.export import export_classifier
from lensml.evaluation.classification.loading import LoadedClassifier
from lensml.evaluation.classification.metrics import SMALLEST_PROBABILITY
from lensml.evaluation.classification.onnx_classifier import open_export
from lensml.models.export import ExportedClassifier

pytestmark = pytest.mark.usefixtures("one_torch_thread")


@pytest.fixture(scope="module")
def network(tmp_path_factory) -> Path:
    """An exported network."""
    given = prepared(tmp_path_factory.mktemp("export"), symmetry="square")
    export_classifier(**given)
    return Path(given["network_file"])


@pytest.fixture
def torchs() -> LoadedClassifier:
    """The network that was exported."""
    module = ExportedClassifier(
        network_of("cnn"),
        NETWORK_INPUT,
        symmetry="square",
        temperature=TEMPERATURE,
        smallest=SMALLEST_PROBABILITY,
    )
    return LoadedClassifier(
        domain="toy",
        classes=tuple(CLASSES),
        num_pix=SIZE,
        pixel_scale=0.1,
        channels=("image",),
        temperature=TEMPERATURE,
        module=module.eval(),
    )


def test_probabilities_are_those_of_torch(network, torchs):
    images = blobs(70, np.random.default_rng(3)).astype(np.float32)  # more than a batch
    found = open_export(network)
    for rms in (RMS, None, np.linspace(RMS, 2 * RMS, 70)):
        expected = torchs.predict_proba(images, rms)
        p = found.predict_proba(images, rms)
        np.testing.assert_allclose(p, expected, atol=1e-5)
        assert (p.dtype, p.shape) == (np.float32, (70, 3))
        assert expected.std(0).min() > 0.01
    assert (found.domain, found.classes, found.num_pix) == ("toy", tuple(CLASSES), SIZE)
    assert (found.channels, found.temperature) == (("image",), TEMPERATURE)


def test_images_that_are_not_the_domains_are_refused_as_by_torch(network):
    found = open_export(network)
    with pytest.raises(ValueError, match=r"\(2, 8, 8\); images of toy are \(N, 16, 16\), 0.1"):
        found.predict_proba(np.zeros((2, 8, 8)), RMS)
    with pytest.raises(ValueError, match=r"sees image: maps none .* not residual"):
        found.predict_proba(np.zeros((2, 16, 16)), RMS, residual=np.zeros((2, 16, 16)))


def copied(network: Path, folder: Path, **changes: object) -> Path:
    """The export elsewhere, with another description; None leaves a key out."""
    about = json.loads(network.with_suffix(".json").read_text()) | changes
    kept = {key: value for key, value in about.items() if value is not None}
    (folder / "mine.onnx").write_bytes(network.read_bytes())
    (folder / "mine.json").write_text(json.dumps(kept))
    return folder / "mine.onnx"


def test_an_older_description_says_what_it_lacks(network, tmp_path):
    path = copied(network, tmp_path, judged_by=None, temperature=None)
    with pytest.raises(ValueError, match=r"mine\.json: says nothing of temperature, judged_by"):
        open_export(path)


@pytest.mark.parametrize(
    ("file", "content", "problem"),
    [
        ("mine.onnx", b"no network", r"mine\.onnx: cannot be read by onnxruntime"),
        ("mine.json", b"{", r"mine\.json: is no JSON"),
        ("mine.json", None, r"its description mine\.json is missing"),
    ],
)
def test_a_damaged_export_is_one_line(network, tmp_path, file, content, problem):
    path = copied(network, tmp_path)
    (tmp_path / file).unlink()
    if content is not None:
        (tmp_path / file).write_bytes(content)
    with pytest.raises((ValueError, FileNotFoundError), match=problem) as caught:
        open_export(path)
    assert "\n" not in str(caught.value)


def test_torch_is_not_imported_for_it(network):
    code = (
        "import sys, lensml.evaluation.prediction\n"
        "from lensml.evaluation.classification.onnx_classifier import open_export\n"
        f"open_export({str(network)!r})\n"
        "print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False"]
