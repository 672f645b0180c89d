"""Networks beside the bounds: cells, strengths and efficiencies."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.special import ndtr
from toy.configuration import CONFIG_DIR, load_files
from toy.stores import setting

from lensml.data.store import open_store
from lensml.evaluation.limit.networks import (
    efficiency,
    limit_row,
    measure_network_limit,
    pair_aucs,
    predict_grid,
    predict_grid_radial_profile,
    tabulate_network_limit,
)
from lensml.figures import Style, plot_efficiency
from lensml.models.encoders import build_classifier
from lensml.schema.limit import Grid
from lensml.schema.training import Evaluation
from lensml.simulate.grid import cell_stores, simulate_grid
from lensml.simulate.systems import draw_systems
from lensml.training.engine.checkpoint import save_weights

CLASSES = ["no_sub", "cdm", "vortex"]
GRID = Grid(f_sub=[0.01, 0.1], magnitudes=[21.0, 24.0], n_network_images=6)


@pytest.fixture(scope="module")
def config():
    return load_files(*(CONFIG_DIR / f"{name}.yaml" for name in ("config", "smoke", "realistic")))


@pytest.fixture(scope="module")
def spec(config) -> Evaluation:
    return config.evaluation


@pytest.fixture(scope="module")
def folder(config, tmp_path_factory) -> str:
    folder = tmp_path_factory.mktemp("grid")
    simulate_grid(
        str(folder),
        domain=config.domain("euclid_realistic"),
        classes=CLASSES,
        grid=GRID,
        seed=1,
        engine="numba",
        precision="float32",
    )
    return str(folder)


def test_a_cell_has_the_test_lenses_with_its_mass_fraction_and_magnitude(config, folder):
    domain = config.domain("euclid_realistic")
    own = draw_systems(domain, "cdm", seed=1, split="test", start=0, stop=6).truth
    for cell, f_sub, magnitude in GRID.cells:
        for store in cell_stores(folder, cell, CLASSES):
            opened = open_store(store)
            truth = opened.truth
            assert opened.attributes["config"]["domain"]["population"]["cdm"]["f_sub"] == f_sub
            np.testing.assert_allclose(truth["source_magnitude"][:], magnitude)
            np.testing.assert_array_equal(truth["system_id"][:], own["system_id"])
            np.testing.assert_allclose(truth["theta_E"][:], own["theta_E"])


def test_more_substructure_changes_an_image_more(folder):
    def change(cell: str) -> float:
        stores = cell_stores(folder, cell, CLASSES)
        every = np.arange(GRID.n_network_images)
        smooth, cdm, _ = (open_store(store).image[every] for store in stores)
        return float(np.abs(cdm - smooth).sum())

    low, high = GRID.cells[0][0], GRID.cells[2][0]
    assert change(high) > change(low)


def test_networks_and_baseline_are_judged_in_every_cell(config, folder, spec, tmp_path):
    encoder = config.encoders["cnn"]
    weights, grid = str(tmp_path / "w.safetensors"), str(tmp_path / "grid.csv")
    network = build_classifier(encoder, img_size=64, num_classes=3, seed=0)
    save_weights(weights, network.state_dict(), {})
    given = {"classes": CLASSES, "grid": GRID, "setting": setting(tmp_path)}
    predict_grid(folder, weights, grid, encoder=encoder, symmetry="square", **given)
    train = cell_stores(folder, GRID.cells[2][0], CLASSES)
    baseline = str(tmp_path / "baseline.csv")
    predict_grid_radial_profile(train, folder, baseline, **given)
    table = pd.read_csv(grid)
    assert len(table) == len(GRID.cells) * 3 * GRID.n_network_images
    np.testing.assert_allclose(table[[f"p_{c}" for c in CLASSES]].sum(axis=1), 1, rtol=1e-6)

    reached = {"auc_pooled": 0.9, "auc_bank": 0.8}
    bounds = [
        {"reference": a, "label": b, "f_sub": f, "magnitude": m, **reached}
        for a, b in (("no_sub", "cdm"), ("no_sub", "vortex"), ("cdm", "vortex"))
        for f, m in [(None, None), *((f, m) for _, f, m in GRID.cells)]
    ]
    limit = tmp_path / "limit.csv"
    pd.DataFrame(bounds).to_csv(limit, index=False)
    test = tmp_path / "test.csv"
    table.loc[table["f_sub"] == 0.1].drop(columns=["f_sub", "magnitude"]).to_csv(test, index=False)
    runs = [
        {"model": name, "seed": seed, "test": str(test), "grid": path}
        for name, seed, path in (
            ("cnn", 0, grid),
            ("cnn", 1, grid),
            ("radial_profile", 0, baseline),
        )
    ]
    measured = str(tmp_path / "measured.csv")
    measure_network_limit(runs, str(limit), measured, spec, domain="euclid_realistic", seed=0)
    found = pd.read_csv(measured)
    rows = 4 * 3  # two seeds, both together, and the baseline; three pairs of classes
    assert len(found) == rows * (len(GRID.cells) + 1)
    assert np.count_nonzero(found["f_sub"].isna()) == rows
    assert np.count_nonzero(found["n"] == 12) == rows * len(GRID.cells)
    seeds = found.loc[found["model"] == "cnn"].groupby("seed")["roc_auc"].mean()
    assert seeds["all"] == pytest.approx(seeds["0"])  # the same predictions twice
    outputs = [str(tmp_path / f"t.{ending}") for ending in ("csv", "md", "tex")]
    tabulate_network_limit([measured], outputs, confidence=0.95)
    assert "| prior | prior | radial_profile |" in Path(outputs[1]).read_text()
    figure = tmp_path / "figure.png"
    style = Style(dpi=50, font_size=8, width=6, color_map="magma")
    plot_efficiency(measured, title="Toy", style=style, output=[figure])
    assert figure.stat().st_size > 5000


def test_the_efficiency_of_gaussian_scores_is_the_ratio_of_their_distances(spec):
    """Scores half as far apart as the oracle's have an efficiency of one half."""
    n, oracle = 6000, 2.0
    rng = np.random.default_rng(0)
    score = np.concatenate([rng.normal(0, 1, n), rng.normal(oracle / 2, 1, n)])
    p = 1 / (1 + np.exp(-score))
    cell = pd.DataFrame(
        {
            "system_id": np.tile(np.arange(n), 2),
            "label": ["no_sub"] * n + ["cdm"] * n,
            "p_no_sub": 1 - p,
            "p_cdm": p,
            "f_sub": np.nan,
            "magnitude": np.nan,
        }
    )
    bounds = pd.DataFrame(
        {
            "reference": ["no_sub"],
            "label": ["cdm"],
            "f_sub": [np.nan],
            "magnitude": [np.nan],
            "auc_pooled": [ndtr(oracle / np.sqrt(2))],
            "auc_bank": [0.8],
        }
    )
    ((bound, measured),) = pair_aucs(cell, bounds, spec, seed=0)
    row = limit_row(bound, measured)
    # The standard error of the efficiency is about sqrt(2 / n) / oracle = 0.01.
    assert row["efficiency"] == pytest.approx(0.5, abs=0.03)
    assert row["efficiency_low"] < row["efficiency"] < row["efficiency_high"]


def test_efficiency_at_its_ends():
    assert efficiency(0.4, 0.9) == 0
    assert efficiency(0.9, 0.9) == 1
    assert np.isnan(efficiency(0.9, 1.0))
    assert np.isnan(efficiency(1.0, 0.9))
    assert np.isnan(efficiency(0.9, 0.5))
