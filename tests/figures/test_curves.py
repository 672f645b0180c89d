"""What figures compute of their tables."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from toy.figure_tables import CLASSES, write_predictions

from lensml.figures.confusion import confusion_matrix, row_percent
from lensml.figures.roc import roc_auc, roc_curve


def test_roc_area_counts_pairs_and_ties_as_one_half():
    rng = np.random.default_rng(19)
    positive = rng.uniform(size=200) < 0.3
    score = np.round(rng.normal(size=200) + positive, 1)  # many ties
    difference = score[positive][:, None] - score[~positive]
    pairs = np.mean((difference > 0) + 0.5 * (difference == 0))
    assert roc_auc(positive, score) == pytest.approx(pairs, abs=1e-12)


def test_roc_curve_holds_the_rates_at_every_threshold():
    rng = np.random.default_rng(23)
    positive = rng.uniform(size=60) < 0.5
    score = rng.integers(0, 8, 60)
    fpr, tpr = roc_curve(positive, score)
    thresholds = np.unique(score)[::-1]
    expected_fpr = [np.mean(score[~positive] >= t) for t in thresholds]
    expected_tpr = [np.mean(score[positive] >= t) for t in thresholds]
    np.testing.assert_allclose(fpr, [0, *expected_fpr])
    np.testing.assert_allclose(tpr, [0, *expected_tpr])


def test_roc_area_of_a_constant_score_is_one_half():
    assert roc_auc(np.array([True, False, False]), np.zeros(3)) == 0.5


def test_confusion_matrix_counts_images_and_its_rows_sum_to_100_percent(tmp_path: Path):
    table = pd.read_csv(write_predictions(tmp_path / "p.csv", 0, skill=1.0))
    counts = confusion_matrix(table, CLASSES)
    chosen = table[["p_no_sub", "p_cdm", "p_vortex"]].idxmax(axis=1)
    assert counts[1, 2] == ((table["label"] == "cdm") & (chosen == "p_vortex")).sum()
    assert counts.sum() == len(table)
    np.testing.assert_allclose(row_percent(counts).sum(axis=1), 100)


def test_confusion_matrix_of_certain_predictions_is_diagonal():
    certain = pd.DataFrame({"label": ["a", "b", "b"], "p_a": [1, 0, 0], "p_b": [0, 1, 1]})
    np.testing.assert_array_equal(confusion_matrix(certain, ["a", "b"]), [[1, 0], [0, 2]])
