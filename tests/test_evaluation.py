"""Evaluation: metrics by sklearn and by hand, intervals, baselines, data behind figures."""

from __future__ import annotations

import itertools
import math
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st
from safetensors.torch import load_file
from scipy.stats import norm
from sklearn.metrics import roc_auc_score
from test_config import DEFAULT, load_files
from toy_stores import EXPOSURE, NETWORK_INPUT, RMS, blobs, noise, setting, write_store

from lensml.data.images import stretch
from lensml.data.store import open_store
from lensml.data.torch_dataset import Images
from lensml.evaluation.adaptation.embedding import embed_domains
from lensml.evaluation.anomaly.baselines import score_pca, score_supervised, score_total_flux
from lensml.evaluation.anomaly.mae import score_anomalies
from lensml.evaluation.anomaly.metrics import anomaly_metrics
from lensml.evaluation.anomaly.scores import MASK_SEED, anomaly_score, restore, score_masks
from lensml.evaluation.classification.baselines import (
    N_RINGS,
    all_images,
    predict_radial_profile,
    radial_profile,
)
from lensml.evaluation.classification.metrics import (
    classification_metrics,
    expected_calibration_error,
)
from lensml.evaluation.classification.predict import predict
from lensml.evaluation.classification.strength import N_BINS, tabulate_strength
from lensml.evaluation.gallery import collect_gallery
from lensml.evaluation.statistics.bootstrap import (
    interval,
    resampled,
    system_weights,
    weighted_auc,
    weighted_mean,
)
from lensml.evaluation.statistics.comparison import auc_gain, gap_closed
from lensml.evaluation.statistics.metrics import Measured, tpr_at_fpr
from lensml.evaluation.statistics.predictions import Scored, read_predictions, write_predictions
from lensml.evaluation.statistics.tables import (
    summarise,
    tabulate,
)
from lensml.models.encoders import build_classifier
from lensml.models.mae import MaskedAutoencoder, random_masking
from lensml.models.symmetry import SYMMETRIES, transform
from lensml.schema.anomaly import Mae
from lensml.schema.encoders import Cnn
from lensml.schema.training import Evaluation
from lensml.training.engine.checkpoint import save_weights
from lensml.training.engine.order import step_generator

CLASSES = ["no_sub", "cdm", "vortex"]
EVALUATION = Evaluation(
    n_bootstrap=200,
    confidence=0.9,
    false_positive_rates=[0.1, 0.5],
    calibration_bins=5,
    n_embedded=20,
)
ONE_BIN = EVALUATION.model_copy(update={"calibration_bins": 1})
CNN = Cnn(kind="cnn", widths=[4, 8])


pytestmark = pytest.mark.usefixtures("one_torch_thread")


def images_of(stores: Sequence[str], **options: Any) -> Images:
    return Images(stores, NETWORK_INPUT, max_memory_fraction=0.5, **options)


def by_name(rows: Sequence[Measured]) -> dict[str, Measured]:
    assert len({row.metric for row in rows}) == len(rows)
    return {row.metric: row for row in rows}


def area_by_pairs(score: np.ndarray, positive: np.ndarray) -> float:
    """Share of the pairs that are in order; ties count half."""
    pairs = [(a > b) + (a == b) / 2 for a in score[positive] for b in score[~positive]]
    return sum(pairs) / len(pairs)


# Areas under the curve


@given(st.data())
def test_weighted_areas_are_those_of_sklearn_with_ties(data):
    n = data.draw(st.integers(2, 30))
    score = np.array(data.draw(st.lists(st.integers(-3, 3), min_size=n, max_size=n)), float)
    positive = np.array(data.draw(st.lists(st.booleans(), min_size=n, max_size=n)))
    rows = st.lists(st.integers(0, 3), min_size=n, max_size=n)
    weights = np.array(data.draw(st.lists(rows, min_size=1, max_size=4)))
    assume(all(w[positive].sum() and w[~positive].sum() for w in weights))
    expected = [roc_auc_score(positive, score, sample_weight=w) for w in weights]
    np.testing.assert_allclose(weighted_auc(score, positive, weights), expected, rtol=1e-12)


def test_areas_of_many_resamplings_come_in_their_order():
    rng = np.random.default_rng(0)
    score, positive = rng.normal(size=40), np.arange(40) % 2 == 0
    weights = system_weights(np.arange(40), 300, seed=0)  # more than one chunk
    expected = [roc_auc_score(positive, score, sample_weight=w) for w in weights]
    np.testing.assert_allclose(weighted_auc(score, positive, weights), expected, rtol=1e-12)


def test_an_area_without_one_of_the_classes_is_not_a_number():
    score, positive = np.arange(4.0), np.array([True, True, False, False])
    weights = np.array([[1, 1, 0, 0], [0, 0, 2, 1], [1, 0, 1, 0]])
    found = weighted_auc(score, positive, weights)
    assert np.isnan(found[:2]).all()
    assert found[2] == 0.0


# Bootstrap


def test_the_bootstrap_draws_systems_as_a_whole():
    system_id = np.array([7, 3, 7, 5, 3, 7])
    weights = system_weights(system_id, 500, seed=0)
    assert weights.shape == (500, 6)
    for row in weights:
        per_system = {s: set(row[system_id == s].tolist()) for s in (3, 5, 7)}
        assert all(len(counts) == 1 for counts in per_system.values())
        assert sum(counts.pop() for counts in per_system.values()) == 3
    assert len(np.unique(weights, axis=0)) > 5


def test_every_system_is_drawn_once_on_average():
    weights = system_weights(np.arange(10), 4000, seed=0)
    # A count is binomial(10, 1/10): variance 0.9; ten of them within 5 standard errors.
    assert np.abs(weights.mean(0) - 1).max() < 5 * math.sqrt(0.9 / 4000)
    assert np.abs(weights.var(0) - 0.9).max() < 0.2


def test_the_bootstrap_follows_from_its_seed():
    ids = np.arange(10)
    assert np.array_equal(system_weights(ids, 20, seed=1), system_weights(ids, 20, seed=1))
    assert not np.array_equal(system_weights(ids, 20, seed=1), system_weights(ids, 20, seed=2))


