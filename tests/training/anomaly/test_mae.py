"""The masked autoencoder learns."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from toy.runs import MAE
from toy.stores import EXPOSURE, RMS, noise, setting, write_store
from toy.study import images_of, results_in

from lensml.models.mae import MaskedAutoencoder
from lensml.training.anomaly.mae_run import train_mae
from lensml.training.engine.checkpoint import load_weights

pytestmark = pytest.mark.usefixtures("one_torch_thread")


def test_the_autoencoder_learns_to_fill_in_what_is_smooth(tmp_path):
    rng = np.random.default_rng(0)
    level = rng.uniform(0, 5, (64, 1, 1))
    train, validation = (
        write_store(tmp_path / f"{k}.zarr", level + noise(64, rng)) for k in ("train", "val")
    )
    spec = MAE.model_copy(update={"epochs": 20})
    results = results_in(tmp_path)
    train_mae(train, validation, results, mae=spec, symmetry="square", setting=setting(tmp_path))
    loss = pd.read_csv(results.history)["val_loss"]
    assert loss.iloc[-1] < 0.1 * images_of([validation]).batch(np.arange(64)).var().item()
    model = MaskedAutoencoder(spec, 16)
    load_weights(results.weights, model)


def test_errors_in_units_of_noise_come_down_to_it(tmp_path):
    rng = np.random.default_rng(0)
    level = rng.uniform(0, 5, (64, 1, 1))

    def seen(name: str) -> str:
        variance = RMS**2 + level / EXPOSURE
        return write_store(tmp_path / name, level + rng.normal(0, np.sqrt(variance), (64, 16, 16)))

    spec = MAE.model_copy(update={"epochs": 40, "loss": "chi2"})
    results = results_in(tmp_path)
    stores = seen("train.zarr"), seen("val.zarr")
    train_mae(*stores, results, mae=spec, symmetry="square", setting=setting(tmp_path))
    loss = pd.read_csv(results.history)["val_loss"]
    # An image without structure is known but for its noise, of which 1 is left.
    assert 0.95 < loss.iloc[-1] < 1.5
    assert loss.iloc[0] > 10
