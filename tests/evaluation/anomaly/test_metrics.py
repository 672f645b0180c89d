"""Metrics of anomaly scores."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from toy.tables import area_by_pairs, by_name, scores

from lensml.evaluation.anomaly.metrics import anomaly_metrics, false_alarms
from lensml.evaluation.statistics.metrics import tpr_at_fpr
from lensml.schema.training import Evaluation

EVALUATION = Evaluation(
    n_bootstrap=200,
    confidence=0.9,
    false_positive_rates=[0.25, 0.5],  # of 40 images: ten decide
    calibration_bins=5,
    n_embedded=20,
)

pytestmark = pytest.mark.usefixtures("one_torch_thread")


def test_anomaly_metrics_set_no_sub_against_each_class_and_all(tmp_path):
    path = scores(tmp_path / "s.csv")
    rows = by_name(anomaly_metrics(path, EVALUATION, seed=0))
    table = pd.read_csv(path)
    label, score = table["label"].to_numpy(str), table["score"].to_numpy()
    assert list(rows) == [
        *("roc_auc_cdm", "roc_auc_vortex", "roc_auc_any"),
        *("tpr_at_fpr_0.25", "tpr_at_fpr_0.5"),
    ]
    for name in ("cdm", "vortex"):
        keep = (label == "no_sub") | (label == name)
        expected = area_by_pairs(score[keep], label[keep] == name)
        assert rows[f"roc_auc_{name}"].value == pytest.approx(expected)
        assert rows[f"roc_auc_{name}"].n == 80
    assert rows["roc_auc_any"].value == pytest.approx(area_by_pairs(score, label != "no_sub"))
    assert rows["roc_auc_any"].n == 120
    expected = tpr_at_fpr(score, label != "no_sub", 0.25)
    assert rows["tpr_at_fpr_0.25"].value == pytest.approx(expected)
    assert all(row.ci_low < row.value < row.ci_high for row in rows.values())


@pytest.mark.parametrize("column", ["system_id", "label", "score"])
def test_scores_without_a_column_are_refused(tmp_path, column):
    table = pd.read_csv(scores(tmp_path / "s.csv"))
    table.drop(columns=column).to_csv(tmp_path / "s.csv", index=False)
    with pytest.raises(ValueError, match=r"s\.csv: needs rows and the columns system_id, label"):
        anomaly_metrics(str(tmp_path / "s.csv"), EVALUATION, seed=0)


@pytest.mark.parametrize("classes", [["no_sub"], ["cdm"]])
def test_scores_of_one_side_alone_are_refused(tmp_path, classes):
    path = scores(tmp_path / "s.csv", classes=classes)
    with pytest.raises(ValueError, match="no_sub"):
        anomaly_metrics(path, EVALUATION, seed=0)


def smooth_scores(path, n, *, shift=0.0, seed=0, label="no_sub"):
    score = np.random.default_rng(seed).normal(shift, 1, n)
    columns = {"system_id": np.arange(n), "index": np.arange(n), "label": label, "score": score}
    pd.DataFrame(columns).to_csv(path, index=False)
    return str(path)


def test_a_threshold_of_validation_images_keeps_its_rate_on_like_images(tmp_path):
    """With intervals of 90 %, which hold the nominal rate about as often as they say."""
    spec = EVALUATION.model_copy(update={"false_positive_rates": [0.1]})
    inside = 0
    for seed in range(60):
        kept = smooth_scores(tmp_path / "kept.csv", 300, seed=2 * seed)
        test = smooth_scores(tmp_path / "test.csv", 400, seed=2 * seed + 1)
        (row,) = false_alarms(test, kept, spec, seed=seed)
        assert row.metric == "nominal_fpr_0.1"
        assert row.n == 400
        inside += row.ci_low <= 0.1 <= row.ci_high
    assert 0.8 <= inside / 60 <= 0.98


def test_a_threshold_that_no_longer_holds_is_seen(tmp_path):
    kept = smooth_scores(tmp_path / "kept.csv", 1000, seed=1)
    test = smooth_scores(tmp_path / "test.csv", 1000, seed=2, shift=0.5)
    rows = by_name(false_alarms(test, kept, EVALUATION, seed=0))
    # Beyond the upper quartile and the median of a normal distribution shifted by half a sigma.
    assert rows["nominal_fpr_0.25"].value == pytest.approx(0.431, abs=0.05)
    assert rows["nominal_fpr_0.5"].value == pytest.approx(0.691, abs=0.05)
    assert rows["nominal_fpr_0.25"].ci_low > 0.25


def test_a_rate_that_too_few_images_decide_is_not_given(tmp_path):
    kept = smooth_scores(tmp_path / "kept.csv", 30)
    test = smooth_scores(tmp_path / "test.csv", 1000)
    rows = by_name(false_alarms(test, kept, EVALUATION, seed=0))
    assert np.isnan(rows["nominal_fpr_0.25"].value)
    assert rows["nominal_fpr_0.5"].value == pytest.approx(0.5, abs=0.2)


def test_scores_without_smooth_lenses_set_no_threshold(tmp_path):
    kept = smooth_scores(tmp_path / "kept.csv", 50, label="proxy")
    with pytest.raises(ValueError, match=r"kept\.csv: needs images of no_sub"):
        false_alarms(smooth_scores(tmp_path / "test.csv", 50), kept, EVALUATION, seed=0)
