"""The fit of a smooth lens and source to every image."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from toy.configuration import DEFAULT, load_files
from toy.stores import setting

from lensml.data.store import open_store
from lensml.evaluation.anomaly import macro_fit
from lensml.evaluation.anomaly.macro_fit import (
    FREE,
    TRUTH_COLUMNS,
    SmoothModel,
    _Problem,
    collect_fits,
    fit_image,
    fit_store,
    noise_map,
)
from lensml.evaluation.statistics.predictions import Scored
from lensml.schema import ConfigError
from lensml.schema.anomaly import MacroFit
from lensml.schema.simulation import Domain
from lensml.simulate.render import render
from lensml.simulate.stored import rendered_again
from lensml.simulate.systems import Systems, draw_systems

CLASSES = ["no_sub", "cdm"]
SPEC = MacroFit(enabled=True, n_images=3, n_reference=40, n_starts=2, max_evaluations=30)


@pytest.fixture(scope="module")
def euclid(domain: Callable[..., Domain]) -> Domain:
    return domain("euclid")


@pytest.fixture(scope="module")
def model(euclid: Domain) -> SmoothModel:
    return SmoothModel.of(euclid)


@pytest.fixture(scope="module")
def lenses(euclid: Domain) -> Systems:
    return draw_systems(euclid, "no_sub", seed=1, split="test", start=0, stop=4)


@pytest.fixture(scope="module")
def stores(
    tmp_path_factory: pytest.TempPathFactory,
    euclid: Domain,
    simulate_store: Callable[..., Path],
) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("stores")
    found = {c: str(simulate_store(folder, euclid, c, "test", n_images=4)) for c in CLASSES}
    train = simulate_store(folder, euclid, "no_sub", "train", n_images=40)
    return {**found, "train": str(train)}


def noisy(image: np.ndarray, systems: Systems, i: int, rng: np.random.Generator) -> Any:
    rms, time = (systems.truth[k][i] for k in ("background_rms", "exposure_time"))
    variance = rms**2 + np.maximum(image, 0) / time
    seen = image + rng.normal(0, np.sqrt(variance))
    return seen, rms**2 + np.maximum(seen, 0) / time


def test_the_model_renders_what_the_simulator_does(model, lenses, euclid):
    parameters = model.parameters(lenses.truth)
    expected = render(lenses, euclid, engine="numba", precision="float64").reshape(4, -1)
    np.testing.assert_allclose(model.images(parameters), expected, rtol=1e-9, atol=1e-12)


def test_an_isothermal_population_is_fitted_by_isothermal_lenses(domain):
    assert set(FREE) - set(SmoothModel.of(domain("euclid")).names) == {"gamma"}
    assert SmoothModel.of(domain("euclid_realistic")).names == tuple(FREE)


def test_a_fit_from_beside_the_truth_comes_back_to_it(model, lenses):
    rng = np.random.default_rng(0)
    truth = model.parameters(lenses.truth)
    clean = model.images(truth)
    scale = np.array([0.05 if n == "theta_E" else 0.03 for n in model.names])
    for i in range(4):
        image, variance = noisy(clean[i], lenses, i, rng)
        fit = fit_image(image, variance, truth[[i]] + scale * rng.choice([-1, 1], 14), model, 50)
        freedom = image.size - len(model.names)
        # The noise is estimated from noisy pixels, which are a percent off where photons are few.
        assert fit.chi2 == pytest.approx(1, abs=4 * np.sqrt(2 / freedom) + 0.02)
        theta_E = fit.x[model.names.index("theta_E")]
        assert theta_E == pytest.approx(lenses.truth["theta_E"][i], abs=0.01)


def test_derivatives_are_those_of_central_differences(model, lenses):
    x = model.parameters(lenses.truth)[0]
    problem = _Problem(np.zeros(64 * 64), np.ones(64 * 64), model)
    problem.residual(x)
    found = problem.derivatives(x)
    for k, name in enumerate(model.names):
        step = FREE[name][2] * np.eye(len(x))[k]
        central = (model.images((x + step)[None]) - model.images((x - step)[None]))[0]
        central /= 2 * FREE[name][2]
        error = np.linalg.norm(found[:, k] - central) / np.linalg.norm(central)
        assert error < 0.1, name


def test_a_massive_subhalo_leaves_more_than_noise(model, lenses, euclid):
    theta_E = lenses.truth["theta_E"][0]
    halo = {"center_x": [theta_E], "center_y": [0.0], "theta_E": [0.15]}
    one = Systems(
        "POINT_MASS",
        {k: v[:1] for k, v in lenses.truth.items()},
        np.array([0, 1]),
        {k: np.array(v) for k, v in halo.items()},
    )
    start = model.parameters(one.truth)
    chi2 = {}
    for name, systems in {"with": one, "without": replace(one, offset=np.array([0, 0]))}.items():
        clean = render(systems, euclid, engine="numba", precision="float64").ravel()
        image, variance = noisy(clean, one, 0, np.random.default_rng(3))
        chi2[name] = fit_image(image, variance, start, model, 50).chi2
    assert chi2["without"] < 1.1
    assert chi2["with"] > chi2["without"] + 8 * np.sqrt(2 / 4096)


def test_the_light_that_is_left_of_a_lens_is_no_anomaly(domain):
    realistic = domain("euclid_realistic", refinement_factor=1)
    model = SmoothModel.of(realistic)
    lens = draw_systems(realistic, "no_sub", seed=1, split="test", start=0, stop=1)
    x = model.parameters(lens.truth)
    arcs = model.images(x)[0]
    rms = np.full(arcs.size, float(lens.truth["background_rms"][0]))
    rng = np.random.default_rng(0)
    left = 20 * rms[0] / model.light[1].max() * model.light[1]
    image = arcs + left + rng.normal(0, rms)
    assert fit_image(image, rms**2, x, model, 20).chi2 < 1.1
    without = SmoothModel(realistic, model.names)
    assert fit_image(image, rms**2, x, without, 20).chi2 > 1.1


def test_the_noise_map_is_that_of_the_camera(stores):
    store = open_store(stores["no_sub"])
    clean, expected = rendered_again(store, 4)
    found = noise_map(store, clean)
    np.testing.assert_allclose(found, expected.reshape(4, -1), rtol=1e-5)


@pytest.mark.slow  # compiles the kernel of halos
def test_the_noise_map_knows_the_photons_of_subtracted_light(domain, simulate_store, tmp_path):
    path = simulate_store(tmp_path, domain("euclid_realistic"), "no_sub", "test", n_images=2)
    store = open_store(path)
    clean, expected = rendered_again(store, 2)
    # Where too much light was subtracted the image falls below zero, as its photons cannot.
    np.testing.assert_allclose(noise_map(store, clean), expected.reshape(2, -1), rtol=0.01)


def fitted(stores: dict[str, str], name: str, folder: Path) -> pd.DataFrame:
    output = folder / f"{name}.csv"
    fit_store(stores[name], stores["train"], str(output), SPEC, setting(folder))
    return pd.read_csv(output)


def test_fits_know_nothing_of_the_lens_that_they_fit(stores, tmp_path, monkeypatch):
    first = fitted(stores, "no_sub", tmp_path)
    assert len(first) == SPEC.n_images

    def blind(path: str) -> Any:
        store = open_store(path)
        if path == stores["no_sub"]:
            for name in (*TRUTH_COLUMNS, "f_sub", "m_sub_total"):
                store.truth[name] = np.full_like(store.truth[name], np.nan)
        return store

    monkeypatch.setattr(macro_fit, "open_store", blind)
    assert fitted(stores, "no_sub", tmp_path).equals(first)


def test_scores_are_those_of_the_fits(stores, tmp_path):
    parts = [[str(tmp_path / f"{c}.csv") for c in CLASSES]]
    tables = [fitted(stores, c, tmp_path) for c in CLASSES]
    output = str(tmp_path / "chi2.csv")
    scored = [Scored([stores[c] for c in CLASSES], CLASSES, {"chi2": output}, limit=2)]
    collect_fits(parts, scored, setting(tmp_path))
    found = pd.read_csv(output)
    assert found["label"].tolist() == ["no_sub"] * 2 + ["cdm"] * 2
    expected = np.concatenate([table["score"][:2] for table in tables])
    np.testing.assert_allclose(found["score"], expected, rtol=1e-6)


@pytest.mark.parametrize(
    ("overlay", "line"),
    [
        (
            "domains: [model_iv, euclid, hst]\nanomaly: {domains: [model_iv],"
            " macro_fit: {enabled: true}}",
            "the sources of 'model_iv' are observed galaxies",
        ),
        ("anomaly: {macro_fit: {n_starts: 0}}", "anomaly.macro_fit.n_starts = 0"),
    ],
)
def test_what_cannot_be_fitted_is_one_line(tmp_path, overlay, line):
    (tmp_path / "overlay.yaml").write_text(overlay)
    with pytest.raises(ConfigError) as caught:
        load_files(DEFAULT, tmp_path / "overlay.yaml")
    assert any(line in found for found in caught.value.lines), caught.value.lines


def test_observed_galaxies_are_no_sersic_profile(domain):
    with pytest.raises(ValueError, match="observed galaxies cannot be fitted"):
        SmoothModel.of(domain("model_iv"))
