"""Criteria of trained classifiers, and the gate."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from toy.stores import setting
from toy.study import CNN, Study, images_of

from lensml.evaluation.adaptation.criteria import CRITERIA
from lensml.evaluation.adaptation.evidence import evidence_of, gate_adaptation, measure_criteria
from lensml.models.encoders import build_classifier
from lensml.training.engine.checkpoint import load_weights
from lensml.training.engine.prediction import predict_probabilities

pytestmark = pytest.mark.usefixtures("one_torch_thread")


def test_criteria_are_those_of_the_classifier(study, tmp_path):
    output = tmp_path / "criteria.json"
    measure_criteria(
        study.weights["cnn"],
        study.validation,
        study.pool,
        str(output),
        encoder=CNN,
        setting=setting(tmp_path),
    )
    found = json.loads(output.read_text())
    assert list(found["criteria"]) == sorted(CRITERIA)
    network = build_classifier(CNN, img_size=16, num_classes=2, seed=0)
    load_weights(study.weights["cnn"], network)
    p = predict_probabilities(network, images_of([study.pool], labelled=False), symmetry="none")
    assert found["shares"] == pytest.approx([(p.argmax(1) == k).mean() for k in range(2)])
    assert found["im_target"] == pytest.approx(found["criteria"]["im"])
    mean = p.mean(0)
    im = -(mean * np.log(mean)).sum() + (p * np.log(p)).sum(1).mean()
    assert found["im_target"] == pytest.approx(im, abs=1e-5)


def test_labelled_target_images_are_refused(study):
    network = build_classifier(CNN, img_size=16, num_classes=2, seed=0)
    labelled = images_of(study.target)
    with pytest.raises(ValueError, match="an unlabelled pool"):
        evidence_of(network, images_of(study.validation), labelled, seed=0)


def files(folder: Path, name: str, content: bytes, im: float) -> tuple[str, str]:
    weights, criteria = folder / f"{name}.safetensors", folder / f"{name}.json"
    weights.write_bytes(content)
    criteria.write_text(json.dumps({"im_target": im}))
    return str(weights), str(criteria)


@pytest.mark.parametrize(("after", "kept"), [(0.9, True), (0.71, True), (0.6, False)])
def test_the_gate_hands_on_the_adapted_weights_or_the_start(tmp_path, after, kept):
    start, adapted = files(tmp_path, "a", b"start", 0.73), files(tmp_path, "b", b"adapted", after)
    weights, verdict = tmp_path / "out.safetensors", tmp_path / "verdict.json"
    gate_adaptation(start, adapted, str(weights), str(verdict), max_im_loss=0.03)
    assert weights.read_bytes() == (b"adapted" if kept else b"start")
    found = json.loads(verdict.read_text())
    assert found["kept"] is kept
    assert found["text"].startswith("kept: " if kept else "refused: ")


def test_evidence_pairs_labels_with_their_images(study: Study):
    network = build_classifier(CNN, img_size=16, num_classes=2, seed=0).eval()
    load_weights(study.weights["cnn"], network)
    source = images_of(study.validation)
    found = evidence_of(network, source, images_of([study.pool], labelled=False), seed=3)
    assert source.labels is not None
    everything = torch.cat([network(source.batch(np.array([i]))) for i in range(len(source))])
    own = {
        row.tobytes(): k
        for row, k in zip(everything.detach().numpy().round(3), source.labels, strict=True)
    }
    for logits, label in zip(found.source_logits, found.source_labels, strict=True):
        assert own[logits.astype(np.float32).round(3).tobytes()] == label
