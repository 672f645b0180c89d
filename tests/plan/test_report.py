"""The report: every figure and table has its heading and its caption."""

from __future__ import annotations

import re

import pytest
from toy.configuration import ROOT

from lensml.plan.report import of_figure, of_table

CAPTIONS = ROOT / "docs" / "captions"
RULES = "\n".join(path.read_text() for path in sorted((ROOT / "rules").glob("*.smk")))
FIGURES = re.findall(r'pictured\("(.+?)"\)', RULES)
TABLES = re.findall(r'tabled\("(.+?)"\)', RULES)


@pytest.mark.parametrize(
    ("name", "category", "caption", "labels"),
    [
        (
            "adaptation/roc_{source}_{target}_{encoder}",
            "Adaptation",
            "adaptation_roc",
            {"what": "roc", "source": "{source}", "target": "{target}", "encoder": "{encoder}"},
        ),
        ("gallery/{domain}", "Images", "gallery", {"what": "gallery", "domain": "{domain}"}),
        ("studies/search_trials", "Studies", "studies_search_trials", {"what": "search trials"}),
        ("benchmark", "Speed", "benchmark", {"what": "benchmark"}),
    ],
)
def test_a_figure_stands_where_its_name_says(name, category, caption, labels):
    entry = of_figure(name)
    assert (entry.category, entry.caption, entry.labels) == (category, caption, labels)


def test_a_table_says_what_it_is_of():
    assert of_table("fits").labels == {"what": "table of fits"}
    assert of_table("{study}").labels == {"what": "table", "study": "{study}"}
    assert of_table("{study}").category == "Studies"


def test_every_figure_and_table_has_a_caption_and_every_caption_its_figure():
    assert len(FIGURES) > 25
    assert len(TABLES) > 15
    used = {of_figure(name).caption for name in FIGURES} | {of_table(n).caption for n in TABLES}
    there = {path.stem for path in CAPTIONS.glob("*.rst")} - {"workflow"}
    assert used == there


def test_no_figure_or_table_is_made_that_the_report_leaves_out():
    made = re.findall(r"^\s+(?:outputs?|tables)=at\.(?:figure|table)\(.*$", RULES, re.MULTILINE)
    assert made == []