def test_repeating_the_images_of_a_system_narrows_no_interval():
    rng = np.random.default_rng(0)
    score, positive = rng.normal(size=60), np.arange(60) % 2 == 0
    ids = np.arange(60)
    once = weighted_auc(score, positive, system_weights(ids, 300, seed=0))
    four = [np.repeat(x, 4) for x in (score, positive, ids)]
    repeated = weighted_auc(four[0], four[1], system_weights(four[2], 300, seed=0))
    np.testing.assert_allclose(repeated, once, rtol=1e-12)
    independent = weighted_auc(four[0], four[1], system_weights(np.arange(240), 300, seed=0))
    assert independent.std() < 0.7 * once.std()


def test_a_weighted_mean_is_the_mean_of_the_repeated_values():
    rng = np.random.default_rng(0)
    values, weights = rng.normal(size=12), system_weights(np.arange(12), 30, seed=0)
    by_hand = [
        np.mean([v for v, k in zip(values, w, strict=True) for _ in range(k)]) for w in weights
    ]
    np.testing.assert_allclose(weighted_mean(values, weights), by_hand)


def test_a_statistic_is_taken_of_the_repeated_images():
    weights = np.array([[2, 0, 1], [0, 3, 0], [1, 1, 1]])
    seen: list[list[int]] = []
    values = resampled(
        lambda index: float(seen.append(index.tolist()) or index.sum()), weights, limit=2
    )
    assert seen == [[0, 0, 2], [1, 1, 1]]
    assert values.tolist() == [2.0, 3.0]


def test_an_interval_leaves_equal_tails_and_ignores_what_is_not_a_number():
    samples = np.concatenate([np.arange(101.0), [np.nan] * 50])
    assert interval(samples, 0.9) == pytest.approx((5.0, 95.0))
    assert interval(samples, 0.5) == pytest.approx((25.0, 75.0))


def binormal(
    n: int, rng: np.random.Generator, *, shift: float = 1.0
) -> tuple[np.ndarray, np.ndarray]:
    """Scores of n negatives and n positives; the area is Phi(shift / sqrt 2)."""
    score = np.concatenate([rng.normal(0, 1, n), rng.normal(shift, 1, n)])
    return score, np.arange(2 * n) >= n


def bounds(score: np.ndarray, positive: np.ndarray, seed: int) -> tuple[float, float]:
    weights = system_weights(np.arange(len(score)), 200, seed)
    return interval(weighted_auc(score, positive, weights), 0.9)


def test_intervals_cover_the_true_area_as_often_as_they_say():
    true, trials = float(norm.cdf(1 / math.sqrt(2))), 500
    hits = 0
    for trial in range(trials):
        low, high = bounds(*binormal(100, np.random.default_rng(trial)), seed=trial)
        hits += low <= true <= high
    # Four binomial standard errors, and 0.015 for the percentile bootstrap's known shortfall of
    # order 1/n at n = 100 (it ignores bias and skewness).
    tolerance = 4 * math.sqrt(0.9 * 0.1 / trials) + 0.015
    assert abs(hits / trials - 0.9) < tolerance


def test_intervals_narrow_as_the_square_root_of_the_sample():
    rng = np.random.default_rng(0)
    widths = []
    for n in (100, 1600):
        found = [bounds(*binormal(n, rng), seed=k) for k in range(8)]
        widths.append(np.mean([high - low for low, high in found]))
    # sqrt(16) = 4. The 5 % quantiles of 200 samples scatter a width by about 8 %, eight by 3 %.
    assert widths[0] / widths[1] == pytest.approx(4, rel=0.15)


# Calibration and operating points


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


# Tables of a classifier


def write_csv(path: Path, columns: dict[str, Any]) -> str:
    pd.DataFrame(columns).to_csv(path, index=False)
    return str(path)


def predictions(path: Path, *, n: int = 40, skill: float = 1.0, seed: int = 0) -> str:
    """Probabilities of a classifier; every system has an image of each class."""
    rng = np.random.default_rng(seed)
    label = np.repeat(np.arange(3), n)
    logits = rng.normal(size=(3 * n, 3)) + skill * np.eye(3)[label]
    p = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    index = np.tile(np.arange(n), 3)
    columns = {"system_id": 1000 + index, "index": index, "label": np.array(CLASSES)[label]}
    return write_csv(path, columns | {f"p_{c}": p[:, k] for k, c in enumerate(CLASSES)})


def scores(path: Path, *, n: int = 40, seed: int = 0, classes: Sequence[str] = CLASSES) -> str:
    rng = np.random.default_rng(seed)
    label = np.repeat(np.arange(len(classes)), n)
    index = np.tile(np.arange(n), len(classes))
    score = rng.normal(label, 1)
    names = np.array(list(classes))[label]
    return write_csv(path, {"system_id": index, "index": index, "label": names, "score": score})


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
    with pytest.raises(ValueError, match=r"p\.csv: needs rows and the columns system_id, index"):
        classification_metrics(str(path), EVALUATION, seed=0)


def test_predictions_without_rows_are_refused(tmp_path):
    pd.read_csv(predictions(tmp_path / "p.csv"))[:0].to_csv(tmp_path / "p.csv", index=False)
    with pytest.raises(ValueError, match="needs rows"):
        classification_metrics(str(tmp_path / "p.csv"), EVALUATION, seed=0)


def test_a_label_without_a_probability_is_refused(tmp_path):
    table = pd.read_csv(predictions(tmp_path / "p.csv"))
    table.drop(columns="p_vortex").to_csv(tmp_path / "p.csv", index=False)
    with pytest.raises(ValueError, match="label 'vortex' has no column"):
        classification_metrics(str(tmp_path / "p.csv"), EVALUATION, seed=0)


def test_metrics_of_an_example_by_hand(tmp_path):
    p = np.array([[0.7, 0.3], [0.4, 0.6], [0.2, 0.8], [0.6, 0.4]] * 10)
    columns = {
        "system_id": np.repeat(np.arange(10), 4),
        "index": np.arange(40),
        "label": ["no_sub", "no_sub", "cdm", "cdm"] * 10,
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
        "tpr_at_fpr_0.1": 0.5,
        "tpr_at_fpr_0.5": 1.0,
    }
    assert {name: row.value for name, row in rows.items()} == pytest.approx(expected)
    for row in rows.values():
        # Systems are equal, so resampling them changes nothing.
        assert (row.ci_low, row.ci_high) == pytest.approx((row.value, row.value))
        assert row.n == 40


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
    substructure = tpr_at_fpr(p[:, 1] + p[:, 2], label > 0, 0.1)
    assert rows["tpr_at_fpr_0.1"].value == pytest.approx(substructure)


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


