"""Temperature scaling: what it fits, what it changes, and the tables made with it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.special import softmax

from lensml.evaluation.classification.calibration import (
    BOUNDS,
    apply_temperature,
    calibrate_classifier,
    calibrated_metrics,
    fit_temperature,
    read_temperature,
    reliability_bins,
    tabulate_reliability,
)
from lensml.evaluation.classification.metrics import (
    classification_metrics,
    expected_calibration_error,
)
from lensml.evaluation.classification.table import tabulate_classifiers
from lensml.evaluation.statistics.bootstrap import system_weights
from lensml.evaluation.statistics.comparison import auc_gain
from lensml.evaluation.statistics.tables import resolution_notes
from lensml.figures.reliability import calibration_error
from lensml.schema.training import Evaluation

CLASSES = ["no_sub", "cdm", "vortex"]
EVALUATION = Evaluation(
    n_bootstrap=200,
    confidence=0.9,
    false_positive_rates=[0.1, 0.01],
    calibration_bins=10,
    n_embedded=20,
)


def drawn(n: int, *, temperature: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities that need ``temperature``, and labels drawn from the right ones."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 2, (n, 3))
    right = softmax(logits, axis=1)
    label = (rng.uniform(size=(n, 1)) > right.cumsum(1)[:, :2]).sum(1)
    return softmax(temperature * logits, axis=1), label


def written(path: Path, n: int, *, temperature: float, seed: int = 0) -> str:
    """A predictions.csv; three images in a row are one system."""
    p, label = drawn(n, temperature=temperature, seed=seed)
    table = pd.DataFrame({"system_id": np.arange(n) // 3, "index": np.arange(n)})
    table["label"] = np.array(CLASSES)[label]
    table[[f"p_{c}" for c in CLASSES]] = p
    table.to_csv(path, index=False)
    return str(path)


def network(folder: Path, *, temperature: float, seed: int = 0) -> dict:
    """A row of the classification table whose predictions need a temperature."""
    name = f"net{seed}"
    validation = written(folder / f"{name}_v.csv", 900, temperature=temperature, seed=seed + 50)
    calibration = str(folder / f"{name}.json")
    calibrate_classifier(validation, calibration)
    return {
        "domain": "euclid",
        "model": "vit",
        "seed": seed,
        "path": written(folder / f"{name}.csv", 900, temperature=temperature, seed=seed),
        "calibration": calibration,
        "validation": validation,
        "reference": "",
    }


def baseline(folder: Path) -> dict:
    path = written(folder / "baseline.csv", 900, temperature=1.0, seed=9)
    row = {"domain": "euclid", "model": "radial_profile", "seed": 0, "path": path}
    return {**row, "calibration": "", "validation": "", "reference": ""}


# The fit


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
def test_a_known_temperature_is_recovered(temperature):
    # The error of T falls as 1/sqrt(N): 0.01 T at this size.
    found = fit_temperature(*drawn(40_000, temperature=temperature))
    assert found == pytest.approx(temperature, rel=0.03)


def test_no_other_temperature_has_a_lower_loss():
    p, label = drawn(500, temperature=0.6)
    best = fit_temperature(p, label)

    def loss(temperature):
        return -np.log(apply_temperature(p, temperature)[np.arange(500), label]).mean()

    grid = np.geomspace(*BOUNDS, 400)
    assert loss(best) <= min(loss(t) for t in grid) + 1e-9


def test_a_temperature_changes_confidence_and_neither_class_nor_sum():
    p, _ = drawn(300, temperature=1.0)
    for temperature in (0.4, 2.5):
        q = apply_temperature(p, temperature)
        np.testing.assert_allclose(q.sum(1), 1)
        assert np.array_equal(q.argmax(1), p.argmax(1))
        assert np.all((q.max(1) > p.max(1)) == (temperature < 1))
    np.testing.assert_allclose(apply_temperature(p, 1.0), p, rtol=1e-9)


def test_predictions_that_are_always_right_are_sharpened_to_the_bound():
    p = np.full((30, 3), 0.2) + 0.4 * np.eye(3)[np.arange(30) % 3]
    assert fit_temperature(p, np.arange(30) % 3) == pytest.approx(BOUNDS[0], rel=1e-3)
    # A probability of zero where the label is another is no infinite loss.
    assert BOUNDS[0] < fit_temperature(np.eye(3)[[0, 1, 2, 0]], np.array([0, 1, 2, 1])) < BOUNDS[1]


def test_calibration_of_a_file(tmp_path):
    path = written(tmp_path / "validation.csv", 2000, temperature=0.5)
    calibrate_classifier(path, str(tmp_path / "calibration.json"))
    found = json.loads((tmp_path / "calibration.json").read_text())
    assert set(found) == {"temperature", "n", "log_loss_before", "log_loss_after"}
    assert found["n"] == 2000
    assert found["temperature"] == pytest.approx(0.5, rel=0.1)
    before = classification_metrics(path, EVALUATION, seed=0)
    before = next(row.value for row in before if row.metric == "log_loss")
    assert found["log_loss_before"] == pytest.approx(before, rel=1e-6)
    assert found["log_loss_after"] < before - 0.01
    assert read_temperature(str(tmp_path / "calibration.json")) == found["temperature"]


def test_damaged_files_are_named(tmp_path):
    table = pd.read_csv(written(tmp_path / "v.csv", 30, temperature=1.0))
    table.loc[4, "p_cdm"] = np.nan
    table.to_csv(tmp_path / "v.csv", index=False)
    with pytest.raises(ValueError, match=r"v\.csv: a probability is not a finite number"):
        calibrate_classifier(str(tmp_path / "v.csv"), str(tmp_path / "c.json"))
    assert not (tmp_path / "c.json").exists()
    for content in ("{", "[]", '{"temperature": null}', "{}"):
        (tmp_path / "c.json").write_text(content)
        with pytest.raises(ValueError, match=r"c\.json: holds no number 'temperature'"):
            read_temperature(str(tmp_path / "c.json"))


# Tables


def test_calibrated_metrics_are_those_of_the_calibrated_probabilities(tmp_path):
    row = network(tmp_path, temperature=0.5)
    fitted = row["calibration"], row["validation"]
    found = calibrated_metrics(row["path"], *fitted, EVALUATION, seed=1)
    by_name = {one.metric: one for one in found}
    assert list(by_name) == [
        *("temperature", "log_loss_calibrated", "brier_score_calibrated", "ece_calibrated"),
        "ece_floor_calibrated",
    ]
    table = pd.read_csv(row["path"])
    columns = [f"p_{c}" for c in CLASSES]
    table[columns] = apply_temperature(table[columns].to_numpy(), by_name["temperature"].value)
    table.to_csv(tmp_path / "q.csv", index=False)
    direct = classification_metrics(str(tmp_path / "q.csv"), EVALUATION, seed=1)
    direct = {one.metric: one for one in direct}
    for name in ("log_loss", "brier_score", "ece"):
        rows = [one.row for one in (by_name[f"{name}_calibrated"], direct[name])]
        columns = ("value", "ci_low", "ci_high", "n")
        found_there, expected = ([row[key] for key in columns] for row in rows)
        assert found_there == pytest.approx(expected, rel=1e-9)
    for one in found[:3]:  # noise in the bins of a resampling adds to the calibration error
        assert one.ci_low < one.value < one.ci_high
    assert found[3].ci_low < found[3].ci_high
    # The error of T is about 0.7 / sqrt(900) of T: the interval is of that order.
    width = by_name["temperature"].ci_high - by_name["temperature"].ci_low
    assert 0.02 < width < 0.2


def test_the_table_has_temperatures_and_gains_of_networks_alone(tmp_path):
    row, reference = network(tmp_path, temperature=0.5), baseline(tmp_path)
    row["reference"] = reference["path"]
    blurred = pd.read_csv(row["path"])  # the same images, seen by a worse classifier
    columns = [f"p_{c}" for c in CLASSES]
    blurred[columns] *= np.random.default_rng(0).uniform(0.2, 1, (len(blurred), 3))
    blurred.to_csv(reference["path"], index=False)
    outputs = [str(tmp_path / f"t.{suffix}") for suffix in ("csv", "md", "tex")]
    tabulate_classifiers("classification", [row, reference], outputs, EVALUATION, seed=0)
    table = pd.read_csv(outputs[0])
    vit, other = (
        dict(zip(rows["metric"], rows["value"], strict=True))
        for rows in (table[table["model"] == name] for name in ("vit", "radial_profile"))
    )
    assert vit["ece_calibrated"] < vit["ece"] / 2
    assert vit["temperature"] == pytest.approx(0.5, rel=0.1)
    gain = auc_gain(row["path"], reference["path"], EVALUATION, seed=0).value
    assert vit["roc_auc_ovr_macro_gain"] == pytest.approx(gain, abs=1e-6)
    assert gain > 0
    assert set(vit) - set(other) == {
        *("roc_auc_ovr_macro_gain", "temperature", "ece_calibrated", "ece_floor_calibrated"),
        *("log_loss_calibrated", "brier_score_calibrated"),
    }
    text = Path(outputs[1]).read_text()
    assert "| ece | ece_floor | ece_calibrated | tpr_at_fpr_0.1 | tpr_at_fpr_0.01 |" in text
    assert "tpr_at_fpr_0.01: not given" in text


def test_rates_that_a_test_set_cannot_resolve_are_named(tmp_path):
    paths = []
    for n in (100, 2000):
        labels = ["no_sub"] * n + ["cdm"] * 7
        paths.append(str(tmp_path / f"{n}.csv"))
        pd.DataFrame({"label": labels}).to_csv(paths[-1], index=False)
    assert resolution_notes(paths[1:], [0.1, 0.01]) == []
    (note,) = resolution_notes(paths[1:], [0.1, 0.01, 0.001])
    assert note.startswith("tpr_at_fpr_0.001: ")
    (note,) = resolution_notes(paths, [0.1, 0.01, 0.001])  # the smaller one decides
    assert note.startswith("tpr_at_fpr_0.01, tpr_at_fpr_0.001: ")
    assert "100 images" in note


# Reliability


def test_bins_hold_every_image_and_give_the_calibration_error():
    p, label = drawn(600, temperature=0.5)
    bins = reliability_bins(p, label, np.arange(600) // 3, EVALUATION, seed=0)
    assert sum(one.n for one in bins) == 600
    for one in bins:
        assert one.bin_low <= one.confidence <= one.bin_high
        assert one.ci_low <= one.accuracy <= one.ci_high
    table = pd.DataFrame(bins)
    expected = expected_calibration_error(p, label, EVALUATION.calibration_bins)
    assert calibration_error(table) == pytest.approx(expected)


def test_intervals_of_bins_are_those_of_resampled_systems():
    p, label = drawn(300, temperature=1.0)
    system_id = np.arange(300) // 3
    hit, low, high = p.argmax(1) == label, 0.7, 0.8
    inside = (p.max(1) >= low) & (p.max(1) < high)
    weights = system_weights(system_id, EVALUATION.n_bootstrap, 4)
    samples = [np.repeat(hit[inside], w[inside]).mean() for w in weights]
    found = reliability_bins(p, label, system_id, EVALUATION, seed=4)
    (one,) = [one for one in found if one.bin_low == pytest.approx(low)]
    assert (one.ci_low, one.ci_high) == pytest.approx(tuple(np.quantile(samples, [0.05, 0.95])))


def test_bins_of_calibrated_probabilities_hold_the_identity_line():
    p, label = drawn(20_000, temperature=1.0)
    for one in reliability_bins(p, label, np.arange(20_000), EVALUATION, seed=0):
        # Five binomial standard errors.
        assert abs(one.accuracy - one.confidence) < 5 * np.sqrt(0.25 / one.n)


def test_the_reliability_of_several_seeds_is_also_pooled(tmp_path):
    runs = [network(tmp_path, temperature=0.5, seed=s) for s in (0, 1)] + [baseline(tmp_path)]
    tabulate_reliability(runs, str(tmp_path / "r.csv"), EVALUATION, seed=0)
    table = pd.read_csv(tmp_path / "r.csv", dtype={"seed": str})
    columns = ["model", "seed", "calibrated", "bin_low", "bin_high", "confidence", "accuracy"]
    assert table.columns.tolist() == [*columns, "ci_low", "ci_high", "n"]
    groups = table.groupby(["model", "seed", "calibrated"])
    assert {key: rows["n"].sum() for key, rows in groups} == {
        **{("vit", seed, c): 900 for seed in ("0", "1") for c in ("no", "yes")},
        **{("vit", "all", c): 1800 for c in ("no", "yes")},
        ("radial_profile", "0", "no"): 900,
    }
    pooled = table.loc[(table["model"] == "vit") & (table["seed"] == "all")]
    before, after = (calibration_error(pooled[pooled["calibrated"] == c]) for c in ("no", "yes"))
    assert after < before / 3
