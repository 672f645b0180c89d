"""Who reads labels of a target: what is declared of the jobs of a configuration."""

from __future__ import annotations

from collections import Counter
from typing import get_args

import pytest

from lensml import plan
from lensml.plan.label_reads import READINGS, Task
from lensml.schema.adaptation import JOINT_METHODS

TRAINED = ("source_harmonised", "adabn", "adda", *JOINT_METHODS)  # without a label of the target


@pytest.fixture(params=["adaptation", "benchmark", "harmonised", "harmonised_euclid", "smoke"])
def reads(request, config):
    return plan.LabelReads(config(request.param))


def test_of_what_is_trained_without_labels_only_predictions_are_judged(reads):
    rows = reads.rows("adaptation")
    assert {row["job"] for row in rows} <= READINGS.keys()
    own = [row for row in rows if row["method"] in TRAINED]
    assert {row["job"] for row in own} <= {
        "predict_adapted",
        "predict_radial_profile_harmonised",
        "embed_domains",
    }
    written = {file.rsplit("/", 1)[1] for file in (row["file"] for row in own)}
    assert written <= {"predictions.csv", "embedding.csv"}
    weights = [row["file"] for row in rows if row["file"].endswith("weights.safetensors")]
    assert all("/oracle/" in file for file in weights)


def test_every_prediction_of_the_table_is_among_them(reads):
    rows = reads.rows("adaptation")
    predicted = [row["file"] for row in rows if row["job"].startswith("predict_")]
    assert sorted(predicted) == sorted(row["path"] for row in reads.adaptation.rows())


def test_a_pair_has_its_oracle_choice_on_test_labels_and_embedding_once_per_seed(config):
    rows = plan.LabelReads(config("smoke")).rows("adaptation")
    counts = Counter(row["job"] for row in rows)
    assert {job: counts[job] for job in ("train_oracle", "select_on_test", "embed_domains")} == {
        "train_oracle": 1,
        "select_on_test": 1,
        "embed_domains": 1,
    }
    (oracle,) = [row for row in rows if row["job"] == "train_oracle"]
    assert (oracle["split"], oracle["purpose"]) == ("train and val", "training of the oracle")
    many = config("smoke", "harmonised")
    counts = Counter(row["job"] for row in plan.LabelReads(many).rows("adaptation"))
    assert (counts["train_oracle"], counts["embed_domains"]) == (5 * 2, 2)
    assert counts["harmonise_images"] == len(many.substructures) * 2


def test_nothing_is_read_without_a_pair(config):
    reads = plan.LabelReads(config(adaptation={"pairs": []}, development={"pairs": []}))
    assert [reads.rows(task) for task in get_args(Task)] == [[], [], []]
    asked = plan.Results(reads.config).tables()
    assert not [file for file in asked if "label_reads" in file]
    assert "results/tables/label_reads_adaptation.csv" in plan.Results(config()).tables()


def test_settings_of_development_are_chosen_on_validation_labels_of_its_own_pairs(config):
    reads = plan.LabelReads(config("development"))
    rows = reads.rows("development")
    assert {row["split"] for row in rows} == {"val"}
    development = plan.Development(reads.config)
    trials = {row["path"] for row in development.rows()}
    assert {row["file"] for row in rows if row["job"] == "predict_development"} == trials
    assert reads.at.table_csv("label_reads_development") in development.results()