# Anomaly scores


def test_anomaly_metrics_set_no_sub_against_each_class_and_all(tmp_path):
    path = scores(tmp_path / "s.csv")
    rows = by_name(anomaly_metrics(path, EVALUATION, seed=0))
    table = pd.read_csv(path)
    label, score = table["label"].to_numpy(str), table["score"].to_numpy()
    assert list(rows) == [
        *("roc_auc_cdm", "roc_auc_vortex", "roc_auc_any"),
        *("tpr_at_fpr_0.1", "tpr_at_fpr_0.5"),
    ]
    for name in ("cdm", "vortex"):
        keep = (label == "no_sub") | (label == name)
        expected = area_by_pairs(score[keep], label[keep] == name)
        assert rows[f"roc_auc_{name}"].value == pytest.approx(expected)
        assert rows[f"roc_auc_{name}"].n == 80
    assert rows["roc_auc_any"].value == pytest.approx(area_by_pairs(score, label != "no_sub"))
    assert rows["roc_auc_any"].n == 120
    expected = tpr_at_fpr(score, label != "no_sub", 0.1)
    assert rows["tpr_at_fpr_0.1"].value == pytest.approx(expected)
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


# Paired comparison


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


# Written tables


def outputs_in(folder: Path) -> list[str]:
    return [str(folder / f"table.{suffix}") for suffix in ("csv", "md", "tex")]


def classifier_runs(folder: Path, seeds: Sequence[int]) -> list[dict[str, Any]]:
    return [
        {
            "domain": "euclid",
            "model": model,
            "seed": seed,
            "path": predictions(folder / f"{model}{seed}.csv", seed=10 * k + seed),
        }
        for k, model in enumerate(("vit", "cnn"))
        for seed in seeds
    ]


def test_a_table_is_written_tidy_and_for_a_paper(tmp_path):
    runs, outputs = classifier_runs(tmp_path, [0, 1]), outputs_in(tmp_path)
    tabulate("classification", runs, outputs, EVALUATION, seed=0)
    table = pd.read_csv(outputs[0])
    columns = ["domain", "model", "seed", "metric", "value", "ci_low", "ci_high", "n"]
    assert table.columns.tolist() == columns
    assert len(table) == 4 * 10
    chosen = table.query("model == 'vit' and metric == 'accuracy'")
    measured = [
        by_name(classification_metrics(run["path"], EVALUATION, seed=0))["accuracy"]
        for run in runs[:2]
    ]
    np.testing.assert_allclose(chosen["value"], [m.value for m in measured], atol=1e-6)
    np.testing.assert_allclose(chosen["ci_high"], [m.ci_high for m in measured], atol=1e-6)
    mean, spread = (
        np.mean([m.value for m in measured]),
        np.std([m.value for m in measured], ddof=1),
    )
    low, high = np.mean([m.ci_low for m in measured]), np.mean([m.ci_high for m in measured])
    markdown, latex = (Path(name).read_text() for name in outputs[1:])
    assert f"{mean:.3f} ± {spread:.3f} [{low:.3f}, {high:.3f}]" in markdown
    assert rf"{mean:.3f} $\pm$ {spread:.3f} [{low:.3f}, {high:.3f}]" in latex
    for text in (markdown, latex):
        assert "Classification." in text
        assert "90% bootstrap interval over lens systems" in text
    assert markdown.splitlines()[0] == (
        "| domain | model | seeds | roc_auc_ovr_macro | accuracy | ece | ece_calibrated "
        "| tpr_at_fpr_0.1 | tpr_at_fpr_0.01 |"
    )
    assert r"roc\_auc\_ovr\_macro & accuracy" in latex
    body = [line for line in latex.splitlines() if line.endswith(r"\\")]
    assert [line.count("&") for line in body] == [8, 8, 8]
    assert r"\begin{tabular}{lllllllll}" in latex


def test_a_table_names_the_domains_that_failed_the_audit(tmp_path):
    audits = []
    for domain, passed in (("euclid", False), ("hst", True)):
        rows = {"domain": domain, "test": ["index_auc", "layout"], "passed": [passed, True]}
        audits.append(str(tmp_path / f"{domain}.csv"))
        pd.DataFrame(rows).to_csv(audits[-1], index=False)
    outputs = outputs_in(tmp_path)
    runs = classifier_runs(tmp_path, [0])
    for named, flagged in ((audits, True), (audits[1:], False)):
        tabulate("classification", runs, outputs, EVALUATION, seed=0, audits=named)
        for output in outputs[1:]:
            text = Path(output).read_text()
            assert ("Results on euclid measure the order of the images" in text) == flagged
            assert "Results on hst" not in text


def test_one_seed_gives_an_interval_and_no_spread(tmp_path):
    outputs = outputs_in(tmp_path)
    tabulate("classification", classifier_runs(tmp_path, [3]), outputs, EVALUATION, seed=0)
    rows = [line for line in Path(outputs[1]).read_text().splitlines() if "euclid" in line]
    assert len(rows) == 2
    for row in rows:
        cells = [cell.strip() for cell in row.strip("|").split("|")]
        assert cells[2] == "1"
        assert "±" not in row
        # No temperature was given, and the rate 0.01 was not asked for.
        assert ["[" in cell for cell in cells[3:]] == [True, True, True, False, True, False]
    body = [line for line in Path(outputs[2]).read_text().splitlines() if "euclid" in line]
    assert not any("pm" in line for line in body)


def test_a_metric_that_was_not_measured_is_a_dash(tmp_path):
    outputs = outputs_in(tmp_path)
    spec = EVALUATION.model_copy(update={"false_positive_rates": [0.5]})
    tabulate("classification", classifier_runs(tmp_path, [0]), outputs, spec, seed=0)
    row = next(line for line in Path(outputs[1]).read_text().splitlines() if "euclid" in line)
    assert [cell.strip() for cell in row.split("|")[-3:-1]] == ["–", "–"]


