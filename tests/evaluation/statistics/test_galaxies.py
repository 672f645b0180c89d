"""Images whose sources are observed galaxies: what they have in common stands in every file."""

from __future__ import annotations

import numpy as np
import pandas as pd
from toy.stores import noise, setting, write_store

from lensml.evaluation.attribution.truth import render_truth, score_rows
from lensml.evaluation.statistics.predictions import (
    independent,
    read_independent,
    write_predictions,
    write_regression,
    write_scores,
)
from lensml.schema.encoders import NetworkInput
from lensml.simulate.galaxy_sources import galaxies_of_split

CLASSES = ["no_sub", "cdm"]
NETWORK_INPUT = NetworkInput(stretch="asinh", noise_units=5.0, scale=2.0, center_crop=None)


def images(folder, truth, **options):
    stores = [
        write_store(folder / c / "test.zarr", noise(6, np.random.default_rng(0)), truth=truth)
        for c in CLASSES
    ]
    return setting(folder).arrays(stores, **options)


def test_predictions_scores_and_regressions_name_the_galaxy(tmp_path):
    galaxy = np.array([3, 3, 5, 7, 5, 3])
    some = images(tmp_path, {"source_galaxy": galaxy, "theta_E_total": np.ones(6)})
    paths = {name: str(tmp_path / f"{name}.csv") for name in ("predictions", "scores", "r")}
    write_predictions(paths["predictions"], np.full((12, 2), 0.5), some, CLASSES)
    write_scores(paths["scores"], np.zeros(12), some, CLASSES)
    given = dict.fromkeys(("truth", "mean", "std_raw", "std"), np.ones(12))
    write_regression(paths["r"], some, **given)
    for path in paths.values():
        np.testing.assert_array_equal(read_independent(path), np.tile(galaxy, 2))
        assert pd.read_csv(path)["system_id"].tolist() == [*range(6)] * 2


def test_sources_that_are_drawn_anew_have_nothing_in_common(tmp_path):
    for k, truth in enumerate(({}, {"source_galaxy": np.full(6, -1)})):
        some = images(tmp_path / str(k), truth)
        assert some.group is None
        path = str(tmp_path / f"{k}.csv")
        write_predictions(path, np.full((12, 2), 0.5), some, CLASSES)
        assert "group" not in pd.read_csv(path)
        np.testing.assert_array_equal(read_independent(path), np.tile(np.arange(6), 2))


def test_maps_of_model_iv_name_the_galaxy(domain, simulate_store, tmp_path):
    camera = domain("model_iv", num_pix=16, supersampling_factor=1, refinement_factor=1)
    stores = [str(simulate_store(tmp_path, camera, c, "test", n_images=5)) for c in CLASSES]
    truth, baselines = str(tmp_path / "truth.npz"), str(tmp_path / "baselines.csv")
    spec = {"classes": CLASSES, "n_images": 5, "network_input": NETWORK_INPUT}
    render_truth(stores, truth, baselines, **spec)
    group = independent(pd.read_csv(baselines))
    assert set(group) <= set(galaxies_of_split("cosmos_acs_f814w", "test").tolist())
    with np.load(truth) as stored:
        known = {name: stored[name] for name in stored.files}
    again = score_rows({"map": known["kappa"]}, known)
    np.testing.assert_array_equal(independent(again), known["group"])


def test_few_galaxies_are_behind_the_test_images_of_model_iv():
    assert len(galaxies_of_split("cosmos_acs_f814w", "test")) == 15
