"""The oracle."""

from __future__ import annotations

import pytest
import torch
from safetensors.torch import load_file
from toy.stores import setting
from toy.study import CLASSIFIER, CNN, ORACLE, results_in

from lensml.training.adaptation.oracle import train_oracle

pytestmark = pytest.mark.usefixtures("one_torch_thread")


def test_the_oracle_starts_from_the_source_classifier(study, tmp_path, monkeypatch):
    """With a learning rate of almost zero it ends where it began."""
    oracle = ORACLE.model_copy(update={"learning_rate": 1e-12, "min_learning_rate": 0.0})
    results = results_in(tmp_path)
    train_oracle(
        study.target,
        study.target,
        study.weights["cnn"],
        results,
        encoder=CNN,
        classifier=CLASSIFIER,
        oracle=oracle,
        symmetry="square",
        setting=setting(tmp_path),
    )
    source, trained = load_file(study.weights["cnn"]), load_file(results.weights)
    for name in ("head.weight", "encoder.layers.0.weight"):
        torch.testing.assert_close(trained[name], source[name], rtol=1e-5, atol=1e-7)