def test_methods_of_different_domains_are_summarised_apart():
    rows = [
        {"domain": d, "method": m, "seed": s, "metric": "x", "value": v, "ci_low": v, "ci_high": v}
        for d, m, s, v in [
            ("a", "p", 0, 1.0),
            ("a", "q", 0, 2.0),
            ("b", "p", 0, 3.0),
            ("b", "p", 1, 5.0),
        ]
    ]
    summary = summarise(pd.DataFrame(rows), ["domain", "method"], ["x"])
    assert summary["seeds"].tolist() == ["1", "1", "2"]
    assert summary["x"].tolist() == [
        "1.000 [1.000, 1.000]",
        "2.000 [2.000, 2.000]",
        "4.000 ± 1.414 [4.000, 4.000]",
    ]


def test_the_table_of_adaptation_has_gains_over_its_reference(tmp_path):
    paths = {
        "source_only": predictions(tmp_path / "a.csv", skill=0.5),
        "adda": predictions(tmp_path / "b.csv", skill=2.0),
    }
    runs = [
        {
            "source_domain": "euclid",
            "target_domain": "hst",
            "model": "vit",
            "method": method,
            "seed": 0,
            "path": path,
            "reference": "" if method == "source_only" else paths["source_only"],
        }
        for method, path in paths.items()
    ]
    outputs = outputs_in(tmp_path)
    tabulate("adaptation", runs, outputs, EVALUATION, seed=0)  # type: ignore[arg-type]
    table = pd.read_csv(outputs[0])
    gains = table[table["metric"] == "roc_auc_ovr_macro_gain"]
    assert gains["method"].tolist() == ["adda"]
    expected = auc_gain(paths["adda"], paths["source_only"], EVALUATION, seed=0)
    assert gains["value"].item() == pytest.approx(expected.value, abs=1e-6)
    rows = [line for line in Path(outputs[1]).read_text().splitlines() if "euclid" in line]
    assert [f"{expected.value:.3f} [" in row for row in rows] == [False, True]


def mixed(path: Path, first: str, second: str, share: float) -> str:
    """Predictions of one classifier for the first images, of another for the rest."""
    tables = [pd.read_csv(name) for name in (first, second)]
    taken = tables[0]["index"] < share * (1 + tables[0]["index"].max())
    pd.concat([tables[0][~taken], tables[1][taken]]).sort_index().to_csv(path, index=False)
    return str(path)


def test_the_share_of_the_gap_goes_from_the_reference_to_the_oracle(tmp_path):
    reference = predictions(tmp_path / "a.csv", n=200, skill=0.5)
    oracle = predictions(tmp_path / "b.csv", n=200, skill=2.0, seed=1)
    halfway = mixed(tmp_path / "c.csv", reference, oracle, 0.5)
    compared = reference, oracle
    for path, expected in ((reference, 0.0), (oracle, 1.0)):
        for found in gap_closed(path, *compared, EVALUATION, seed=0):
            assert found[1:4] == pytest.approx((expected, expected, expected))
    accuracy = gap_closed(halfway, *compared, EVALUATION, seed=0)[1]
    assert accuracy.metric == "accuracy_gap_closed"
    hits = []
    for path in (halfway, reference, oracle):
        _, label, p, _ = read_predictions(path)
        hits.append((p.argmax(1) == label).mean())
    assert accuracy.value == pytest.approx((hits[0] - hits[1]) / (hits[2] - hits[1]))
    assert accuracy.ci_low < accuracy.value < accuracy.ci_high


def test_there_is_no_share_of_a_gap_that_may_be_none(tmp_path):
    reference = predictions(tmp_path / "a.csv", skill=1.0)
    for k, oracle in enumerate((reference, predictions(tmp_path / "b.csv", skill=0.2, seed=1))):
        path = predictions(tmp_path / f"{k}.csv", skill=1.5, seed=2)
        for found in gap_closed(path, reference, oracle, EVALUATION, seed=0):
            assert np.isnan(found[1:4]).all()


def test_a_share_of_no_gap_is_a_dash_in_the_table(tmp_path):
    reference = predictions(tmp_path / "a.csv")
    run = {"source_domain": "a", "target_domain": "b", "model": "vit", "method": "adda"}
    run |= {"seed": "0", "path": reference, "reference": reference, "oracle": reference}
    outputs = outputs_in(tmp_path)
    tabulate("adaptation", [run], outputs, EVALUATION, seed=0)
    row = next(x for x in Path(outputs[1]).read_text().splitlines() if "adda" in x)
    assert row.count("–") == 2


@pytest.mark.parametrize(
    ("factor", "word"), [(1.0, "no shift"), (3.0, "label shift"), (1e-3, "given to vortex")]
)
def test_a_method_that_does_harm_is_named_below_the_table(tmp_path, factor, word):
    reference = predictions(tmp_path / "a.csv", n=400, skill=2.0)
    worse = pd.read_csv(predictions(tmp_path / "b.csv", n=400, skill=0.5, seed=1))
    worse["p_vortex"] *= factor
    columns = [f"p_{c}" for c in CLASSES]
    worse[columns] = worse[columns].div(worse[columns].sum(axis=1), axis=0)
    worse.to_csv(tmp_path / "b.csv", index=False)
    keys = {"source_domain": "euclid", "target_domain": "hst", "model": "vit", "seed": "0"}
    runs = [
        {**keys, "method": "source_only", "path": reference, "reference": ""},
        {**keys, "method": "dann", "path": str(tmp_path / "b.csv"), "reference": reference},
        {**keys, "method": "coral", "path": reference, "reference": reference},
    ]
    outputs = outputs_in(tmp_path)
    tabulate("adaptation", runs, outputs, EVALUATION, seed=0)
    text = Path(outputs[1]).read_text()
    assert text.count("Below source_only") == 1
    assert "Below source_only: dann, euclid to hst, vit, seed 0, by 0." in text
    words = ("no shift", "label shift", "given to vortex")
    assert [w in text for w in words] == [w == word for w in words]
    shares = np.bincount(
        pd.read_csv(reference)[["p_no_sub", "p_cdm", "p_vortex"]].to_numpy().argmax(1)
    )
    assert f"no_sub {shares[0] / 1200:.0%} to" in text


