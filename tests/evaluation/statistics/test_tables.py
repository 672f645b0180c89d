"""Written tables."""

from __future__ import annotations

import re
from collections.abc import Sequence
from html import unescape
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from toy.tables import by_name, outputs_in, predictions, scores

from lensml.evaluation.anomaly.table import tabulate_anomaly
from lensml.evaluation.classification.metrics import classification_metrics
from lensml.evaluation.classification.table import tabulate_classifiers
from lensml.evaluation.statistics.seeds import mean_over_seeds
from lensml.evaluation.statistics.tables import summarise
from lensml.schema.training import Evaluation

EVALUATION = Evaluation(
    n_bootstrap=200,
    confidence=0.9,
    false_positive_rates=[0.1, 0.5],  # of 40 images, four are too few to decide
    calibration_bins=5,
    n_embedded=20,
)

pytestmark = pytest.mark.usefixtures("one_torch_thread")


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
    tabulate_classifiers("classification", runs, outputs, EVALUATION, seed=0)
    table = pd.read_csv(outputs[0])
    columns = ["domain", "model", "seed", "metric", "value", "ci_low", "ci_high", "n"]
    assert table.columns.tolist() == columns
    assert len(table) == (4 + 2) * 11  # and the two seeds of a model together
    assert table["seed"].astype(str).unique().tolist() == ["0", "1", "all"]
    chosen = table.query("model == 'vit' and metric == 'accuracy' and seed != 'all'")
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
    both = mean_over_seeds(measured, EVALUATION, seed=0)
    low, high = both.ci_low, both.ci_high
    markdown, latex = (Path(name).read_text() for name in outputs[1:])
    assert f"{mean:.3f} ± {spread:.3f} [{low:.3f}, {high:.3f}]" in markdown
    assert rf"{mean:.3f} $\pm$ {spread:.3f} [{low:.3f}, {high:.3f}]" in latex
    for text in (markdown, latex):
        assert "Classification." in text
        assert "90% bootstrap interval over lens systems" in text
    assert markdown.splitlines()[0] == (
        "| domain | model | seeds | roc_auc_ovr_macro | accuracy | ece | ece_floor "
        "| ece_calibrated | tpr_at_fpr_0.1 | tpr_at_fpr_0.01 |"
    )
    assert r"roc\_auc\_ovr\_macro & accuracy" in latex
    body = [line for line in latex.splitlines() if line.endswith(r"\\")]
    assert [line.count("&") for line in body] == [9, 9, 9]
    assert r"\begin{tabular}{llllllllll}" in latex


def test_a_page_holds_the_same_cells_and_nothing_of_a_name_is_markup(tmp_path):
    runs = [
        {**run, "model": f"<b>{run['model']}</b>" + 80 * "x"}
        for run in classifier_runs(tmp_path, [0])
    ]
    outputs = [str(tmp_path / f"t.{ending}") for ending in ("csv", "html", "md")]
    tabulate_classifiers("classification", runs, outputs, EVALUATION, seed=0)
    page, markdown = (Path(name).read_text() for name in outputs[1:])
    header, *rows = [
        [unescape(cell) for cell in re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row)]
        for row in re.findall(r"<tr.*?</tr>", page, re.DOTALL)
    ]
    lines = [line.strip("| ").split(" | ") for line in markdown.splitlines()[:4]]
    assert [header, *rows] == [lines[0], *lines[2:]]
    assert "<b>" not in page
    assert markdown.splitlines()[-1] == unescape(re.findall(r"<p>(.*)</p>", page)[0])


def test_a_table_names_the_domains_that_failed_the_audit(tmp_path):
    audits = []
    for domain, passed in (("euclid", False), ("hst", True)):
        rows = {"domain": domain, "test": ["index_auc", "layout"], "passed": [passed, True]}
        audits.append(str(tmp_path / f"{domain}.csv"))
        pd.DataFrame(rows).to_csv(audits[-1], index=False)
    outputs = outputs_in(tmp_path)
    runs = classifier_runs(tmp_path, [0])
    for named, flagged in ((audits, True), (audits[1:], False)):
        tabulate_classifiers("classification", runs, outputs, EVALUATION, seed=0, audits=named)
        for output in outputs[1:]:
            text = Path(output).read_text()
            assert ("Results on euclid measure the order of the images" in text) == flagged
            assert "Results on hst" not in text


def test_one_seed_gives_an_interval_and_no_spread(tmp_path):
    outputs = outputs_in(tmp_path)
    tabulate_classifiers(
        "classification", classifier_runs(tmp_path, [3]), outputs, EVALUATION, seed=0
    )
    rows = [line for line in Path(outputs[1]).read_text().splitlines() if "euclid" in line]
    assert len(rows) == 2
    for row in rows:
        cells = [cell.strip() for cell in row.strip("|").split("|")]
        assert cells[2] == "1"
        assert "±" not in row
        # No temperature was given, four images are too few for the rate 0.1, and the rate 0.01 was
        # not asked for.
        assert ["[" in cell for cell in cells[3:]] == [True] * 4 + [False] * 3
    body = [line for line in Path(outputs[2]).read_text().splitlines() if "euclid" in line]
    assert not any("pm" in line for line in body)


def test_a_metric_that_was_not_measured_is_a_dash(tmp_path):
    outputs = outputs_in(tmp_path)
    spec = EVALUATION.model_copy(update={"false_positive_rates": [0.5]})
    tabulate_classifiers("classification", classifier_runs(tmp_path, [0]), outputs, spec, seed=0)
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
            ("b", "p", "all", 4.0),
        ]
    ]
    summary = summarise(pd.DataFrame(rows), ["domain", "method"], ["x"])
    assert summary["seeds"].tolist() == ["1", "1", "2"]
    assert summary["x"].tolist() == [
        "1.000 [1.000, 1.000]",
        "2.000 [2.000, 2.000]",
        "4.000 ± 1.414 [4.000, 4.000]",
    ]


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
    tabulate_anomaly("anomaly", runs, outputs, EVALUATION, seed=0)  # type: ignore[arg-type]
    table = pd.read_csv(outputs[0])
    assert table.groupby("method").size().to_dict() == {"mae": 5, "pca": 5}
    assert "Anomaly." in Path(outputs[1]).read_text()
