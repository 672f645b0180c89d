"""Metrics of anomaly scores."""

from __future__ import annotations

import pandas as pd
import pytest
from toy.tables import area_by_pairs, by_name, scores

from lensml.evaluation.anomaly.metrics import anomaly_metrics
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
