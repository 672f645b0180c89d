"""The benchmark of fits: one judge, the same lenses, and rows that say what was reached."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pandas as pd
import pytest
from toy.fits import fit_spec, simulated

from lensml.evaluation.speed.fit_rivals import Lens, fit_by_lenstronomy, fit_by_scipy
from lensml.evaluation.speed.fits import (
    COLUMNS,
    FILTER,
    FIT,
    LENSTRONOMY,
    SCIPY,
    Timed,
    benchmark_fits,
    summary,
)
from lensml.fit.parameters import NAMES, free_parameters, parameters_of
from lensml.schema.speed import FitSpeed

SPEC = FitSpeed(
    domains=["euclid"],
    n_lenses=2,
    n_lenses_lenstronomy=1,
    repeats=1,
    tolerance=5.0,
    n_particles=4,
    n_iterations=2,
    max_seconds=1e-3,
)


@pytest.fixture(scope="module")
def camera(domain):
    return domain("euclid", num_pix=32, supersampling_factor=1, refinement_factor=1)


@pytest.fixture(scope="module")
def lens(camera):
    """A lens, and its truth as the start."""
    systems, images = simulated(camera, "no_sub", 1)
    x = parameters_of(systems.truth)[0]
    noise = np.full((32, 32), images.background_rms[0])
    spread = np.full(len(NAMES), 0.02)
    free = free_parameters(camera, "none")
    return Lens.of(camera, images.image[0], noise, free=free, start=x, spread=spread)


def beside(lens, by=0.03):
    x = lens.start.copy()
    x[lens.free] += by * np.where(np.arange(len(lens.free)) % 2, 1, -1)
    return Lens(**{**vars(lens), "start": x})


def test_the_judge_knows_the_truth_and_no_brightness(lens):
    truth = lens.chi2(lens.start)
    assert truth < beside(lens).chi2(beside(lens).start) - 50
    brighter = lens.start.copy()
    brighter[NAMES.index("ln_flux")] += 0.3
    assert lens.chi2(brighter) == pytest.approx(truth, rel=1e-6)


def test_scipy_comes_down_from_beside_the_truth(lens):
    x = fit_by_scipy(beside(lens), 0.05)
    assert lens.chi2(x) <= lens.chi2(lens.start)
    fixed = np.setdiff1d(np.arange(len(NAMES)), lens.free)
    np.testing.assert_array_equal(x[fixed], lens.start[fixed])


@pytest.mark.parametrize("sampler", LENSTRONOMY.values())
def test_lenstronomy_goes_on_until_the_goal(lens, sampler):
    start = beside(lens)
    spec = SPEC.model_copy(update={"n_particles": 20, "n_iterations": 10, "max_seconds": 60.0})
    first = start.chi2(start.start)
    goal = (first + lens.chi2(lens.start)) / 2
    x, seconds = fit_by_lenstronomy(start, sampler, spec, goal, seed=1)
    assert start.chi2(x) <= goal
    assert 0 < seconds <= 60
    hurried = spec.model_copy(update={"n_particles": 2, "n_iterations": 1, "max_seconds": 1e-3})
    x, seconds = fit_by_lenstronomy(start, sampler, hurried, 0.0, seed=1)
    assert seconds > 1e-3  # given up after a round
    assert start.chi2(x) > 0


def test_lenstronomys_seed_is_its_own(lens):
    np.random.seed(3)  # noqa: NPY002
    expected = np.random.random()  # noqa: NPY002
    np.random.seed(3)  # noqa: NPY002
    found = [fit_by_lenstronomy(beside(lens), "PSO", SPEC, 0.0, seed=1)[0] for _ in range(2)]
    np.testing.assert_array_equal(found[0], found[1])
    assert np.random.random() == expected  # noqa: NPY002


def test_a_summary_compares_the_same_lenses(default_config):
    table = [
        {FIT: Timed(0.01, 1000.0), SCIPY: Timed(0.5, 1001.0)},
        {FIT: Timed(0.02, 1010.0), SCIPY: Timed(1.0, 1020.0)},
        {FIT: Timed(0.9, 1010.0)},
    ]
    row = summary(table, SCIPY, 1000, SPEC, default_config.evaluation, seed=0)
    assert (row["n_lenses"], row["n_reached"]) == (2, 1)
    assert row["ratio"] == pytest.approx(50)
    assert row["seconds"] == pytest.approx(0.75)
    assert (row["ci_low"], row["ci_high"]) == (0.5, 1.0)
    assert row["excess_chi2"] == pytest.approx(5.5)
    assert row["chi2"] == pytest.approx(1.0105)


@pytest.fixture(scope="module")
def written(camera, default_config, tmp_path_factory):
    """Table and record of a tiny run."""
    folder = tmp_path_factory.mktemp("fits")
    tables = [str(folder / f"fit_speed.{ending}") for ending in ("csv", "md", "tex")]
    spec = fit_spec(n_reference=50)
    evaluation = default_config.evaluation
    benchmark_fits(
        [camera], spec, SPEC, tables, str(folder / "run.json"), evaluation=evaluation, seed=3
    )
    return folder


def test_the_table_has_a_row_per_method(written):
    table: Any = pd.read_csv(written / "fit_speed.csv")
    assert tuple(table.columns) == COLUMNS
    assert list(table["method"]) == [FIT, FILTER, SCIPY, *LENSTRONOMY]
    assert list(table["n_lenses"]) == [2, 2, 2, 1, 1]
    assert (table["seconds"] > 0).all()
    assert (table["ci_low"] <= table["seconds"]).all()
    rows = table.set_index("method")
    assert rows.loc[FIT, "ratio"] == 1
    assert rows.loc[FIT, "n_reached"] == 2
    assert rows.loc["lenstronomy PSO", "n_reached"] == 0  # in a millisecond


def test_what_was_given_up_is_a_bound(written):
    lines = (written / "fit_speed.md").read_text().splitlines()
    assert sum("| > " in line for line in lines) == len(LENSTRONOMY)
    assert sum("| < " in line for line in lines) == len(LENSTRONOMY)  # lenses per second
    assert "4 particles" in (written / "fit_speed.tex").read_text()
    record = json.loads((written / "run.json").read_text())
    assert record["config"]["fit"]["multipoles"] == "none"
    assert record["units"]["seconds"] == "CPU s per lens"
