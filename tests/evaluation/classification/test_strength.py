"""Areas by the strength of the substructure."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from toy.stores import noise, write_store
from toy.tables import CLASSES, area_by_pairs, predictions

from lensml.evaluation.classification.strength import N_BINS, tabulate_strength
from lensml.schema.training import Evaluation

EVALUATION = Evaluation(
    n_bootstrap=200,
    confidence=0.9,
    false_positive_rates=[0.1, 0.5],
    calibration_bins=5,
    n_embedded=20,
)

pytestmark = pytest.mark.usefixtures("one_torch_thread")


def strength_store(folder: Path, name: str, n: int, **truth: np.ndarray) -> str:
    images = noise(n, np.random.default_rng(0))
    columns = {"system_id": 500 + np.arange(n), **truth}
    return write_store(folder / name / "test.zarr", images, truth=columns, substructure=name)


def test_areas_are_binned_by_the_strength_of_the_substructure(tmp_path):
    rng, n = np.random.default_rng(0), 50
    mass, axion = 10 ** rng.uniform(7, 10, n), rng.uniform(-24, -22, n)
    mass[:10] = 0  # lenses whose count of perturbers was drawn as zero
    stores = {
        "no_sub": strength_store(tmp_path, "no_sub", n),
        "cdm": strength_store(tmp_path, "cdm", n, m_sub_total=mass),
        "vortex": strength_store(tmp_path, "vortex", n, log10_axion_mass=axion),
    }
    path = predictions(tmp_path / "p.csv", n=n)
    table = pd.read_csv(path)
    table["system_id"] = np.tile(500 + np.arange(n), 3)
    table.to_csv(path, index=False)
    output = str(tmp_path / "strength.csv")
    run = {"domain": "euclid", "model": "vit", "seed": 0, "path": path}
    tabulate_strength([run], stores, output, EVALUATION, seed=0)  # type: ignore[list-item]
    found = pd.read_csv(output)
    assert found.groupby("label").size().to_dict() == {"cdm": N_BINS, "vortex": N_BINS}
    assert set(found["domain"]) == {"euclid"}
    p = table[[f"p_{c}" for c in CLASSES]].to_numpy()
    for k, label, strength in ((1, "cdm", np.log10(mass[10:])), (2, "vortex", axion)):
        first = n - len(strength)  # the first image of the class that has a strength
        ordered = np.sort(strength)
        rows = found[found["label"] == label].reset_index()
        assert rows["bin_low"].iloc[0] == pytest.approx(ordered[0], abs=1e-6)
        assert rows["bin_high"].iloc[-1] == pytest.approx(ordered[-1], abs=1e-6)
        assert rows["bin_high"][:-1].tolist() == rows["bin_low"][1:].tolist()
        assert rows["n"].tolist() == [len(strength) // N_BINS] * N_BINS
        order = np.argsort(strength) + first
        for b, members in enumerate(np.split(order, N_BINS)):
            chosen = np.concatenate([np.arange(n), k * n + members])
            score = p[chosen, k] / (p[chosen, k] + p[chosen, 0])
            area = area_by_pairs(score, chosen >= n)
            area_found, low, high = rows.loc[b, ["roc_auc", "ci_low", "ci_high"]].tolist()
            assert area_found == pytest.approx(area, abs=1e-6)
            assert low < area < high
    assert set(found["quantity"]) == {"log10_m_sub_total", "log10_axion_mass"}


def test_areas_of_anomaly_scores_are_binned_alike(tmp_path):
    rng, n = np.random.default_rng(0), 50
    mass = 10 ** rng.uniform(7, 10, n)
    stores = {
        "no_sub": strength_store(tmp_path, "no_sub", n),
        "cdm": strength_store(tmp_path, "cdm", n, m_sub_total=mass),
    }
    score = np.concatenate([rng.normal(size=n), rng.normal(size=n) + np.log10(mass) - 8])
    table = pd.DataFrame({"system_id": np.tile(500 + np.arange(n), 2), "score": score})
    table["label"] = np.repeat(["no_sub", "cdm"], n)
    table.to_csv(tmp_path / "scores.csv", index=False)
    run = {"domain": "euclid", "model": "mae", "seed": 0, "path": str(tmp_path / "scores.csv")}
    output = str(tmp_path / "strength.csv")
    tabulate_strength([run], stores, output, EVALUATION, seed=0)  # type: ignore[list-item]
    found = pd.read_csv(output)
    for b, members in enumerate(np.split(np.argsort(mass), N_BINS)):
        chosen = np.concatenate([np.arange(n), n + members])
        area = area_by_pairs(score[chosen], chosen >= n)
        assert found["roc_auc"].iloc[b] == pytest.approx(area, abs=1e-6)
    assert found["roc_auc"].iloc[-1] > found["roc_auc"].iloc[0]