def test_the_table_of_anomalies_has_a_row_per_method(tmp_path):
    runs = [
        {
            "domain": "euclid",
            "method": m,
            "score": "mse",
            "seed": 0,
            "path": scores(tmp_path / f"{m}.csv", seed=k),
        }
        for k, m in enumerate(("mae", "pca"))
    ]
    outputs = outputs_in(tmp_path)
    tabulate("anomaly", runs, outputs, EVALUATION, seed=0)  # type: ignore[arg-type]
    table = pd.read_csv(outputs[0])
    assert table.groupby("method").size().to_dict() == {"mae": 5, "pca": 5}
    assert "Anomaly." in Path(outputs[1]).read_text()


# Baselines


@pytest.mark.parametrize(("size", "n_rings"), [(32, 13), (33, 13), (16, 4)])
def test_radial_profiles_are_the_moments_of_rings(size, n_rings):
    images = np.random.default_rng(0).normal(size=(2, size, size))
    profile = radial_profile(images, n_rings)
    assert profile.shape == (2, 2 * n_rings)
    width = size / 2 / n_rings
    for i, k in itertools.product(range(2), range(n_rings)):
        inside = [
            images[i, r, c]
            for r, c in itertools.product(range(size), range(size))
            if k * width <= math.hypot(r - (size - 1) / 2, c - (size - 1) / 2) < (k + 1) * width
        ]
        mean = sum(inside) / len(inside)
        spread = math.sqrt(sum((v - mean) ** 2 for v in inside) / len(inside))
        assert profile[i, 2 * k : 2 * k + 2] == pytest.approx([mean, spread])


def ring(radius: np.ndarray, size: int) -> np.ndarray:
    """(N, size, size) rings of one pixel's width and unit brightness."""
    axis = np.arange(size) - (size - 1) / 2
    distance = np.hypot(axis[:, None], axis)[None]
    return np.exp(-((distance - radius[:, None, None]) ** 2) / 2)


def test_a_ring_is_brightest_in_its_own_annulus():
    radii = np.array([3.0, 8.0, 14.0])
    profile = radial_profile(ring(radii, 64))
    width = 32 / N_RINGS
    assert profile[:, ::2].argmax(1).tolist() == [int(r / width) for r in radii]


