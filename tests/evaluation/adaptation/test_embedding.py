"""Embeddings before and after adaptation."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from safetensors.torch import load_file
from toy.stores import blobs, noise, setting, write_store
from toy.tables import CLASSES

from lensml.evaluation.adaptation.embedding import embed_domains
from lensml.models.encoders import build_classifier
from lensml.schema.encoders import Cnn
from lensml.training.engine.checkpoint import save_weights

CNN = Cnn(kind="cnn", widths=[4, 8])

pytestmark = pytest.mark.usefixtures("one_torch_thread")


def test_embeddings_are_mapped_before_and_after_adaptation(tmp_path):
    rng = np.random.default_rng(0)
    stores, weights = {}, {}
    for k, role in enumerate(("source", "target")):
        images = {"no_sub": noise(12, rng), "cdm": blobs(12, rng)}
        stores[role] = [
            write_store(tmp_path / role / name / "test.zarr", x) for name, x in images.items()
        ]
        weights[role] = str(tmp_path / f"{role}.safetensors")
        network = build_classifier(CNN, img_size=16, num_classes=2, seed=k)
        save_weights(weights[role], network.state_dict(), {})
    assert load_file(weights["source"]).keys() == load_file(weights["target"]).keys()

    def table(name: str, target: str) -> pd.DataFrame:
        output = str(tmp_path / name)
        embed_domains(
            stores,
            {"source": weights["source"], "target": target},
            output,
            domains=("euclid", "hst"),
            classes=CLASSES[:2],
            encoder=CNN,
            n_embedded=20,
            setting=setting(tmp_path),
        )
        return pd.read_csv(output)

    found = table("embedding.csv", weights["target"])
    counts = found.groupby(["stage", "role", "domain", "label"]).size()
    assert len(counts) == 8
    assert set(counts) == {10}
    assert (counts.index.get_level_values("role") == "source").tolist() == (
        counts.index.get_level_values("domain") == "euclid"
    ).tolist()
    before, after = (found.loc[found["stage"] == s, ["x", "y"]] for s in ("before", "after"))
    assert np.isfinite(found[["x", "y"]].to_numpy()).all()
    assert not np.allclose(before, after)
    same = table("same.csv", weights["source"])  # nothing was adapted: the two maps are one
    maps = [same.loc[same["stage"] == s, ["x", "y"]].to_numpy() for s in ("before", "after")]
    np.testing.assert_array_equal(maps[0], maps[1])
