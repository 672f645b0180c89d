"""What a masked autoencoder is worth: the classifier that starts from it, and linear probes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import load_file
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from toy.configuration import load_varied
from toy.stores import blobs, noise, setting, write_store
from toy.study import CLASSIFIER, images_of, results_in

from lensml.evaluation.classification.probe import embeddings, probe_mae
from lensml.models.encoders import build_classifier
from lensml.models.initial import start_from_mae
from lensml.models.mae import MaskedAutoencoder
from lensml.schema.anomaly import Mae
from lensml.schema.pretraining import mae_encoder
from lensml.training.classification.variants import train_variant
from lensml.training.engine.checkpoint import save_weights

CLASSES = ["no_sub", "cdm"]

pytestmark = pytest.mark.usefixtures("one_torch_thread")


@pytest.fixture(scope="module")
def mae() -> Mae:
    sizes = {"patch_size": 4, "embed_dim": 16, "depth": 1, "num_heads": 2}
    decoder = {"decoder_embed_dim": 8, "decoder_depth": 1, "decoder_num_heads": 2}
    return load_varied().anomaly.mae.model_copy(update={**sizes, **decoder})


@pytest.fixture
def weights(mae: Mae, tmp_path: Path) -> str:
    torch.manual_seed(0)
    path = str(tmp_path / "mae.safetensors")
    save_weights(path, MaskedAutoencoder(mae, 16).state_dict(), {})
    return path


def stores_of(folder: Path, split: str, n: int, seed: int) -> list[str]:
    rng = np.random.default_rng(seed)
    images = {"no_sub": noise(n, rng), "cdm": blobs(n, rng)}
    return [
        write_store(folder / name / f"{split}.zarr", x, substructure=name)
        for name, x in images.items()
    ]


def test_the_transformer_is_the_masked_autoencoder_s_encoder(mae, weights, tmp_path):
    network = build_classifier(mae_encoder(mae), img_size=16, num_classes=2, seed=1)
    model = MaskedAutoencoder(mae, 16)
    model.load_state_dict(load_file(weights))
    start_from_mae(network.encoder, model.state_dict())
    images = images_of(stores_of(tmp_path, "test", 6, 0))
    x = images.batch(np.arange(12))
    with torch.no_grad():
        embedding = network.eval().encoder(x)
        tokens = model.patch_embed(model.patchify(x)) + model.pos_embed
        expected = model.norm(model.blocks(tokens).mean(1))  # a classifier's norm follows the mean
    torch.testing.assert_close(embedding, expected, rtol=1e-4, atol=1e-5)


def probed(folder: Path, mae: Mae, weights: str, **changes: object) -> pd.DataFrame:
    output = str(folder / "predictions.csv")
    given = {"n_train": 20, "n_validation": 10, "candidates": [0.01, 1.0], **changes}
    probe_mae(
        stores_of(folder, "train", 20, 1),
        stores_of(folder, "val", 10, 2),
        stores_of(folder, "test", 15, 3),
        weights,
        output,
        classes=CLASSES,
        mae=mae,
        setting=setting(folder),
        **given,  # type: ignore[arg-type]
    )
    return pd.read_csv(output)


def test_a_probe_reads_what_the_embedding_knows(tmp_path, mae, weights):
    before = Path(weights).read_bytes()
    table = probed(tmp_path, mae, weights)
    assert Path(weights).read_bytes() == before
    assert roc_auc_score(table["label"] == "cdm", table["p_cdm"]) > 0.95
    np.testing.assert_allclose(table["p_no_sub"] + table["p_cdm"], 1)


def test_a_probe_sees_the_first_labels_alone(tmp_path, mae, weights):
    few = probed(tmp_path, mae, weights, n_train=5, candidates=[1.0])
    model = MaskedAutoencoder(mae, 16)
    model.load_state_dict(load_file(weights))
    known = images_of(stores_of(tmp_path, "train", 20, 1), limit=5)
    x, x_test = (
        embeddings(model.eval(), images)
        for images in (known, images_of(stores_of(tmp_path, "test", 15, 3)))
    )
    center, spread = x.mean(0), x.std(0)
    fit = LogisticRegression(C=1.0, max_iter=2000).fit((x - center) / spread, known.labels)
    expected = fit.predict_proba((x_test - center) / spread)
    np.testing.assert_allclose(few[["p_no_sub", "p_cdm"]], expected, atol=1e-3)


def test_the_probe_is_chosen_on_validation_images(tmp_path, mae, weights, caplog):
    with caplog.at_level("INFO"):
        strong = probed(tmp_path, mae, weights, candidates=[1e-6, 1.0])
    assert "C = 1 of" in caplog.text
    alone = probed(tmp_path, mae, weights, candidates=[1.0])
    pd.testing.assert_frame_equal(strong, alone)


def test_labels_are_the_first_of_both_splits(tmp_path, mae, weights):
    train, validation = stores_of(tmp_path, "train", 20, 1), stores_of(tmp_path, "val", 10, 2)
    results = results_in(tmp_path)
    train_variant(
        train,
        validation,
        results,
        encoder=mae_encoder(mae),
        classifier=CLASSIFIER,
        symmetry="none",
        setting=setting(tmp_path),
        n_train=8,
        n_validation=4,
        steps=6,
        mae_weights=weights,
    )
    record = json.loads(Path(results.run).read_text())
    assert record["config"]["variant"]["n_train"] == 8
    assert record["config"]["variant"]["n_validation"] == 4
    assert record["config"]["variant"]["mae"]
    assert pd.read_csv(results.history)["step"].tolist()[-1] == 6
