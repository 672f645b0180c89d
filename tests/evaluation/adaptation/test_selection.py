"""How criteria without labels are judged: by order and by what following them costs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import spearmanr
from toy.tables import outputs_in, predictions

from lensml.data.files import write_json
from lensml.evaluation.adaptation.criteria import CRITERIA
from lensml.evaluation.adaptation.selection import (
    AT_RANDOM,
    EVERY,
    FEWEST,
    read_runs,
    regret,
    spearman,
    tabulate_criteria,
)
from lensml.schema.training import Evaluation

EVALUATION = Evaluation(
    n_bootstrap=200,
    confidence=0.9,
    false_positive_rates=[0.1],
    calibration_bins=5,
    n_embedded=20,
)
SKILLS = (0.2, 0.6, 1.0, 1.5, 2.2, 3.0)


def runs_of(folder: Path, target: str, values: dict[str, list[float]], n: int = 80) -> list[dict]:
    """Runs of growing skill; a criterion that is not named is the same for all."""
    runs = []
    for k, skill in enumerate(SKILLS):
        file = folder / f"{target}_{k}.json"
        write_json(
            file,
            {
                "criteria": dict.fromkeys(CRITERIA, 0.0)
                | {name: of_runs[k] for name, of_runs in values.items()}
            },
        )
        path = predictions(folder / f"{target}_{k}.csv", skill=skill, n=n, seed=k)
        run = {"source_domain": "euclid", "target_domain": target, "path": path}
        runs.append({**run, "criterion_file": str(file)})
    return runs


def rows(table: pd.DataFrame, target: str, criterion: str) -> dict[str, dict]:
    own = table.loc[(table["target_domain"] == target) & (table["criterion"] == criterion)]
    return {row["metric"]: row for row in own.to_dict("records")}


@pytest.fixture(scope="module")
def table(tmp_path_factory) -> pd.DataFrame:
    folder = tmp_path_factory.mktemp("criteria")
    up, down = list(map(float, range(6))), list(map(float, range(6, 0, -1)))
    runs = runs_of(folder, "hst", {"im": up, "snd": down, "dev": [3, 0, 5, 1, 4, 2]})
    runs += runs_of(folder, "jwst", {"im": up, "snd": up, "dev": up})
    outputs = outputs_in(folder)
    tabulate_criteria(runs, outputs, EVALUATION, seed=0)
    header, _, first = Path(outputs[1]).read_text().splitlines()[:3]
    assert header.split(" | ")[3] == "runs"
    assert first.split(" | ")[3] == str(len(SKILLS))
    return pd.read_csv(outputs[0])


def test_a_criterion_that_orders_as_the_labels_do_has_one_and_loses_nothing(table):
    good = rows(table, "hst", "im")
    assert good["spearman"]["value"] == pytest.approx(1)
    assert good["accuracy_regret"]["value"] == 0
    assert good["spearman"]["ci_low"] > 0.7


def test_the_opposite_order_has_minus_one_and_loses_most(table):
    bad, chance = rows(table, "hst", "snd"), rows(table, "hst", AT_RANDOM)
    assert bad["spearman"]["value"] == pytest.approx(-1)
    assert bad["accuracy_regret"]["value"] > chance["accuracy_regret"]["value"] > 0.1
    assert "spearman" not in chance


def test_a_criterion_that_says_the_same_of_all_orders_none_and_loses_what_chance_does(table):
    same, chance = rows(table, "hst", "mmd"), rows(table, "hst", AT_RANDOM)
    assert np.isnan(same["spearman"]["value"])
    assert same["accuracy_regret"]["value"] == chance["accuracy_regret"]["value"]


def test_the_mean_over_pairs_stands_below(table):
    assert rows(table, EVERY, "im")["spearman"]["value"] == pytest.approx(1)
    assert rows(table, EVERY, "snd")["spearman"]["value"] == pytest.approx(0, abs=1e-12)
    assert rows(table, EVERY, "im")["spearman"]["n"] == 2 * len(SKILLS)


def test_ranks_agree_with_scipy_and_ties_for_the_first_place_are_averaged():
    rng = np.random.default_rng(0)
    a, b = rng.integers(0, 5, (2, 3, 9)).astype(float)
    expected = np.array([spearmanr(x, y)[0] for x, y in zip(a, b, strict=True)], float)
    np.testing.assert_allclose(spearman(a, b), expected)
    assert regret(np.array([1.0, 2.0, 2.0]), np.array([0.9, 0.5, 0.7])) == pytest.approx(0.3)


def test_few_runs_without_an_order_leave_it_open(table):
    order = rows(table, "hst", "dev")["spearman"]
    assert order["ci_low"] < 0 < order["ci_high"]
    assert order["ci_high"] - order["ci_low"] > 0.5


def test_other_images_and_too_few_runs_are_refused(tmp_path):
    runs = runs_of(tmp_path, "hst", {})
    with pytest.raises(ValueError, match=f"euclid to hst: 2 runs; .* at least {FEWEST}"):
        read_runs(runs[:2], EVALUATION, seed=0)
    runs[3]["path"] = predictions(tmp_path / "other.csv", n=30)
    with pytest.raises(ValueError, match=r"hst_0.csv and .*other.csv: predictions of different"):
        read_runs(runs, EVALUATION, seed=0)
