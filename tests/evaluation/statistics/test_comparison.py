"""Paired comparison."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score
from toy.tables import area_by_pairs, predictions

from lensml.evaluation.statistics.bootstrap import system_weights
from lensml.evaluation.statistics.comparison import auc_gain
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


def test_a_gain_is_the_difference_of_the_areas_on_the_same_resamplings(tmp_path):
    better = predictions(tmp_path / "a.csv", skill=2.0, seed=0)
    worse = predictions(tmp_path / "b.csv", skill=0.5, seed=1)
    spec = EVALUATION.model_copy(update={"n_bootstrap": 100})
    gain = auc_gain(better, worse, spec, seed=0)
    assert gain.metric == "roc_auc_ovr_macro_gain"
    macro, samples = [], []
    for path in (better, worse):
        system_id, label, p, _ = read_predictions(path)
        macro.append(np.mean([area_by_pairs(p[:, k], label == k) for k in range(3)]))
        weights = system_weights(system_id, spec.n_bootstrap, 0)
        samples.append(
            [
                np.mean([roc_auc_score(label == k, p[:, k], sample_weight=w) for k in range(3)])
                for w in weights
            ]
        )
    assert gain.value == pytest.approx(macro[0] - macro[1])
    low, high = np.quantile(np.subtract(*samples), [0.05, 0.95])
    assert (gain.ci_low, gain.ci_high) == pytest.approx((low, high))
    assert gain.ci_low > 0


def test_a_classifier_gains_nothing_over_itself(tmp_path):
    path = predictions(tmp_path / "p.csv")
    gain = auc_gain(path, path, EVALUATION, seed=0)
    assert (gain.value, gain.ci_low, gain.ci_high) == (0.0, 0.0, 0.0)


def test_classifiers_on_different_images_are_not_compared(tmp_path):
    first = predictions(tmp_path / "a.csv")
    other = pd.read_csv(first)
    for column, value in (("system_id", 7), ("label", "vortex")):
        changed = other.copy()
        changed.loc[0, column] = value
        changed.to_csv(tmp_path / "b.csv", index=False)
        with pytest.raises(ValueError, match="predictions of different images"):
            auc_gain(first, str(tmp_path / "b.csv"), EVALUATION, seed=0)
