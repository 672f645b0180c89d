"""Tables that cannot be drawn are refused by name."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from toy.figure_tables import (
    STYLE,
    write_adaptation,
    write_anomaly,
    write_convergence,
    write_embedding,
    write_history_adda,
    write_history_classifier,
    write_history_mae,
    write_predictions,
    write_reconstructions,
    write_scores,
    write_strength,
)

from lensml import figures


def _without(path: Path, column: str) -> Path:
    pd.read_csv(path).drop(columns=column).to_csv(path, index=False)
    return path


MISSING = [
    ("system_id", write_scores, {"shift": [0, 0, 0]}, "roc_anomaly", lambda p: {"mae": [p]}),
    ("score", write_scores, {"shift": [0, 0, 0]}, "score_distributions", lambda p: {"mae": [p]}),
    ("label", write_predictions, {"skill": 1}, "confusion", lambda p: {"cnn": [p]}),
    ("label", write_predictions, {"skill": 1}, "roc_classification", lambda p: {"cnn": [p]}),
    ("val_loss", write_history_classifier, {}, "history_classifier", lambda p: {"cnn": [p]}),
    ("encoder_loss", write_history_adda, {}, "history_adda", lambda p: [p]),
    ("learning_rate", write_history_mae, {}, "history_mae", lambda p: [p]),
]


@pytest.mark.parametrize(("column", "write", "how", "name", "wrap"), MISSING)
def test_missing_columns_are_named(column, write, how, name, wrap, tmp_path: Path):
    path = _without(write(tmp_path / "table.csv", 0, **how), column)
    plot = getattr(figures, f"plot_{name}")
    with pytest.raises(ValueError, match=f"table.csv: column '{column}' is missing; expected"):
        plot(wrap(path), title="", style=STYLE, output=[tmp_path / "a.png"])
    assert not (tmp_path / "a.png").exists()


@pytest.mark.parametrize(
    ("column", "write", "name", "how"),
    [
        ("role", write_embedding, "embedding", {"title": ""}),
        ("bin_low", write_strength, "strength", {"title": ""}),
        ("ci_low", write_anomaly, "anomaly_summary", {"domain": "euclid"}),
        (
            "method",
            write_adaptation,
            "adaptation_summary",
            {"source_domain": "euclid", "target_domain": "hst"},
        ),
    ],
)
def test_missing_columns_of_one_table_are_named(column, write, name, how, tmp_path: Path):
    path = _without(write(tmp_path / "table.csv"), column)
    plot = getattr(figures, f"plot_{name}")
    with pytest.raises(ValueError, match=f"table.csv: column '{column}' is missing; expected"):
        plot(path, **how, style=STYLE, output=[tmp_path / "a.png"])


@pytest.mark.parametrize("content", ["", "label,score,system_id,index\n"])
def test_empty_tables_are_refused_by_name(content: str, tmp_path: Path):
    path = tmp_path / "scores.csv"
    path.write_text(content)
    with pytest.raises(ValueError, match=r"scores\.csv: the (file is empty|table has no rows)"):
        figures.plot_roc_anomaly({"mae": [path]}, title="", style=STYLE, output=["a.png"])


@pytest.mark.parametrize("name", ["gallery", "reconstructions"])
def test_missing_arrays_are_named(name: str, tmp_path: Path):
    path = tmp_path / "examples.npz"
    np.savez(path, image=np.zeros((1, 8, 8)))
    plot = getattr(figures, f"plot_{name}")
    files = [path] if name == "gallery" else [path, path]
    with pytest.raises(ValueError, match=r"examples\.npz: array .*'label'.* is missing"):
        plot(*files, title="", style=STYLE, output=[tmp_path / "a.png"])


def test_the_substructure_of_other_images_is_refused(tmp_path: Path):
    examples = write_reconstructions(tmp_path / "examples.npz")
    other = write_convergence(tmp_path / "convergence.npz", n=1)
    with pytest.raises(ValueError, match=r"convergence\.npz: must hold .* of the images of"):
        figures.plot_reconstructions(examples, other, title="", style=STYLE, output=["a.png"])


def test_scores_that_are_not_numbers_are_refused_with_their_row(tmp_path: Path):
    path = write_scores(tmp_path / "scores.csv", 0, shift=[0, 0, 0], n=4)
    table = pd.read_csv(path)
    table.loc[2, "score"] = np.nan
    table.to_csv(path, index=False)
    with pytest.raises(ValueError, match=r"column 'score' holds 'nan' in row 3"):
        figures.plot_roc_anomaly({"mae": [path]}, title="", style=STYLE, output=["a.png"])


def test_a_class_without_images_is_refused(tmp_path: Path):
    path = write_predictions(tmp_path / "p.csv", 0, skill=1)
    table = pd.read_csv(path)
    table[table["label"] != "vortex"].to_csv(path, index=False)
    with pytest.raises(ValueError, match=r"p\.csv: column 'label' holds cdm, no_sub; expected"):
        figures.plot_confusion({"cnn": [path]}, title="", style=STYLE, output=["a.png"])


def test_domains_without_rows_are_refused(tmp_path: Path):
    path = write_anomaly(tmp_path / "anomaly.csv")
    with pytest.raises(ValueError, match=r"anomaly\.csv: no row of domain 'jwst'"):
        figures.plot_anomaly_summary(path, domain="jwst", style=STYLE, output=["a.png"])
