"""Intervals of several trainings: over test systems and over seeds together."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm, t
from toy.tables import CLASSES, outputs_in, predictions, write_csv

from lensml.evaluation.adaptation.table import tabulate_adaptation
from lensml.evaluation.classification.metrics import classification_metrics
from lensml.evaluation.classification.table import tabulate_classifiers
from lensml.evaluation.statistics.bootstrap import system_weights, weighted_auc
from lensml.evaluation.statistics.comparison import auc_gain
from lensml.evaluation.statistics.metrics import Measured
from lensml.evaluation.statistics.seeds import mean_over_seeds
from lensml.schema.training import Evaluation
from lensml.tables import of_seeds, over_seeds

EVALUATION = Evaluation(
    n_bootstrap=400,
    confidence=0.95,
    false_positive_rates=[0.1],
    calibration_bins=5,
    n_embedded=20,
)


def gain(value: float, samples: np.ndarray) -> Measured:
    return Measured.of("roc_auc_ovr_macro_gain", value, samples, 100, 0.95)


def test_the_interval_covers_the_mean_training_as_often_as_it_says():
    """AUC of a classifier whose skill varies from training to training by as much as the test.

    A run is a training (skill N(1, 0.15^2)) and every run is judged on the same 200 systems. The
    mean of the runs' own intervals covers the mean training far less often.
    """
    n, trials, skill, spread = 100, 300, 1.0, 0.15
    # scores N(0, 1) and N(s, 1), mean over trainings s of Phi(s / sqrt 2)
    truth = float(norm.cdf(skill / math.sqrt(2 + spread**2)))
    hits, naive = {3: 0, 5: 0}, {3: 0, 5: 0}
    for trial in range(trials):
        rng = np.random.default_rng(trial)
        weights = system_weights(np.arange(2 * n), 200, seed=trial)
        positive = np.arange(2 * n) >= n
        noise = rng.standard_normal(2 * n)  # what is hard about a system is so for every training
        for n_seeds in hits:
            runs = []
            for own in skill + spread * rng.standard_normal(n_seeds):
                score = noise + own * positive
                once = weighted_auc(score, positive, np.ones((1, 2 * n)))[0]
                samples = weighted_auc(score, positive, weights)
                runs.append(Measured.of("roc_auc_ovr_macro", once, samples, 2 * n, 0.95))
            found = mean_over_seeds(runs, EVALUATION, seed=trial)
            hits[n_seeds] += int(found.ci_low <= truth <= found.ci_high)
            low, high = (np.mean([getattr(r, k) for r in runs]) for k in ("ci_low", "ci_high"))
            naive[n_seeds] += int(low <= truth <= high)
    error = math.sqrt(0.95 * 0.05 / trials)
    assert min(hits.values()) / trials > 0.95 - 4 * error
    assert naive[3] / trials < hits[3] / trials - 0.02


def test_without_an_error_of_the_test_the_interval_is_students_t():
    values = np.array([0.004, 0.005, -0.001])  # ADDA's gains on HST, as they were quoted
    found = mean_over_seeds([gain(v, np.full(1000, v)) for v in values], EVALUATION, seed=0)
    reach = t.ppf(0.975, 2) * values.std(ddof=1) / math.sqrt(3)
    assert found.value == pytest.approx(values.mean())
    assert found.ci_low == pytest.approx(values.mean() - reach, rel=0.03)
    assert found.ci_high == pytest.approx(values.mean() + reach, rel=0.03)
    assert found.ci_low < 0 < found.ci_high


def test_without_a_spread_between_seeds_the_interval_is_that_of_the_systems():
    samples = np.random.default_rng(0).normal(0.1, 0.01, 1000)
    found = mean_over_seeds([gain(0.1, samples)] * 4, EVALUATION, seed=0)
    low, high = np.quantile(samples, [0.025, 0.975])
    assert (found.value, found.ci_low, found.ci_high) == pytest.approx((0.1, low, high))


def test_systems_are_drawn_alike_for_all_seeds():
    """What one seed loses on a resampling the other gains: their mean does not vary."""
    samples = np.random.default_rng(0).normal(0, 0.01, 1000)
    found = mean_over_seeds(
        [gain(0.1, 0.1 + samples), gain(0.1, 0.1 - samples)], EVALUATION, seed=0
    )
    assert (found.ci_low, found.ci_high) == pytest.approx((0.1, 0.1))


def test_shares_stay_between_zero_and_one_and_gains_do_not():
    runs = {
        name: [Measured.of(name, v, np.full(400, v), 10, 0.95) for v in (0.9, 0.99)]
        for name in ("roc_auc_ovr_macro", "roc_auc_ovr_macro_gain", "log_loss")
    }
    found = {k: mean_over_seeds(v, EVALUATION, seed=0) for k, v in runs.items()}
    assert found["roc_auc_ovr_macro"].ci_high == 1
    for name in ("roc_auc_ovr_macro_gain", "log_loss"):  # t of one degree of freedom is 12.7
        assert found[name].ci_high > 1.4


def test_a_metric_that_one_seed_lacks_is_none_of_all():
    nothing = Measured.none("x", np.full(5, np.nan), 3)
    assert np.isnan(mean_over_seeds([nothing, nothing], EVALUATION, seed=0).value)


# Tables


def adaptation_runs(folder: Path, seeds: range) -> list[dict]:
    keys = {"source_domain": "euclid", "target_domain": "hst", "model": "vit"}
    runs = []
    for seed in seeds:
        paths = {
            name: predictions(folder / f"{name}{seed}.csv", n=200, skill=skill, seed=10 * seed + k)
            for k, (name, skill) in enumerate((("source_only", 1.0), ("adda", 1.02)))
        }
        for method, path in paths.items():
            reference = "" if method == "source_only" else paths["source_only"]
            runs.append({**keys, "method": method, "seed": seed, "path": path})
            runs[-1]["reference"] = reference
    return runs


@pytest.mark.parametrize("n_seeds", [1, 3, 5])
def test_a_table_of_gains_says_from_how_many_seeds_they_are(tmp_path, n_seeds):
    outputs, runs = outputs_in(tmp_path), adaptation_runs(tmp_path, range(n_seeds))
    # The baseline is fitted once however many seeds the networks have.
    plain, mended = (predictions(tmp_path / f"b{k}.csv", n=200, skill=1 + k) for k in range(2))
    baseline = {**runs[0], "model": "radial_profile", "path": plain}
    mended = {**baseline, "method": "source_harmonised", "path": mended, "reference": plain}
    tabulate_adaptation([*runs, baseline, mended], outputs, EVALUATION, seed=0)
    text = Path(outputs[1]).read_text()
    told = {1: "roc_auc_ovr_macro_gain: from one seed", 3: "roc_auc_ovr_macro_gain: from 3 seeds"}
    for count, words in told.items():
        assert (words in text) == (count == n_seeds)
    assert ("takes at least 5" in text) == (n_seeds < 5)
    assert "systems and seeds together" in text
    table = pd.read_csv(outputs[0])
    gains = table.loc[(table["metric"] == "roc_auc_ovr_macro_gain") & (table["method"] == "adda")]
    assert ("all" in set(gains["seed"].astype(str))) == (n_seeds > 1)
    if n_seeds == 3:
        own = [
            auc_gain(r["path"], r["reference"], EVALUATION, seed=0) for r in runs if r["reference"]
        ]
        expected = mean_over_seeds(own, EVALUATION, seed=0)
        spread = np.std([one.value for one in own], ddof=1)
        ends = f"[{expected.ci_low:.3f}, {expected.ci_high:.3f}]"
        assert f"{expected.value:.3f} ± {spread:.3f} {ends}" in text
        # wider than the mean of the runs' own intervals, which is what stood there
        width = np.mean([one.ci_high - one.ci_low for one in own])
        assert expected.ci_high - expected.ci_low > width


def test_rows_of_seeds_and_of_all_are_told_apart():
    table = pd.DataFrame(
        {
            "method": ["a", "a", "a", "b"],
            "seed": ["0", "1", "all", "0"],
            "value": [1.0, 3.0, 2.0, 7.0],
        }
    )
    assert of_seeds(table)["value"].tolist() == [1.0, 3.0, 7.0]
    assert over_seeds(table, ["method"])["value"].tolist() == [2.0, 7.0]
    single = table.drop(columns="seed")
    assert over_seeds(single, ["method"]) is single


# What is independent


def test_images_of_one_galaxy_are_resampled_together(tmp_path):
    """600 systems with 15 galaxies: the classifier knows some galaxies, which all images share."""
    rng = np.random.default_rng(0)
    n, galaxies = 600, 15
    group = rng.integers(0, galaxies, n)
    right = rng.random(galaxies) < 0.7
    label = np.repeat([0, 1], n)
    hit = np.tile(right[group], 2)
    p = np.where(hit == (label == 1), 0.9, 0.1)
    columns = {
        "system_id": np.tile(np.arange(n), 2),
        "index": np.tile(np.arange(n), 2),
        "label": np.array(CLASSES)[label],
        "p_no_sub": 1 - p,
        "p_cdm": p,
    }
    widths = {}
    for name, more in (("systems", {}), ("galaxies", {"group": np.tile(group, 2)})):
        path = write_csv(tmp_path / f"{name}.csv", columns | more)
        found = {m.metric: m for m in classification_metrics(path, EVALUATION, seed=0)}
        widths[name] = found["accuracy"].ci_high - found["accuracy"].ci_low
    share = right[group].mean()
    # binomial over 600 systems, and over 15 galaxies of unequal weight
    assert widths["systems"] == pytest.approx(
        2 * 1.96 * math.sqrt(share * (1 - share) / n), rel=0.15
    )
    assert widths["galaxies"] > 4 * widths["systems"]


def test_the_table_says_over_how_many_galaxies_its_intervals_are(tmp_path):
    path = predictions(tmp_path / "p.csv")
    table = pd.read_csv(path)
    table.assign(group=np.arange(len(table)) % 7).to_csv(path, index=False)
    run = {"domain": "model_iv", "model": "vit", "seed": 0, "path": path}
    outputs = outputs_in(tmp_path)
    tabulate_classifiers("classification", [run], outputs, EVALUATION, seed=0)
    assert "Test images of model_iv have 7 source galaxies" in Path(outputs[1]).read_text()
