"""Metrics, intervals and figures of the regression."""

from __future__ import annotations

from pathlib import Path
from statistics import NormalDist
from typing import Any

import numpy as np
import pandas as pd
import pytest

from lensml.evaluation.regression import metrics
from lensml.evaluation.regression.table import tabulate_regression
from lensml.figures.regression import coverage, running_quantiles
from lensml.schema import training as schema

EVALUATION = schema.Evaluation(
    n_bootstrap=200,
    confidence=0.95,
    false_positive_rates=[0.1],
    calibration_bins=5,
    n_embedded=10,
)

pytestmark = pytest.mark.usefixtures("one_torch_thread")


def write_gaussian(path: Path, *, n: int, std: float, claimed: float, bias: float = 0.0) -> str:
    """Predictions whose truth strays by ``std`` where ``claimed`` is predicted."""
    rng = np.random.default_rng(1)
    mean = rng.normal(0, 1, n)
    truth = mean - bias + std * rng.normal(size=n)
    columns = {
        "truth": truth,
        "mean": mean,
        "std_raw": np.full(n, claimed),
        "std": np.full(n, std),
    }
    table = pd.DataFrame({"system_id": np.arange(n), "index": np.arange(n), **columns})
    table.to_csv(path, index=False)
    return str(path)


def measured(path: str) -> dict[str, Any]:
    return {m.metric: m for m in metrics.regression_metrics(path, EVALUATION, seed=0)}


def test_metrics_of_a_known_gaussian(tmp_path):
    path = write_gaussian(tmp_path / "p.csv", n=20000, std=0.5, claimed=0.25, bias=0.1)
    found = {name: m.value for name, m in measured(path).items()}
    assert found["bias"] == pytest.approx(0.1, abs=0.01)
    assert found["rmse"] == pytest.approx(np.hypot(0.5, 0.1), rel=0.02)
    assert found["r2"] == pytest.approx(1 - (0.25 + 0.01) / 1.25, abs=0.01)
    assert found["pull_std"] == pytest.approx(1, abs=0.02)
    assert found["pull_std_raw"] == pytest.approx(2, abs=0.03)
    unit = NormalDist(0.2)  # pull, whose mean is the bias over the deviation
    half = {"68": NormalDist().inv_cdf(0.84), "95": NormalDist().inv_cdf(0.975)}
    raw = NormalDist(0.4, 2)
    for level, z in half.items():
        assert found[f"coverage_{level}"] == pytest.approx(unit.cdf(z) - unit.cdf(-z), abs=0.01)
        expected = raw.cdf(z) - raw.cdf(-z)
        assert found[f"coverage_{level}_raw"] == pytest.approx(expected, abs=0.01)
    entropy = 0.5 * np.log(2 * np.pi) + np.log(0.5) + 0.5 * (1 + 0.04)
    assert found["nll"] == pytest.approx(entropy, abs=0.02)


def test_every_metric_lies_in_its_interval_which_covers_the_truth(tmp_path):
    found = measured(write_gaussian(tmp_path / "p.csv", n=400, std=0.5, claimed=0.5))
    for m in found.values():
        assert m.ci_low <= m.value <= m.ci_high
        assert m.ci_low < m.ci_high
        assert m.n == 400
    assert found["coverage_68"].ci_low < 0.68 < found["coverage_68"].ci_high
    assert found["rmse"].ci_low < 0.5 < found["rmse"].ci_high


def test_the_figures_coverage_is_that_of_the_table(tmp_path):
    path = write_gaussian(tmp_path / "p.csv", n=1000, std=0.5, claimed=0.3)
    table, found = pd.read_csv(path), measured(path)
    for column, suffix in (("std", ""), ("std_raw", "_raw")):
        nominal, share = coverage(table, column)
        for level in (68, 95):
            expected = found[f"coverage_{level}{suffix}"].value
            assert np.interp(level / 100, nominal, share) == pytest.approx(expected, abs=2e-3)


def test_running_quantiles_follow_the_predictions():
    truth = np.random.default_rng(0).permutation(8000) / 8000
    spread = np.random.default_rng(1).normal(0, 0.1, 8000)
    centre, (low, middle, high) = running_quantiles(truth, 2 * truth + spread)
    assert len(centre) == 8
    np.testing.assert_allclose(middle, 2 * centre, atol=0.02)
    assert np.all((low < middle - 0.05) & (high > middle + 0.05))


def test_the_table_names_targets_and_models(tmp_path):
    paths = {
        "prior": write_gaussian(tmp_path / "a.csv", n=60, std=1.0, claimed=1.0),
        "vit": write_gaussian(tmp_path / "b.csv", n=60, std=0.3, claimed=0.4),
    }
    common = {"domain": "euclid", "substructure": "cdm", "target": "log10_mass_fraction"}
    runs = [{**common, "model": m, "seed": 0, "path": p} for m, p in paths.items()]
    outputs = [str(tmp_path / f"regression.{e}") for e in ("csv", "md", "tex")]
    tabulate_regression(runs, outputs, EVALUATION, seed=0)
    table = pd.read_csv(outputs[0])
    assert set(table["model"]) == {"prior", "vit"}
    assert {"rmse", "nll", "nll_raw", "coverage_68_raw", "pull_std"} <= set(table["metric"])
    text = Path(outputs[1]).read_text()
    assert "| euclid | cdm | log10_mass_fraction | vit | 1 |" in text
    assert "in dex" in text


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [("std", None, "needs rows and the columns"), ("std", 0.0, "must be positive")],
)
def test_predictions_that_are_none_are_refused(tmp_path, column, value, message):
    path = write_gaussian(tmp_path / "p.csv", n=5, std=1.0, claimed=1.0)
    table = pd.read_csv(path)
    table = table.drop(columns=column) if value is None else table.assign(**{column: value})
    table.to_csv(path, index=False)
    with pytest.raises(ValueError, match=message):
        metrics.read_regression(path)
