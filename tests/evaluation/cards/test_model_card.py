"""Model cards in the Hub's layout, which say what a network is not for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from huggingface_hub import ModelCard
from toy.cards import toy_arguments, write_toy_card
from toy.fits import fit_spec

from lensml.evaluation.cards.writing import write_card

SECTIONS = (
    *("What it takes and gives", "How well it does", "What it was trained on"),
    *("What it is for, and what not", "How to use it", "What it was made with"),
)


@pytest.fixture
def folder(tmp_path, domain) -> Path:
    return write_toy_card(tmp_path, domain("euclid"), fit_spec())


def test_the_front_matter_is_read_by_the_hub_s_library(folder):
    data: Any = ModelCard.load(folder / "README.md").data
    assert (data.license, data.library_name) == ("mit", "lensml")
    assert data.pipeline_tag == "image-classification"
    assert {"gravitational-lensing", "cnn"} <= set(data.tags)
    assert data.model_name == "lensml-euclid-cnn-seed0"
    results = {one.metric_type: one for one in data.eval_results}
    assert set(results) == {"roc_auc", "accuracy", "brier_score", "expected_calibration_error"}
    auc = results["roc_auc"]
    assert auc.metric_value == 0.8
    expected = {"ci_low": 0.75, "ci_high": 0.85, "confidence": 0.95, "images": 300}
    assert auc.metric_args == pytest.approx(expected)
    assert (auc.dataset_type, auc.dataset_split) == ("lensml/euclid", "test")


def test_every_section_is_there_with_the_numbers_of_the_table(folder):
    text = (folder / "README.md").read_text()
    assert all(f"\n## {section}\n" in text for section in SECTIONS)
    row = next(line for line in text.splitlines() if line.startswith("| ROC AUC, mean"))
    assert "| 0.800 [0.750, 0.850] | 0.750 [0.650, 0.850] | 0.600 [0.580, 0.620] |" in row
    assert "16 x 16 pixels of 0.101 arcsec" in text
    assert "10 training images of each class" in text
    assert "no evidence for or against any kind of dark matter" in text
    assert "Sources are smooth Sersic profiles" in text


def test_a_network_that_learnt_nothing_is_told_so(tmp_path, domain):
    found = {}
    for name, auc in {"good": 0.8, "little": 0.62, "nothing": 0.52}.items():
        (tmp_path / name).mkdir()
        spec = domain("euclid")
        folder = write_toy_card(tmp_path / name, spec, fit_spec(), roc_auc_ovr_macro=auc)
        text = (folder / "README.md").read_text()
        found[name] = ("It hardly tells the classes apart" in text, "is not shown" in text)
    assert found == {"good": (False, False), "little": (False, True), "nothing": (True, True)}


def test_what_the_audit_found_stands_in_the_card(tmp_path, domain):
    given = toy_arguments(tmp_path, domain("euclid"), fit_spec())
    row = {"domain": "euclid", "test": "layout", "passed": False}
    pd.DataFrame([row]).to_csv(tmp_path / "audit.csv", index=False)
    write_card(**{**given, "audits": [str(tmp_path / "audit.csv")]})
    text = (tmp_path / "card" / "README.md").read_text()
    assert "- Results on euclid measure the file format, not substructure." in text


def test_of_files_no_origin_is_claimed(tmp_path, domain):
    folder = write_toy_card(tmp_path, domain("euclid", files={"folder": "a"}), fit_spec())
    text = (folder / "README.md").read_text()
    assert "lay in files that others made" in text
    assert "simulated" not in text
    assert "Sersic" not in text