@pytest.mark.parametrize("size", [32, 33])
def test_radial_profiles_do_not_turn(size):
    images = np.random.default_rng(0).normal(size=(2, size, size))
    profile = radial_profile(images)
    for turned in (np.rot90(images, axes=(1, 2)), images[:, ::-1], images.transpose(0, 2, 1)):
        np.testing.assert_allclose(radial_profile(turned), profile, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("size", [8, 16, 20])  # the schema allows 8 pixels and more
def test_radial_profiles_of_small_images_are_numbers(size):
    assert np.isfinite(radial_profile(np.ones((1, size, size)))).all()


def test_the_radial_baseline_tells_einstein_radii_apart(tmp_path):
    rng = np.random.default_rng(0)

    def stores(split: str, n: int) -> list[str]:
        radii = {"no_sub": rng.uniform(6, 8, n), "cdm": rng.uniform(8.5, 10.5, n)}
        return [
            write_store(
                tmp_path / name / f"{split}.zarr", 2 * ring(radius, 32) + noise(n, rng, size=32)
            )
            for name, radius in radii.items()
        ]

    output = str(tmp_path / "predictions.csv")
    predict_radial_profile(
        stores("train", 60),
        stores("test", 60),
        output,
        classes=CLASSES[:2],
        setting=setting(tmp_path),
    )
    _, label, p, classes = read_predictions(output)
    assert classes == CLASSES[:2]
    np.testing.assert_allclose(p.sum(1), 1, rtol=1e-6)
    assert roc_auc_score(label, p[:, 1]) > 0.95


def test_all_images_are_the_stretched_images(tmp_path):
    images = noise(5, np.random.default_rng(0))
    store = write_store(tmp_path / "test.zarr", images)
    expected = stretch(images.astype(np.float32), np.full(5, RMS), NETWORK_INPUT)
    np.testing.assert_array_equal(all_images(images_of([store])), expected)


def test_pca_flags_images_off_the_manifold(tmp_path):
    rng = np.random.default_rng(0)
    pattern = rng.normal(size=(3, 16, 16))  # on the network's scale

    def store(name: str, n: int, *, off: float) -> str:
        stretched = np.tensordot(rng.normal(size=(n, 3)), pattern, 1)
        stretched += off * rng.normal(size=(n, 16, 16))
        images = np.sinh(stretched * NETWORK_INPUT.scale) * RMS * NETWORK_INPUT.noise_units
        return write_store(tmp_path / f"{name}.zarr", images)

    train = store("train", 40, off=0)
    test = [store("flat", 20, off=0), store("off", 20, off=0.1)]
    output = str(tmp_path / "scores.csv")
    score_pca(
        train,
        [Scored(test, CLASSES[:2], {"residual": output, "chi2": str(tmp_path / "chi2.csv")})],
        n_components=3,
        n_images=1000,
        setting=setting(tmp_path),
    )
    table = pd.read_csv(output)
    on, off = (table.loc[table["label"] == c, "score"] for c in CLASSES[:2])
    assert on.max() < 1e-6
    # The residual of noise of variance 0.01 in all but 3 of 256 directions.
    assert off.mean() == pytest.approx(0.01 * 253 / 256, rel=0.1)
    assert off.min() > on.max()


def test_pca_takes_as_many_components_and_images_as_it_is_told(tmp_path):
    rng = np.random.default_rng(0)
    train = write_store(tmp_path / "train.zarr", blobs(30, rng))
    test = [write_store(tmp_path / "test.zarr", blobs(10, rng))]

    def residual(n_components: int, n_images: int) -> float:
        output = str(tmp_path / "scores.csv")
        score_pca(
            train,
            [Scored(test, CLASSES[:1], {"residual": output, "chi2": str(tmp_path / "chi2.csv")})],
            n_components=n_components,
            n_images=n_images,
            setting=setting(tmp_path),
        )
        return pd.read_csv(output)["score"].to_numpy().mean()

    assert residual(1, 30) > residual(3, 30) > residual(6, 30)
    assert residual(6, 8) != residual(6, 30)
    assert residual(100, 5) == residual(4, 5)  # five images span four components


def test_pca_s_chi2_is_in_units_of_every_pixel_s_noise(tmp_path):
    rng = np.random.default_rng(0)
    pattern = np.abs(rng.normal(size=(1, 16, 16))) * 30 * RMS

    def store(name: str) -> tuple[str, np.ndarray]:
        flux = rng.uniform(0.5, 1.5, (400, 1, 1)) * pattern
        seen = flux + rng.normal(0, np.sqrt(RMS**2 + flux / EXPOSURE))
        estimated = RMS**2 + np.maximum(seen, 0) / EXPOSURE
        return write_store(tmp_path / f"{name}.zarr", seen), (seen - flux) ** 2 / estimated

    (train, _), (test, expected), chi2 = store("train"), store("test"), str(tmp_path / "chi2.csv")
    score_pca(
        train,
        [Scored([test], CLASSES[:1], {"residual": str(tmp_path / "residual.csv"), "chi2": chi2})],
        n_components=1,
        n_images=1000,
        setting=setting(tmp_path),
    )
    # One component takes one of 256 degrees of freedom, and its own noise adds 1 / 400 or so.
    found = pd.read_csv(chi2)["score"].to_numpy()
    assert found.mean() == pytest.approx(expected.mean(), rel=0.01)
    np.testing.assert_allclose(found, expected.mean((1, 2)), rtol=0.1)


def test_total_flux_is_the_sum_over_the_background(tmp_path):
    rng = np.random.default_rng(0)
    base = blobs(1, rng)[0]
    factors = np.array([0.5, 1.0, 2.0, 8.0])
    rms = np.array([0.1, 0.2, 0.1, 0.3])
    images = factors[:, None, None] * base
    stores = [
        write_store(tmp_path / "a.zarr", images),
        write_store(tmp_path / "b.zarr", images, truth={"background_rms": rms}),
    ]
    output = str(tmp_path / "scores.csv")
    few = Scored(stores, CLASSES[:2], {"flux": str(tmp_path / "few.csv")}, limit=2)
    scored = [Scored(stores, CLASSES[:2], {"flux": output}), few]
    score_total_flux(scored, setting=setting(tmp_path))
    table = pd.read_csv(output)
    score = table["score"].to_numpy()
    for i, k in itertools.product(range(4), range(2)):
        flux = sum(images[i].ravel().tolist()) / (rms[i] if k else RMS)
        assert score[4 * k + i] == pytest.approx(flux, rel=1e-4)
    assert (np.diff(score[:4]) > 0).all()
    first = pd.read_csv(few.outputs["flux"])
    assert first.equals(table.iloc[[0, 1, 4, 5]].reset_index(drop=True))
    assert table["label"].tolist() == ["no_sub"] * 4 + ["cdm"] * 4
    assert table["index"].tolist() == [0, 1, 2, 3] * 2


# Predictions


@pytest.fixture
def test_stores(tmp_path: Path) -> list[str]:
    rng = np.random.default_rng(0)
    truth = {"system_id": 2**62 + np.arange(6)}  # hashes of 63 bits
    images = {"no_sub": noise(6, rng), "cdm": blobs(6, rng)}
    return [
        write_store(tmp_path / name / "test.zarr", x, truth=truth, images_per_block=4)
        for name, x in images.items()
    ]


def test_predictions_name_every_image_and_its_probabilities(test_stores, tmp_path):
    network = build_classifier(CNN, img_size=16, num_classes=2, seed=3).eval()
    weights, output = str(tmp_path / "weights.safetensors"), str(tmp_path / "predictions.csv")
    save_weights(weights, network.state_dict(), {})
    predict(
        test_stores,
        weights,
        output,
        classes=CLASSES[:2],
        encoder=CNN,
        symmetry="flips",
        setting=setting(tmp_path),
    )
    table = pd.read_csv(output)
    assert table.columns.tolist() == ["system_id", "index", "label", "p_no_sub", "p_cdm"]
    assert table["label"].tolist() == ["no_sub"] * 6 + ["cdm"] * 6
    assert table["index"].tolist() == [*range(6)] * 2
    assert table["system_id"].tolist() == (2**62 + np.arange(6)).tolist() * 2
    x = images_of(test_stores).batch(np.arange(12))
    with torch.no_grad():
        passes = [network(transform(x, e)).softmax(1).numpy() for e in SYMMETRIES["flips"]]
    expected = np.mean(passes, axis=0)
    np.testing.assert_allclose(table[["p_no_sub", "p_cdm"]], expected, rtol=0, atol=1e-6)


def test_images_without_labels_get_no_predictions(test_stores, tmp_path):
    pool = images_of(test_stores[:1], labelled=False)
    with pytest.raises(ValueError, match="for labelled test images only"):
        write_predictions(str(tmp_path / "p.csv"), np.full((6, 2), 0.5), pool, CLASSES[:2])


# Reconstruction


def mae_spec(*, loss: Literal["pixel", "norm_pix", "chi2"] = "pixel") -> Mae:
    return Mae(
        epochs=1,
        batch_size=2,
        learning_rate=1e-3,
        min_learning_rate=0.0,
        weight_decay=0.0,
        betas=[0.9, 0.95],
        warmup_fraction=0.0,
        clip_grad_norm=1.0,
        patch_size=4,
        mask_ratio=0.5,
        loss=loss,
        embed_dim=16,
        depth=1,
        num_heads=2,
        mlp_ratio=2.0,
        decoder_embed_dim=8,
        decoder_depth=1,
        decoder_num_heads=2,
    )


def autoencoder(spec: Mae) -> MaskedAutoencoder:
    torch.manual_seed(0)
    return MaskedAutoencoder(spec, 16).eval()


@pytest.mark.parametrize("loss", ["pixel", "norm_pix"])
def test_anomaly_scores_come_with_reconstructions_to_look_at(test_stores, tmp_path, loss):
    spec = mae_spec(loss=loss)
    model, weights = autoencoder(spec), str(tmp_path / "weights.safetensors")
    save_weights(weights, model.state_dict(), {})
    anomaly = load_files(DEFAULT).anomaly.model_copy(update={"mae": spec, "n_masks": 2})
    names = ("chi2", "mse", "nearest_neighbours")
    outputs = {name: str(tmp_path / f"{name}.csv") for name in names}
    few = anomaly.reference.model_copy(update={"n_images": 4, "n_neighbours": 2})
    anomaly = anomaly.model_copy(update={"reference": few})
    examples = str(tmp_path / "reconstructions.npz")
    score_anomalies(
        [Scored(test_stores, CLASSES[:2], outputs)],
        test_stores[0],
        weights,
        examples,
        scoring=anomaly,
        pixel_scale=0.1,
        setting=setting(tmp_path),
    )
    images = images_of(test_stores)
    found = restore(model, images, score_masks(anomaly, 16))
    reference = images_of(test_stores[:1], limit=4)
    compared = restore(model, reference, score_masks(anomaly, 16))
    for name, output in outputs.items():
        table = pd.read_csv(output)
        assert table.columns[:4].tolist() == ["system_id", "index", "label", "score"]
        expected = anomaly_score(name, found, compared, anomaly)
        np.testing.assert_allclose(table["score"], expected, rtol=1e-5)
    with np.load(examples) as archive:
        content = dict(archive)
    assert content["label"].tolist() == CLASSES[:2]
    assert content["pixel_scale"] == 0.1
    first = images.batch(np.array([0, 6]))  # one image of each class
    np.testing.assert_array_equal(content["image"], first[:, 0].numpy())
    hidden = np.isnan(content["masked"])
    assert hidden.mean() == 0.5
    assert np.array_equal(hidden[0], hidden[1])
    seen = ~hidden
    np.testing.assert_array_equal(content["masked"][seen], content["image"][seen])
    np.testing.assert_array_equal(content["reconstruction"][seen], content["image"][seen])
    np.testing.assert_array_equal(content["residual"][seen], 0)
    scale, units = NETWORK_INPUT.scale, NETWORK_INPUT.noise_units
    linear = [
        np.sinh(content[k].astype(float) * scale) * units for k in ("image", "reconstruction")
    ]
    sigma = np.sqrt(1 + np.maximum(linear[0], 0) / (RMS * EXPOSURE))
    residual = (linear[1] - linear[0]) / sigma
    np.testing.assert_allclose(content["residual"], residual, rtol=1e-3, atol=1e-4)
    # What is shown in the hidden patches is what the loss is taken of.
    patches = [
        model.patchify(torch.from_numpy(content[k])[:, None]) for k in ("image", "reconstruction")
    ]
    masking = random_masking(1, 16, 0.5, step_generator(MASK_SEED, 0)).expand(2)
    error = (patches[1] - patches[0]).square()
    if loss == "norm_pix":
        error = error / (patches[0].var(-1, keepdim=True) + 1e-6)
    shown = (error.mean(-1) * masking.mask).sum(1) / masking.mask.sum(1)
    with torch.no_grad():
        expected = model(first, masking)[0]
    torch.testing.assert_close(shown, expected, rtol=1e-4, atol=1e-5)


# Data behind figures


def strength_store(folder: Path, name: str, n: int, **truth: np.ndarray) -> str:
    images = noise(n, np.random.default_rng(0))
    columns = {"system_id": 500 + np.arange(n), **truth}
    return write_store(folder / name / "test.zarr", images, truth=columns, substructure=name)


def test_areas_are_binned_by_the_strength_of_the_substructure(tmp_path):
    rng, n = np.random.default_rng(0), 50
    mass, axion = 10 ** rng.uniform(7, 10, n), rng.uniform(-24, -22, n)
    mass[:10] = 0  # lenses whose count of perturbers was drawn as zero
    stores = {
        "no_sub": strength_store(tmp_path, "no_sub", n),
        "cdm": strength_store(tmp_path, "cdm", n, m_sub_total=mass),
        "vortex": strength_store(tmp_path, "vortex", n, log10_axion_mass=axion),
    }
    path = predictions(tmp_path / "p.csv", n=n)
    table = pd.read_csv(path)
    table["system_id"] = np.tile(500 + np.arange(n), 3)
    table.to_csv(path, index=False)
    output = str(tmp_path / "strength.csv")
    run = {"domain": "euclid", "model": "vit", "seed": 0, "path": path}
    tabulate_strength([run], stores, output, EVALUATION, seed=0)  # type: ignore[list-item]
    found = pd.read_csv(output)
    assert found.groupby("label").size().to_dict() == {"cdm": N_BINS, "vortex": N_BINS}
    assert set(found["domain"]) == {"euclid"}
    p = table[[f"p_{c}" for c in CLASSES]].to_numpy()
    for k, label, strength in ((1, "cdm", np.log10(mass[10:])), (2, "vortex", axion)):
        first = n - len(strength)  # the first image of the class that has a strength
        ordered = np.sort(strength)
        rows = found[found["label"] == label].reset_index()
        assert rows["bin_low"].iloc[0] == pytest.approx(ordered[0], abs=1e-6)
        assert rows["bin_high"].iloc[-1] == pytest.approx(ordered[-1], abs=1e-6)
        assert rows["bin_high"][:-1].tolist() == rows["bin_low"][1:].tolist()
        assert rows["n"].tolist() == [len(strength) // N_BINS] * N_BINS
        order = np.argsort(strength) + first
        for b, members in enumerate(np.split(order, N_BINS)):
            chosen = np.concatenate([np.arange(n), k * n + members])
            score = p[chosen, k] / (p[chosen, k] + p[chosen, 0])
            area = area_by_pairs(score, chosen >= n)
            area_found, low, high = rows.loc[b, ["roc_auc", "ci_low", "ci_high"]].tolist()
            assert area_found == pytest.approx(area, abs=1e-6)
            assert low < area < high
    assert set(found["quantity"]) == {"log10_m_sub_total", "log10_axion_mass"}


def test_areas_of_anomaly_scores_are_binned_alike(tmp_path):
    rng, n = np.random.default_rng(0), 50
    mass = 10 ** rng.uniform(7, 10, n)
    stores = {
        "no_sub": strength_store(tmp_path, "no_sub", n),
        "cdm": strength_store(tmp_path, "cdm", n, m_sub_total=mass),
    }
    score = np.concatenate([rng.normal(size=n), rng.normal(size=n) + np.log10(mass) - 8])
    table = pd.DataFrame({"system_id": np.tile(500 + np.arange(n), 2), "score": score})
    table["label"] = np.repeat(["no_sub", "cdm"], n)
    table.to_csv(tmp_path / "scores.csv", index=False)
    run = {"domain": "euclid", "model": "mae", "seed": 0, "path": str(tmp_path / "scores.csv")}
    output = str(tmp_path / "strength.csv")
    tabulate_strength([run], stores, output, EVALUATION, seed=0)  # type: ignore[list-item]
    found = pd.read_csv(output)
    for b, members in enumerate(np.split(np.argsort(mass), N_BINS)):
        chosen = np.concatenate([np.arange(n), n + members])
        area = area_by_pairs(score[chosen], chosen >= n)
        assert found["roc_auc"].iloc[b] == pytest.approx(area, abs=1e-6)
    assert found["roc_auc"].iloc[-1] > found["roc_auc"].iloc[0]


@pytest.fixture
def gallery_stores(tmp_path: Path) -> list[str]:
    rng = np.random.default_rng(0)
    counts = {"no_sub": [0] * 5, "cdm": [2, 0, 3, 1, 1], "vortex": [1] * 5}
    stores = []
    for k, (name, count) in enumerate(counts.items()):
        total = sum(count)
        columns = ["mass", "center_x", "center_y", *(["length", "angle"] if k == 2 else [])]
        stores.append(
            write_store(
                tmp_path / name / "test.zarr",
                noise(5, rng),
                truth={"theta_E": rng.random(5), "m_sub_total": rng.random(5)},
                perturbers={column: rng.random(total) for column in columns},
                offset=np.concatenate([[0], np.cumsum(count)]),
                images_per_block=2,
            )
        )
    return stores


def test_the_gallery_holds_the_first_images_with_their_truth(gallery_stores, tmp_path):
    output = str(tmp_path / "gallery.npz")
    collect_gallery(gallery_stores, output, classes=CLASSES, n_examples=3, pixel_scale=0.1)
    with np.load(output) as archive:
        content = dict(archive)
    stores = [open_store(path) for path in gallery_stores]
    assert content["label"].tolist() == [name for name in CLASSES for _ in range(3)]
    assert content["pixel_scale"] == 0.1
    offset = content["perturber_offset"]
    for k, i in itertools.product(range(3), range(3)):
        row, store = 3 * k + i, stores[k]
        np.testing.assert_array_equal(content["image"][row], store.image[np.array([i])][0])
        for name in ("background_rms", "theta_E", "m_sub_total"):
            assert content[name][row] == store.truth[name][i]
        here = slice(offset[row], offset[row + 1])
        there = slice(store.perturber_offset[i], store.perturber_offset[i + 1])
        for name, column in (("x", "center_x"), ("y", "center_y"), ("mass", "mass")):
            expected = store.perturbers[column][there]
            np.testing.assert_array_equal(content[f"perturber_{name}"][here], expected)
        for name in ("length", "angle"):
            found = content[f"perturber_{name}"][here]
            if k == 2:
                np.testing.assert_array_equal(found, store.perturbers[name][there])
            else:
                assert np.isnan(found).all()
    assert offset.tolist() == [0, 0, 0, 0, 2, 2, 5, 6, 7, 8]


def test_a_gallery_is_no_longer_than_its_shortest_store(gallery_stores, tmp_path):
    output = str(tmp_path / "gallery.npz")
    collect_gallery(gallery_stores, output, classes=CLASSES, n_examples=50, pixel_scale=0.1)
    with np.load(output) as archive:
        assert archive["image"].shape == (15, 16, 16)


def test_embeddings_are_mapped_before_and_after_adaptation(tmp_path):
    rng = np.random.default_rng(0)
    stores, weights = {}, {}
    for k, role in enumerate(("source", "target")):
        images = {"no_sub": noise(12, rng), "cdm": blobs(12, rng)}
        stores[role] = [
            write_store(tmp_path / role / name / "test.zarr", x) for name, x in images.items()
        ]
        weights[role] = str(tmp_path / f"{role}.safetensors")
        network = build_classifier(CNN, img_size=16, num_classes=2, seed=k)
        save_weights(weights[role], network.state_dict(), {})
    assert load_file(weights["source"]).keys() == load_file(weights["target"]).keys()

    def table(name: str, target: str) -> pd.DataFrame:
        output = str(tmp_path / name)
        embed_domains(
            stores,
            {"source": weights["source"], "target": target},
            output,
            domains=("euclid", "hst"),
            classes=CLASSES[:2],
            encoder=CNN,
            n_embedded=20,
            setting=setting(tmp_path),
        )
        return pd.read_csv(output)

    found = table("embedding.csv", weights["target"])
    counts = found.groupby(["stage", "role", "domain", "label"]).size()
    assert len(counts) == 8
    assert set(counts) == {10}
    assert (counts.index.get_level_values("role") == "source").tolist() == (
        counts.index.get_level_values("domain") == "euclid"
    ).tolist()
    before, after = (found.loc[found["stage"] == s, ["x", "y"]] for s in ("before", "after"))
    assert np.isfinite(found[["x", "y"]].to_numpy()).all()
    assert not np.allclose(before, after)
    same = table("same.csv", weights["source"])  # nothing was adapted: the two maps are one
    maps = [same.loc[same["stage"] == s, ["x", "y"]].to_numpy() for s in ("before", "after")]
    np.testing.assert_array_equal(maps[0], maps[1])


def test_jobs_without_a_network_start_without_torch():
    # Its import takes longer than what these jobs do.
    code = """
import sys
import lensml.evaluation.audit.tests, lensml.evaluation.classification.baselines
import lensml.evaluation.gallery, lensml.evaluation.statistics.tables
import lensml.simulate.dataset, lensml.figures, lensml.workflow
print(sorted({"torch", "timm"} & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_ceiling_of_anomaly_detection_is_the_classifier_s_probability(tmp_path):
    rng = np.random.default_rng(0)
    stores = [
        write_store(tmp_path / name / "test.zarr", noise(4, rng), substructure=name)
        for name in CLASSES
    ]
    images = images_of(stores)
    p = rng.dirichlet(np.ones(3), 12)
    path, output = str(tmp_path / "predictions.csv"), str(tmp_path / "scores.csv")
    write_predictions(path, p, images, CLASSES)
    score_supervised(path, stores, output, classes=CLASSES, setting=setting(tmp_path))
    table = pd.read_csv(output)
    np.testing.assert_allclose(table["score"], p[:, 1] + p[:, 2], rtol=1e-6)
    assert table["label"].tolist() == np.repeat(CLASSES, 4).tolist()
    with pytest.raises(ValueError, match="predictions are of other images"):
        score_supervised(path, stores[:2], output, classes=CLASSES[:2], setting=setting(tmp_path))
