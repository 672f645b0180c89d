"""The table of adaptation: gains, shares of the gap, and harm."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from toy.tables import CLASSES, outputs_in, predictions

from lensml.evaluation.adaptation.table import tabulate_adaptation
from lensml.evaluation.statistics.comparison import auc_gain, gap_closed
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
    tabulate_adaptation(runs, outputs, EVALUATION, seed=0)  # type: ignore[arg-type]
    table = pd.read_csv(outputs[0])
    gains = table[table["metric"] == "roc_auc_ovr_macro_gain"]
    assert gains["method"].tolist() == ["adda"]
    expected = auc_gain(paths["adda"], paths["source_only"], EVALUATION, seed=0)
    assert gains["value"].item() == pytest.approx(expected.value, abs=1e-6)
    rows = [line for line in Path(outputs[1]).read_text().splitlines() if "euclid" in line]
    assert [f"{expected.value:.3f} [" in row for row in rows] == [False, True]


def test_gains_over_the_harmonised_source_stand_beside_those_over_the_plain_one(tmp_path):
    skills = {"source_only": 0.2, "source_harmonised": 1.2, "adda": 2.0}
    paths = {m: predictions(tmp_path / f"{m}.csv", skill=s) for m, s in skills.items()}
    keys = {"source_domain": "euclid", "target_domain": "hst", "model": "vit", "seed": "0"}
    runs = [
        {
            **keys,
            "method": method,
            "path": path,
            "reference": "" if method == "source_only" else paths["source_only"],
            "harmonised": paths["source_harmonised"] if method == "adda" else "",
        }
        for method, path in paths.items()
    ]
    outputs = outputs_in(tmp_path)
    tabulate_adaptation(runs, outputs, EVALUATION, seed=0)
    table = pd.read_csv(outputs[0])
    found = table[table["metric"] == "roc_auc_ovr_macro_harmonised_gain"]
    assert found["method"].tolist() == ["adda"]
    expected = auc_gain(paths["adda"], paths["source_harmonised"], EVALUATION, seed=0)
    for name in ("value", "ci_low", "ci_high"):
        assert found[name].item() == pytest.approx(getattr(expected, name), abs=1e-6)
    text = Path(outputs[1]).read_text()
    assert "every method but source_only and oracle sees these" in text
    assert "roc_auc_ovr_macro_harmonised_gain" in text.splitlines()[0]
    tabulate_adaptation([{**run, "harmonised": ""} for run in runs], outputs, EVALUATION, seed=0)
    assert "harmonised" not in Path(outputs[1]).read_text().replace("source_harmonised", "")


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
            ends = (found.value, found.ci_low, found.ci_high)
            assert ends == pytest.approx((expected, expected, expected))
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
            assert np.isnan([found.value, found.ci_low, found.ci_high]).all()


def test_a_share_of_no_gap_is_a_dash_in_the_table(tmp_path):
    reference = predictions(tmp_path / "a.csv")
    run = {"source_domain": "a", "target_domain": "b", "model": "vit", "method": "adda"}
    run |= {"seed": "0", "path": reference, "reference": reference, "oracle": reference}
    outputs = outputs_in(tmp_path)
    tabulate_adaptation([run], outputs, EVALUATION, seed=0)
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
    tabulate_adaptation(runs, outputs, EVALUATION, seed=0)
    text = Path(outputs[1]).read_text()
    assert text.count("Below source_only") == 1
    assert "Below source_only: dann, euclid to hst, vit, seed 0, by 0." in text
    words = ("no shift", "label shift", "given to vortex")
    assert [w in text for w in words] == [w == word for w in words]
    shares = np.bincount(
        pd.read_csv(reference)[["p_no_sub", "p_cdm", "p_vortex"]].to_numpy().argmax(1)
    )
    assert f"no_sub {shares[0] / 1200:.0%} to" in text
