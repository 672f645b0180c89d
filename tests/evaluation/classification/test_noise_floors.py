"""What a test set of its size cannot tell: small rates of false positives, small errors."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from toy.tables import CLASSES, by_name, outputs_in, write_csv

from lensml.evaluation.classification.metrics import (
    calibration_floor,
    classification_metrics,
    expected_calibration_error,
)
from lensml.evaluation.classification.table import tabulate_classifiers
from lensml.evaluation.statistics.metrics import true_positive_rates
from lensml.schema.training import Evaluation

SHIPPED = Evaluation(  # as in config.yaml, but for the number of resamplings
    n_bootstrap=100,
    confidence=0.95,
    false_positive_rates=[0.1, 0.01, 0.001],
    calibration_bins=15,
    n_embedded=400,
)
N_TEST = 600  # images per class of the default run


def calibrated(rng: np.random.Generator, n: int = N_TEST) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities that are right: labels are drawn with them."""
    logits = 2 * rng.standard_normal((3 * n, 3))
    p = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    return p, np.array([rng.choice(3, p=row) for row in p])


def file_of(path: Path, p: np.ndarray, label: np.ndarray) -> str:
    n = len(p)
    columns = {"system_id": np.arange(n) // 3, "index": np.arange(n)}
    columns["label"] = np.array(CLASSES)[label]
    return write_csv(path, columns | {f"p_{c}": p[:, k] for k, c in enumerate(CLASSES)})


def test_the_floor_is_the_calibration_error_of_a_perfect_classifier():
    rng = np.random.default_rng(0)
    errors, floors, inside = [], [], 0
    for _ in range(40):
        p, label = calibrated(rng)
        errors.append(expected_calibration_error(p, label, 15))
        floor = calibration_floor("ece_floor", p, SHIPPED)
        floors.append(floor.value)
        inside += floor.ci_low <= errors[-1] <= floor.ci_high
    # a test set of 1,800 images: 0.025, of which nothing is miscalibration
    assert 0.02 < np.mean(errors) < 0.03
    assert np.mean(floors) == pytest.approx(np.mean(errors), rel=0.05)
    assert inside >= 33  # binomial: 38 +- 1.4


def test_an_overconfident_classifier_is_above_the_floor():
    p, label = calibrated(np.random.default_rng(1))
    sharp = p**2 / (p**2).sum(1, keepdims=True)
    floor = calibration_floor("ece_floor", sharp, SHIPPED)
    assert expected_calibration_error(sharp, label, 15) > 2 * floor.ci_high


def test_the_floor_stands_beside_the_error(tmp_path):
    path = file_of(tmp_path / "p.csv", *calibrated(np.random.default_rng(2)))
    rows = by_name(classification_metrics(path, SHIPPED, seed=0))
    assert rows["ece_floor"].ci_low < rows["ece"].value < rows["ece_floor"].ci_high
    run = {"domain": "euclid", "model": "vit", "seed": 0, "path": path}
    outputs = outputs_in(tmp_path)
    tabulate_classifiers("classification", [run], outputs, SHIPPED, seed=0)
    text = Path(outputs[1]).read_text()
    assert "| ece | ece_floor |" in text
    assert "what the ece of a perfect classifier" in text


@pytest.mark.parametrize(
    ("n_negative", "given"), [(600, [0.1]), (1000, [0.1, 0.01]), (10_000, [0.1, 0.01, 0.001])]
)
def test_no_true_positive_rate_is_given_where_fewer_than_ten_images_decide(n_negative, given):
    rng = np.random.default_rng(0)
    score = np.append(rng.normal(0, 1, n_negative), rng.normal(1, 1, 500))
    positive = np.arange(len(score)) >= n_negative
    weights = np.ones((3, len(score)), np.int16)
    rows = true_positive_rates(score, positive, weights, SHIPPED)
    assert [row.metric for row in rows] == [f"tpr_at_fpr_{rate:g}" for rate in (0.1, 0.01, 0.001)]
    for rate, row in zip((0.1, 0.01, 0.001), rows, strict=True):
        numbers = [row.value, row.ci_low, row.ci_high]
        assert np.isfinite(numbers).all() if rate in given else np.isnan(numbers).all()


def test_a_rate_that_is_not_given_is_a_dash_in_the_table_and_named_below_it(tmp_path):
    rng = np.random.default_rng(3)
    p, label = calibrated(rng)
    run = {"domain": "euclid", "model": "vit", "seed": 0}
    run["path"] = file_of(tmp_path / "p.csv", p, label)
    outputs = outputs_in(tmp_path)
    tabulate_classifiers("classification", [run], outputs, SHIPPED, seed=0)
    text = Path(outputs[1]).read_text()
    row = next(line for line in text.splitlines() if "euclid" in line)
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    assert cells[-1] == "–"
    assert "[" in cells[-2]
    assert "tpr_at_fpr_0.01, tpr_at_fpr_0.001: not given" in text
    table = pd.read_csv(outputs[0]).set_index("metric")
    assert table.loc[["tpr_at_fpr_0.01", "tpr_at_fpr_0.001"], "value"].isna().all()
    assert table.loc["tpr_at_fpr_0.1", "value"] > 0
