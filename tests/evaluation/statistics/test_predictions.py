"""Reading predictions."""

from __future__ import annotations

import pandas as pd
import pytest
from toy.tables import predictions, write_csv

from lensml.evaluation.classification.metrics import classification_metrics
from lensml.evaluation.statistics.predictions import read_predictions
from lensml.schema.training import Evaluation

EVALUATION = Evaluation(
    n_bootstrap=200,
    confidence=0.9,
    false_positive_rates=[0.1, 0.5],
    calibration_bins=5,
    n_embedded=20,
)

pytestmark = pytest.mark.usefixtures("one_torch_thread")


def test_predictions_are_read_in_the_order_of_their_columns(tmp_path):
    path = write_csv(
        tmp_path / "p.csv",
        {
            "system_id": [5, 6],
            "index": [0, 1],
            "label": ["cdm", "no_sub"],
            "p_no_sub": [0.1, 0.6],
            "p_cdm": [0.9, 0.4],
        },
    )
    system_id, label, p, classes = read_predictions(path)
    assert classes == ["no_sub", "cdm"]
    assert system_id.tolist() == [5, 6]
    assert label.tolist() == [1, 0]
    assert p.tolist() == [[0.1, 0.9], [0.6, 0.4]]


@pytest.mark.parametrize("column", ["system_id", "index", "label", "p_"])
def test_predictions_without_a_column_are_refused(tmp_path, column):
    table = pd.read_csv(predictions(tmp_path / "whole.csv"))
    kept = table[[c for c in table.columns if not c.startswith(column)]]
    path = tmp_path / "p.csv"
    kept.to_csv(path, index=False)
    lacks = "has no column p_<class>" if column == "p_" else f"column '{column}' is missing"
    with pytest.raises(ValueError, match=rf"p\.csv: .*{lacks}"):
        classification_metrics(str(path), EVALUATION, seed=0)


def test_predictions_without_rows_are_refused(tmp_path):
    pd.read_csv(predictions(tmp_path / "p.csv"))[:0].to_csv(tmp_path / "p.csv", index=False)
    with pytest.raises(ValueError, match="the table has no rows"):
        classification_metrics(str(tmp_path / "p.csv"), EVALUATION, seed=0)


def test_a_label_without_a_probability_is_refused(tmp_path):
    table = pd.read_csv(predictions(tmp_path / "p.csv"))
    table.drop(columns="p_vortex").to_csv(tmp_path / "p.csv", index=False)
    with pytest.raises(ValueError, match="label 'vortex' has no column"):
        classification_metrics(str(tmp_path / "p.csv"), EVALUATION, seed=0)
