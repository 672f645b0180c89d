"""Scores of autoencoders."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from toy.autoencoders import every_method, spec, task_of
from toy.stores import blobs, noise, setting, write_store
from toy.study import images_of, results_in

from lensml.data.torch_dataset import Images
from lensml.evaluation.anomaly.autoencoders import score_autoencoder
from lensml.evaluation.statistics.predictions import Scored
from lensml.models.autoencoders import build_autoencoder
from lensml.training.anomaly.autoencoder_run import train_autoencoder
from lensml.training.anomaly.autoencoders import image_errors
from lensml.training.engine.checkpoint import load_weights, save_weights

pytestmark = pytest.mark.usefixtures("one_torch_thread")


@pytest.fixture
def few(tmp_path: Path) -> Images:
    """A few images of a spot that moves."""
    return images_of([write_store(tmp_path / "few.zarr", blobs(16, np.random.default_rng(0)))])


@every_method
def test_the_score_is_the_mean_squared_error_of_the_reconstruction(few, tmp_path, method):
    model = build_autoencoder(method, spec(), 16, seed=1).eval()
    weights, output = str(tmp_path / "weights.safetensors"), str(tmp_path / "scores.csv")
    save_weights(weights, model.state_dict(), {})
    rng = np.random.default_rng(1)
    stores = [
        write_store(tmp_path / name / "test.zarr", x, substructure=name)
        for name, x in {"no_sub": noise(5, rng), "cdm": blobs(4, rng)}.items()
    ]
    score_autoencoder(
        [Scored(stores, ["no_sub", "cdm"], {"mse": output})],
        weights,
        method=method,
        autoencoder=spec(),
        setting=setting(tmp_path),
    )
    table, images = pd.read_csv(output), images_of(stores)
    identity = ["system_id", "index", "label"]
    assert table.columns.tolist() == [*identity, "score", "flux", "theta_E_total"]
    assert table["label"].tolist() == ["no_sub"] * 5 + ["cdm"] * 4
    for i, score in enumerate(table["score"]):
        x = images.batch(np.array([i]))
        with torch.no_grad():
            difference = model.decode(model.encode(x)[0]) - x
        assert score == pytest.approx(float((difference**2).mean()), rel=1e-5)


@every_method
def test_no_image_changes_the_score_of_another(tmp_path, method):
    rng = np.random.default_rng(0)
    image, faint, bright = blobs(3, rng), noise(70, rng), blobs(70, rng, peak=50.0)
    task = task_of(
        images_of([write_store(tmp_path / "train.zarr", blobs(16, rng))]), method, batch_size=8
    )
    for step in range(10):
        task.step(step)
    scores = [
        image_errors(
            task.model, images_of([write_store(tmp_path / f"{k}.zarr", np.concatenate(both))])
        )
        for k, both in enumerate(([image, faint], [image, bright]))
    ]
    np.testing.assert_allclose(scores[0][:3], scores[1][:3], rtol=1e-5)
    assert not np.allclose(scores[0][3:], scores[1][3:])


@every_method
def test_a_trained_autoencoder_finds_what_it_has_never_seen(tmp_path, method):
    rng = np.random.default_rng(0)
    splits = {"train": blobs(48, rng), "val": blobs(16, rng), "test": blobs(16, rng)}
    stores = {k: write_store(tmp_path / "no_sub" / f"{k}.zarr", x) for k, x in splits.items()}
    strange = write_store(tmp_path / "cdm" / "test.zarr", blobs(16, rng)[:, :, ::-1] * 3)
    results, recipe = results_in(tmp_path), spec(epochs=15, kl_weight=1e-5)
    train_autoencoder(
        stores["train"],
        stores["val"],
        results,
        method=method,
        autoencoder=recipe,
        symmetry="square",
        setting=setting(tmp_path),
    )
    loss = pd.read_csv(results.history)["val_loss"]
    assert loss.iloc[-1] < loss.iloc[0]
    model = build_autoencoder(method, recipe, 16, seed=5)
    load_weights(results.weights, model)
    errors = image_errors(model, images_of([stores["test"], strange]))
    assert errors[:16].mean() == pytest.approx(loss.iloc[-1], rel=0.3)
    assert np.median(errors[16:]) > np.median(errors[:16])
