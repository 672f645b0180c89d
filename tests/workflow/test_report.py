"""The report of a finished run: one file with every figure and table as it was made."""

from __future__ import annotations

import base64
import json
import re
from pathlib import Path
from typing import Any

import pytest
from toy.smoke_run import snakemake

pytestmark = [pytest.mark.workflow, pytest.mark.slow]


@pytest.fixture(scope="module")
def page(finished, tmp_path_factory) -> str:
    report = tmp_path_factory.mktemp("report") / "report.html"
    snakemake(finished, "--nolock", "--report", str(report))
    return report.read_text()


def variable(page: str, name: str) -> Any:
    """What the page's script assigns to a name."""
    start = re.search(rf"<script[^>]*>\s*var {name} = ", page)
    assert start, name
    return json.JSONDecoder().raw_decode(page[start.end() :])[0]


def test_every_table_and_picture_of_the_run_is_in_the_report_as_it_is(page, finished):
    results = variable(page, "results")
    tables = {p.relative_to(finished).as_posix() for p in finished.glob("results/tables/*.html")}
    pictures = {
        p.relative_to(finished).as_posix() for p in finished.glob("results/figures/**/*.png")
    }
    of_transfer = {name for name in tables | pictures if "transfer" in name}  # another target's
    assert results.keys() == (tables | pictures) - of_transfer
    for name, entry in results.items():
        content = base64.b64decode(entry["data_uri"].partition("base64,")[2])
        assert content == (finished / name).read_bytes(), name
        assert len(re.sub("<.*?>", "", entry["caption"])) > 60, name


def test_they_stand_under_headings_and_are_told_apart(page):
    categories = variable(page, "categories")
    expected = {"Images", "Audit", "Classification", "Adaptation", "Anomalies", "Regression"}
    assert expected <= categories.keys()
    results = variable(page, "results")
    for subcategories in categories.values():
        labels = [
            json.dumps(results[name]["labels"], sort_keys=True)
            for names in subcategories.values()
            for name in names
        ]
        assert len(labels) == len(set(labels))


def test_the_first_page_tells_what_the_tables_say(page, finished):
    text = variable(page, "workflow_desc")
    for line in ("classification, euclid: macro AUC", "adaptation, euclid to hst", "audit: "):
        assert line in text
    csv = Path(finished / "results/tables/classification.csv").read_text()
    (auc,) = re.findall(r"euclid,radial_profile,0,roc_auc_ovr_macro,([0-9.]+)", csv)
    assert f"radial_profile {float(auc):.3f}" in text


def test_it_needs_nothing_from_elsewhere(page):
    loaded = re.findall(r"<(?:script|img|link)[^>]+(?:src|href)=[\"'](https?:[^\"']+)", page)
    assert loaded == []
