"""Settings of the sweep are seen as often, and end in a table."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from toy.configuration import load_varied
from toy.stores import blobs, setting, write_store

from lensml.evaluation.anomaly.table import tabulate_anomaly
from lensml.schema.training import Evaluation
from lensml.training.anomaly.mae_run import train_mae
from lensml.training.engine.setting import Results

CONFIG = load_varied()

pytestmark = pytest.mark.usefixtures("one_torch_thread")


def test_fewer_images_are_seen_as_often_altogether(tmp_path):
    rng = np.random.default_rng(0)
    train = write_store(tmp_path / "train.zarr", blobs(64, rng))
    validation = write_store(tmp_path / "val.zarr", blobs(8, rng))
    sizes = {"patch_size": 4, "embed_dim": 16, "depth": 1, "num_heads": 2, "epochs": 3}
    decoder = {"decoder_embed_dim": 8, "decoder_depth": 1, "decoder_num_heads": 2}
    mae = CONFIG.anomaly.mae.model_copy(update={**sizes, **decoder, "batch_size": 8})
    histories = {}
    for n in (None, 16):
        folder = tmp_path / str(n)
        folder.mkdir()
        names = ("weights.safetensors", "history.csv", "run.json")
        results = Results(*(str(folder / name) for name in names))
        where = setting(folder)
        train_mae(train, validation, results, mae=mae, symmetry="square", setting=where, n_train=n)
        histories[n] = pd.read_csv(results.history)
    assert histories[None]["step"].tolist() == histories[16]["step"].tolist() == [8, 16, 24]
    assert histories[None]["epoch"].tolist() == [1, 2, 3]
    assert histories[16]["epoch"].tolist() == [4, 8, 12]  # of its own 16 images


def test_every_setting_is_a_row_with_intervals_of_test_and_proxies(tmp_path: Path):
    rng = np.random.default_rng(0)
    rows = []
    for value, lead in ((0.25, 3.0), (0.75, 0.0)):
        row = {"domain": "toy", "factor": "mask_ratio", "setting": value, "score": "mse"}
        files = {"path": ("cdm", lead), "proxies": ("proxy", lead / 2)}
        for key, (name, shift) in files.items():
            table = pd.DataFrame({"system_id": np.tile(np.arange(40), 2)})
            table["label"] = np.repeat(["no_sub", name], 40)
            table["score"] = rng.normal(size=80) + shift * (table["label"] == name)
            row[key] = str(tmp_path / f"{value}_{key}.csv")
            table.to_csv(row[key], index=False)
        rows.append({**row, "seed": 0})
    outputs = [str(tmp_path / f"sweep.{ending}") for ending in ("csv", "md", "tex")]
    spec = Evaluation.model_validate(
        {**CONFIG.evaluation.model_dump(), "n_bootstrap": 200, "false_positive_rates": [0.5]}
    )
    tabulate_anomaly("sweep", rows, outputs, spec, seed=0)
    table = pd.read_csv(outputs[0])
    auc = table.set_index(["setting", "metric"])
    assert auc.loc[(0.25, "roc_auc_any"), "value"] > 0.9
    assert 0.75 < auc.loc[(0.25, "roc_auc_proxy"), "value"] < 0.95
    for metric in ("roc_auc_any", "roc_auc_proxy"):
        row = auc.loc[(0.75, metric)]
        assert row["ci_low"] < 0.5 < row["ci_high"]
    assert "| toy | mask_ratio | 0.25 | mse | 1 |" in Path(outputs[1]).read_text()
