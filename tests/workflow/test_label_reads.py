"""No job of adaptation is given labels of its target but those that are declared."""

from __future__ import annotations

import re

import pytest
from toy.configuration import CONFIG_DIR, DEFAULT, load_files
from toy.golden_plans import jobs_asked

from lensml import plan
from lensml.plan.label_reads import READINGS, Task

pytestmark = [pytest.mark.workflow, pytest.mark.slow]

CASES: dict[str, list[Task]] = {
    "smoke": ["adaptation", "criteria"],
    "harmonised": ["adaptation", "criteria"],
    "development": ["development"],
}
# Where files of a pair lie, and which of its target have labels in them or beside them.
OF_A_PAIR = re.compile(
    r"/(?:adaptation|development|harmony/\w+|transfer(?=/\w+/\w+/radial_profile))/(\w+)/(\w+)/"
)
LABELLED = r"/(?:datasets/{target}|harmony/\w+/\w+/{target}/target)/(?:no_sub|cdm|vortex)/"
# Made of files in which a declared job wrote labels down.
FIGURES = {"plot_roc_adaptation", "plot_confusion_adaptation", "plot_embedding"}
WRITTEN_DOWN = re.compile(r"/(?:predictions|validation|embedding)\.csv$")


@pytest.fixture(scope="module", params=CASES)
def jobs_and_rows(request):
    config = load_files(DEFAULT, CONFIG_DIR / f"{request.param}.yaml")
    reads, tasks = plan.LabelReads(config), CASES[request.param]
    # Without the tables of reads themselves, which would ask for whatever they declare.
    targets = [reads.at.table_csv(task) for task in tasks]
    targets += ["figures"] if "adaptation" in tasks else []
    rows = [row for task in tasks for row in reads.rows(task)]
    return jobs_asked(tuple(targets), (request.param,)), rows


def given_labels(inputs: list[str], outputs: list[str]) -> bool:
    """Whether a job of a pair has files of its target with labels among its inputs."""
    pair = OF_A_PAIR.search(outputs[0])
    if pair is None:
        return False
    pattern = re.compile(LABELLED.format(target=re.escape(pair[2])))
    return any(pattern.search(file) for file in inputs)


def test_the_jobs_that_are_given_labels_of_their_target_are_those_declared(jobs_and_rows):
    jobs, rows = jobs_and_rows
    found = {
        (rule, file)
        for rule, inputs, outputs in jobs
        if given_labels(inputs, outputs)
        for file in outputs
    }
    declared = {(row["job"], row["file"]) for row in rows if "tabulate" not in row["job"]}
    assert declared <= found
    assert {rule for rule, _ in found} == {rule for rule, _ in declared}
    n_jobs = sum(given_labels(inputs, outputs) for _, inputs, outputs in jobs)
    assert n_jobs == len(declared)


def test_what_is_made_of_labels_written_down_is_declared_or_a_figure(jobs_and_rows):
    jobs, rows = jobs_and_rows
    of_pairs = [
        (rule, [file for file in inputs if OF_A_PAIR.search(file)]) for rule, inputs, _ in jobs
    ]
    made = {rule for rule, inputs in of_pairs if any(map(WRITTEN_DOWN.search, inputs))}
    tables = {row["job"] for row in rows if row["job"].startswith("tabulate_")}
    figures = {rule for rule in made if rule.startswith("plot_")}
    assert made == tables | figures
    assert figures <= FIGURES
    assert tables <= READINGS.keys()
