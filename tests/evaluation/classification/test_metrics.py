"""Metrics of a classifier: calibration, operating points, examples by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from toy.tables import CLASSES, area_by_pairs, by_name, predictions, write_csv

from lensml.evaluation.classification.metrics import (
    classification_metrics,
    expected_calibration_error,
)
from lensml.evaluation.statistics.metrics import tpr_at_fpr
from lensml.evaluation.statistics.predictions import read_predictions
from lensml.schema.training import Evaluation

EVALUATION = Evaluation(
    n_bootstrap=200,
    confidence=0.9,
    false_positive_rates=[0.25, 0.5],  # of 40 images: ten decide
    calibration_bins=5,
    n_embedded=20,
)
ONE_BIN = EVALUATION.model_copy(update={"calibration_bins": 1})

pytestmark = pytest.mark.usefixtures("one_torch_thread")


def test_calibration_error_of_an_example_by_hand():
    p = np.array([[0.9, 0.1], [0.8, 0.2], [0.3, 0.7], [0.45, 0.55]])
    label = np.array([0, 1, 1, 0])
    # Two bins of [0, 1]: every confidence is in the upper one; (0.1 - 0.8 + 0.3 - 0.55) / 4.
    assert expected_calibration_error(p, label, 2) == pytest.approx(0.2375)
    # Four bins: {0.7, 0.55} and {0.9, 0.8}; (|0.3 - 0.55| + |0.1 - 0.8|) / 4.
    assert expected_calibration_error(p, label, 4) == pytest.approx(0.2375)
    # Five bins: {0.55}, {0.7}, {0.9, 0.8}; (0.55 + 0.3 + 0.7) / 4.
    assert expected_calibration_error(p, label, 5) == pytest.approx(0.3875)


def test_calibration_error_is_the_mean_gap_of_the_bins():
    rng = np.random.default_rng(0)
    p, label, bins = rng.dirichlet(np.ones(3), 200), rng.integers(0, 3, 200), 7
    total = 0.0
    for b in range(bins):
        chosen = [i for i in range(200) if b / bins <= p[i].max() < (b + 1) / bins]
        if chosen:
            accuracy = np.mean([p[i].argmax() == label[i] for i in chosen])
            confidence = np.mean([p[i].max() for i in chosen])
            total += len(chosen) / 200 * abs(accuracy - confidence)
    assert expected_calibration_error(p, label, bins) == pytest.approx(total)


def test_certainty_is_in_the_last_bin():
    assert expected_calibration_error(np.eye(2), np.array([0, 1]), 10) == 0.0
    assert expected_calibration_error(np.eye(2), np.array([1, 0]), 10) == 1.0


def test_calibrated_probabilities_have_a_small_calibration_error():
    rng = np.random.default_rng(0)
    n, bins = 20000, 10
    q = rng.uniform(0, 1, n)
    p, label = np.stack([1 - q, q], 1), (rng.random(n) < q).astype(int)
    # E |gap| of a bin with n_b images <= sqrt(1/4 / n_b), weighted by n_b / n: in all at most
    # sqrt(bins / n) / 2. Twice that is out of reach for ten bins' sum.
    assert expected_calibration_error(p, label, bins) < 2 * 0.5 * math.sqrt(bins / n)
    sharpened = p**4 / (p**4).sum(1, keepdims=True)
    assert expected_calibration_error(sharpened, label, bins) > 0.1


def test_true_positive_rates_are_read_off_the_curve():
    score = np.array([0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2])
    positive = np.array([1, 1, 0, 1, 0, 1, 0, 0], bool)
    # (fpr, tpr): (0, 1/2), (1/4, 1/2), (1/4, 3/4), (1/2, 3/4), (1/2, 1), (1, 1)
    assert tpr_at_fpr(score, positive, 0.1) == pytest.approx(0.5)
    assert tpr_at_fpr(score, positive, 0.3) == pytest.approx(0.75)
    assert tpr_at_fpr(score, positive, 0.6) == pytest.approx(1.0)


def test_true_positive_rates_are_interpolated_across_ties():
    score, positive = np.array([1.0, 1.0, 0.0, 0.0]), np.array([True, False, True, False])
    # (0, 0), (1/2, 1/2), (1, 1): ties make a sloping line.
    assert tpr_at_fpr(score, positive, 0.2) == pytest.approx(0.2)


def test_metrics_of_an_example_by_hand(tmp_path):
    p = np.array([[0.7, 0.3], [0.4, 0.6], [0.2, 0.8], [0.6, 0.4]] * 20)
    columns = {
        "system_id": np.repeat(np.arange(20), 4),
        "index": np.arange(80),
        "label": ["no_sub", "no_sub", "cdm", "cdm"] * 20,
        "p_no_sub": p[:, 0],
        "p_cdm": p[:, 1],
    }
    rows = by_name(classification_metrics(write_csv(tmp_path / "p.csv", columns), ONE_BIN, seed=0))
    # Pairs of p_cdm: 0.8 is above 0.3 and 0.6, 0.4 above 0.3 alone.
    expected = {
        "roc_auc_ovr_macro": 0.75,
        "roc_auc_no_sub": 0.75,
        "roc_auc_cdm": 0.75,
        "accuracy": 0.5,
        "log_loss": -np.mean(np.log([0.7, 0.4, 0.8, 0.4])),
        "brier_score": 2 * np.mean([0.3**2, 0.6**2, 0.2**2, 0.6**2]),
        "ece": np.mean([0.7, 0.6, 0.8, 0.6]) - 0.5,
        "tpr_at_fpr_0.25": 0.5,
        "tpr_at_fpr_0.5": 1.0,
    }
    floor = rows.pop("ece_floor")
    assert 0 < floor.value < expected["ece"]
    assert {name: row.value for name, row in rows.items()} == pytest.approx(expected)
    for row in rows.values():
        # Systems are equal, so resampling them changes nothing.
        assert (row.ci_low, row.ci_high) == pytest.approx((row.value, row.value))
        assert row.n == 80


def test_metrics_of_three_classes_follow_their_definitions(tmp_path):
    path = predictions(tmp_path / "p.csv")
    rows = by_name(classification_metrics(path, EVALUATION, seed=0))
    _, label, p, _ = read_predictions(path)
    areas = [area_by_pairs(p[:, k], label == k) for k in range(3)]
    for name, area in zip(CLASSES, areas, strict=True):
        assert rows[f"roc_auc_{name}"].value == pytest.approx(area)
    assert rows["roc_auc_ovr_macro"].value == pytest.approx(np.mean(areas))
    assert rows["log_loss"].value == pytest.approx(
        -sum(math.log(p[i, label[i]]) for i in range(120)) / 120
    )
    brier = sum((p[i, k] - (label[i] == k)) ** 2 for i in range(120) for k in range(3)) / 120
    assert rows["brier_score"].value == pytest.approx(brier)
    substructure = tpr_at_fpr(p[:, 1] + p[:, 2], label > 0, 0.25)
    assert rows["tpr_at_fpr_0.25"].value == pytest.approx(substructure)


def test_every_metric_of_a_classifier_lies_in_a_proper_interval(tmp_path):
    rows = classification_metrics(predictions(tmp_path / "p.csv"), EVALUATION, seed=0)
    for row in rows:
        if row.metric == "ece":  # resampling biases it upwards
            assert row.ci_low < row.ci_high
        else:
            assert row.ci_low < row.value < row.ci_high, row


def test_intervals_of_metrics_follow_from_the_seed(tmp_path):
    path = predictions(tmp_path / "p.csv")
    first = classification_metrics(path, EVALUATION, seed=0)
    assert classification_metrics(path, EVALUATION, seed=0) == first
    other = classification_metrics(path, EVALUATION, seed=1)
    assert [r.value for r in other] == [r.value for r in first]
    assert [r.ci_low for r in other] != [r.ci_low for r in first]


def test_the_log_loss_of_an_impossible_label_lies_in_its_interval(tmp_path):
    columns = {
        "system_id": np.arange(20),
        "index": np.arange(20),
        "label": ["no_sub", "cdm"] * 10,
        "p_no_sub": [1e-20, 1.0] * 10,
        "p_cdm": [1.0, 1e-20] * 10,
    }
    columns["system_id"] = np.arange(20) // 2
    path = write_csv(tmp_path / "p.csv", columns)
    row = by_name(classification_metrics(path, EVALUATION, seed=0))["log_loss"]
    assert row.ci_low - 1e-9 <= row.value <= row.ci_high + 1e-9
