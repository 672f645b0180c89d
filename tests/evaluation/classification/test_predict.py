"""Predictions of a classifier."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from toy.stores import NETWORK_INPUT, setting
from toy.tables import CLASSES

from lensml.data.torch_dataset import Images
from lensml.evaluation.classification.predict import predict
from lensml.evaluation.statistics.predictions import write_predictions
from lensml.models.encoders import build_classifier
from lensml.models.symmetry import SYMMETRIES, transform
from lensml.schema.encoders import Cnn
from lensml.training.engine.checkpoint import save_weights

CNN = Cnn(kind="cnn", widths=[4, 8])

pytestmark = pytest.mark.usefixtures("one_torch_thread")


def images_of(stores: Sequence[str], **options: Any) -> Images:
    return Images(stores, NETWORK_INPUT, max_memory_fraction=0.5, **options)


def test_predictions_name_every_image_and_its_probabilities(test_stores, tmp_path):
    network = build_classifier(CNN, img_size=16, num_classes=2, seed=3).eval()
    weights, output = str(tmp_path / "weights.safetensors"), str(tmp_path / "predictions.csv")
    save_weights(weights, network.state_dict(), {})
    predict(
        test_stores,
        weights,
        output,
        classes=CLASSES[:2],
        encoder=CNN,
        symmetry="flips",
        setting=setting(tmp_path),
    )
    table = pd.read_csv(output)
    assert table.columns.tolist() == ["system_id", "index", "label", "p_no_sub", "p_cdm"]
    assert table["label"].tolist() == ["no_sub"] * 6 + ["cdm"] * 6
    assert table["index"].tolist() == [*range(6)] * 2
    assert table["system_id"].tolist() == (2**62 + np.arange(6)).tolist() * 2
    x = images_of(test_stores).batch(np.arange(12))
    with torch.no_grad():
        passes = [network(transform(x, e)).softmax(1).numpy() for e in SYMMETRIES["flips"]]
    expected = np.mean(passes, axis=0)
    np.testing.assert_allclose(table[["p_no_sub", "p_cdm"]], expected, rtol=0, atol=1e-6)


def test_images_without_labels_get_no_predictions(test_stores, tmp_path):
    pool = images_of(test_stores[:1], labelled=False)
    with pytest.raises(ValueError, match="for labelled test images only"):
        write_predictions(str(tmp_path / "p.csv"), np.full((6, 2), 0.5), pool, CLASSES[:2])
