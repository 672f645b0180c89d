"""Anomaly scores come with reconstructions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import pandas as pd
import pytest
import torch
from toy.configuration import load_varied
from toy.stores import EXPOSURE, NETWORK_INPUT, RMS, setting
from toy.tables import CLASSES

from lensml.data.torch_dataset import Images
from lensml.evaluation.anomaly.mae import score_anomalies
from lensml.evaluation.anomaly.scores import MASK_SEED, anomaly_score, restore, score_masks
from lensml.evaluation.statistics.predictions import Scored
from lensml.models.mae import MaskedAutoencoder, random_masking
from lensml.schema.anomaly import Mae
from lensml.training.engine.checkpoint import save_weights
from lensml.training.engine.order import step_generator

pytestmark = pytest.mark.usefixtures("one_torch_thread")


def images_of(stores: Sequence[str], **options: Any) -> Images:
    return Images(stores, NETWORK_INPUT, max_memory_fraction=0.5, **options)


def mae_spec(*, loss: Literal["pixel", "norm_pix", "chi2"] = "pixel") -> Mae:
    return Mae(
        epochs=1,
        batch_size=2,
        learning_rate=1e-3,
        min_learning_rate=0.0,
        weight_decay=0.0,
        betas=[0.9, 0.95],
        warmup_fraction=0.0,
        clip_grad_norm=1.0,
        patch_size=4,
        mask_ratio=0.5,
        loss=loss,
        embed_dim=16,
        depth=1,
        num_heads=2,
        mlp_ratio=2.0,
        decoder_embed_dim=8,
        decoder_depth=1,
        decoder_num_heads=2,
    )


def autoencoder(spec: Mae) -> MaskedAutoencoder:
    torch.manual_seed(0)
    return MaskedAutoencoder(spec, 16).eval()


@pytest.mark.parametrize("loss", ["pixel", "norm_pix"])
def test_anomaly_scores_come_with_reconstructions_to_look_at(test_stores, tmp_path, loss):
    spec = mae_spec(loss=loss)
    model, weights = autoencoder(spec), str(tmp_path / "weights.safetensors")
    save_weights(weights, model.state_dict(), {})
    anomaly = load_varied().anomaly.model_copy(update={"mae": spec, "n_masks": 2})
    names = ("chi2", "mse", "nearest_neighbours")
    outputs = {name: str(tmp_path / f"{name}.csv") for name in names}
    few = anomaly.reference.model_copy(update={"n_images": 4, "n_neighbours": 2})
    anomaly = anomaly.model_copy(update={"reference": few})
    examples = str(tmp_path / "reconstructions.npz")
    score_anomalies(
        [Scored(test_stores, CLASSES[:2], outputs)],
        test_stores[0],
        weights,
        examples,
        scoring=anomaly,
        pixel_scale=0.1,
        setting=setting(tmp_path),
    )
    images = images_of(test_stores)
    found = restore(model, images, score_masks(anomaly, 16))
    reference = images_of(test_stores[:1], limit=4)
    compared = restore(model, reference, score_masks(anomaly, 16))
    for name, output in outputs.items():
        table = pd.read_csv(output)
        assert table.columns[:4].tolist() == ["system_id", "index", "label", "score"]
        expected = anomaly_score(name, found, compared, anomaly)
        np.testing.assert_allclose(table["score"], expected, rtol=1e-5)
    with np.load(examples) as archive:
        content = dict(archive)
    assert content["label"].tolist() == CLASSES[:2]
    assert content["pixel_scale"] == 0.1
    first = images.batch(np.array([0, 6]))  # one image of each class
    np.testing.assert_array_equal(content["image"], first[:, 0].numpy())
    hidden = np.isnan(content["masked"])
    assert hidden.mean() == 0.5
    assert np.array_equal(hidden[0], hidden[1])
    seen = ~hidden
    np.testing.assert_array_equal(content["masked"][seen], content["image"][seen])
    np.testing.assert_array_equal(content["reconstruction"][seen], content["image"][seen])
    np.testing.assert_array_equal(content["residual"][seen], 0)
    scale, units = NETWORK_INPUT.scale, NETWORK_INPUT.noise_units
    linear = [
        np.sinh(content[k].astype(float) * scale) * units for k in ("image", "reconstruction")
    ]
    sigma = np.sqrt(1 + np.maximum(linear[0], 0) / (RMS * EXPOSURE))
    residual = (linear[1] - linear[0]) / sigma
    np.testing.assert_allclose(content["residual"], residual, rtol=1e-3, atol=1e-4)
    # What is shown in the hidden patches is what the loss is taken of.
    patches = [
        model.patchify(torch.from_numpy(content[k])[:, None]) for k in ("image", "reconstruction")
    ]
    masking = random_masking(1, 16, 0.5, step_generator(MASK_SEED, 0)).expand(2)
    error = (patches[1] - patches[0]).square()
    if loss == "norm_pix":
        error = error / (patches[0].var(-1, keepdim=True) + 1e-6)
    shown = (error.mean(-1) * masking.mask).sum(1) / masking.mask.sum(1)
    with torch.no_grad():
        expected = model(first, masking)[0]
    torch.testing.assert_close(shown, expected, rtol=1e-4, atol=1e-5)
