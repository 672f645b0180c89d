"""Search of hyperparameters: space, workers, interruption, tables, the recipe that it proposes."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from pydantic import TypeAdapter, ValidationError
from toy.stores import NETWORK_INPUT, blobs, noise, setting, write_store

from lensml.evaluation.classification.search import (
    candidate_values,
    choose_recipe,
    judge_with,
    tabulate_trials,
)
from lensml.evaluation.classification.studies import tabulate_study
from lensml.schema.encoders import Encoder
from lensml.schema.search import Choices, Range, Search, changes_of, space_around
from lensml.schema.studies import Recipe
from lensml.schema.training import Classifier, Evaluation
from lensml.training.classification.search import (
    Shipped,
    Work,
    finished_trials,
    open_study,
    read_study,
    run_worker,
    study_folder,
    train_changed,
)
from lensml.training.engine.setting import Results

CLASSES = ["no_sub", "cdm"]
SPEC = Evaluation.model_validate(
    {
        "n_bootstrap": 100,
        "confidence": 0.95,
        "false_positive_rates": [0.1],
        "calibration_bins": 5,
        "n_embedded": 10,
        "compare_with": "radial_profile",
    }
)
SEARCH = Search.model_validate(
    {
        "domain": None,
        "encoder": "cnn",
        "workers": 1,
        "n_trials": 4,
        "n_startup_trials": 4,
        "epochs": 1,
        "evaluations_per_epoch": 2,
        "n_warmup_evaluations": 1,
        "n_confirmed": 1,
        "seeds": [1],
        "space": {
            "classifier.learning_rate": {"low": 1e-4, "high": 1e-2, "log": True},
            "encoder.widths": {"choices": [[4, 8], [8, 8]]},
        },
    }
)


def recipe(**changes) -> Recipe:
    classifier = {
        "domains": ["toy"],
        "encoders": ["cnn"],
        "seeds": [0],
        "epochs": 1,
        "evaluations_per_epoch": 2,
        "batch_size": 8,
        "learning_rate": 3.0e-3,
        "min_learning_rate": 0.0,
        "weight_decay": 0.05,
        "betas": [0.9, 0.98],
        "warmup_fraction": 0.1,
        "clip_grad_norm": 1.0,
        "label_smoothing": 0.0,
        "ema_decay": 0.9,
        "paired_batches": False,
        "augment": True,
        "test_time_augmentation": True,
    }
    return Recipe(
        encoder=TypeAdapter(Encoder).validate_python({"kind": "cnn", "widths": [4, 8]}),
        classifier=Classifier.model_validate({**classifier, **changes}),
        network_input=NETWORK_INPUT,
    )


SHIPPED = Shipped(recipe(), num_pix=16, n_train=48, n_classes=2)


@pytest.fixture(scope="module")
def stores(tmp_path_factory) -> dict[str, list[str]]:
    folder = tmp_path_factory.mktemp("stores")
    rng = np.random.default_rng(0)
    return {
        split: [
            write_store(folder / name / f"{split}.zarr", images, substructure=name)
            for name, images in zip(CLASSES, (noise(n, rng), blobs(n, rng)), strict=True)
        ]
        for split, n in (("train", 48), ("val", 32))
    }


def work(stores: dict, state: Path, judge=None) -> Work:
    own = setting(state)
    judge = judge or judge_with(stores["val"], CLASSES, "square", own)
    return Work(stores["train"], stores["val"], "square", own, judge)


def test_the_shipped_values_are_always_part_of_the_space():
    spec = SEARCH.model_copy(
        update={
            "space": {
                "classifier.learning_rate": Range(low=1e-5, high=1e-4, log=True),
                "encoder.widths": Choices(choices=[[2, 2], [3, 3]]),
            }
        }
    )
    space = space_around(recipe(), spec)
    assert space["classifier.learning_rate"] == Range(low=1e-5, high=3e-3, log=True)
    assert space["encoder.widths"] == Choices(choices=[[2, 2], [3, 3], [4, 8]])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"space": {"classifier.epochs": {"low": 1, "high": 2}}}, "other than"),
        ({"space": {"optimizer.lr": {"low": 1, "high": 2}}}, "must be one of encoder"),
        ({"space": {"classifier.ema_decay": {"low": 0.9, "high": 0.1}}}, "low must be below"),
        (
            {"space": {"classifier.ema_decay": {"low": 0, "high": 1, "log": True}}},
            "must be above 0",
        ),
        ({"space": {"classifier.augment": {"choices": [True, True]}}}, "each choice"),
        ({"n_trials": 1, "workers": 2}, "must not be below workers"),
        ({"n_confirmed": 4}, "other trials may be pruned"),
    ],
)
def test_a_wrong_space_is_refused(change, message):
    with pytest.raises(ValidationError, match=message):
        Search.model_validate({**SEARCH.model_dump(), **change})


def test_equal_compute_counts_operations_and_images():
    twice = SHIPPED.changed({"classifier.batch_size": 16})
    assert SHIPPED.equal_steps(SHIPPED.changed({})) == 12  # 96 images in batches of 8
    assert SHIPPED.equal_steps(twice) == 6
    wider = SHIPPED.changed({"encoder.widths": [8, 8]})
    # 3x3 convolutions 1-4, 4-4 (half), 4-8, 8-8 (quarter) against 1-8, 8-8, 8-8, 8-8
    narrow = 256 * 4 + 64 * 16 + 64 * 32 + 16 * 64
    wide = 256 * 8 + 64 * 64 + 64 * 64 + 16 * 64
    assert SHIPPED.equal_steps(wider) == round(12 * narrow / wide)


def test_a_search_begins_with_the_shipped_recipe_and_ends_in_a_table(stores, tmp_path):
    record = tmp_path / "worker0.json"
    given = work(stores, tmp_path / "state")
    run_worker(0, SEARCH, SHIPPED, given, root=tmp_path / "studies", record=str(record))
    trials = finished_trials(read_study(Path(json.loads(record.read_text())["study"])))
    assert len(trials) == SEARCH.n_trials
    assert trials[0].user_attrs["shipped"]
    assert trials[0].params["classifier.learning_rate"] == recipe().classifier.learning_rate

    outputs = [str(tmp_path / f"trials.{ending}") for ending in ("csv", "md", "tex")]
    importance, candidates = str(tmp_path / "importance.csv"), str(tmp_path / "candidates.json")
    tabulate_trials([str(record)], outputs, importance, candidates, SPEC, n_confirmed=1, seed=0)
    table = pd.read_csv(outputs[0])
    assert table["roc_auc_ovr_macro"].is_monotonic_decreasing
    best = table.loc[~table["shipped"]].iloc[0]
    values = candidate_values(candidates, "rank1")
    assert values["classifier.learning_rate"] == pytest.approx(
        best["classifier.learning_rate"], rel=5e-3
    )
    assert values["encoder.widths"] == json.loads(best["encoder.widths"])
    assert candidate_values(candidates, "shipped") == {}
    shares = pd.read_csv(importance)
    assert set(shares["parameter"]) == set(SEARCH.space)
    assert np.all(shares["ci_low"] <= shares["ci_high"])
    assert "| shipped |" in Path(outputs[1]).read_text()


def test_workers_share_the_trials_and_a_search_can_be_continued(stores, tmp_path):
    spec = SEARCH.model_copy(update={"workers": 2})
    given = work(stores, tmp_path / "state")
    for worker in (1, 0):
        record = str(tmp_path / f"{worker}.json")
        run_worker(worker, spec, SHIPPED, given, root=tmp_path / "studies", record=record)
    folder = study_folder(
        spec.model_copy(update={"space": space_around(recipe(), spec)}),
        SHIPPED,
        given,
        tmp_path / "studies",
    )
    first = finished_trials(read_study(folder))
    # Worker 1 was first to ask; the shipped recipe is among the trials all the same.
    assert [t.user_attrs.get("shipped", False) for t in first] == [False, False, True, False]
    assert [t.user_attrs["worker"] for t in first].count(0) == 2
    longer = spec.model_copy(update={"n_trials": 6})
    run_worker(0, longer, SHIPPED, given, root=tmp_path / "studies", record=record)
    later = finished_trials(read_study(folder))
    assert [t.params for t in later[:4]] == [t.params for t in first]
    assert len(later) == 5


def test_an_interrupted_trial_is_run_again_with_the_same_values(stores, tmp_path):
    calls = []

    def killed(weights: str, recipe: Recipe, output: str) -> float:
        calls.append(recipe)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return judge_with(stores["val"], CLASSES, "square", given.setting)(weights, recipe, output)

    given = work(stores, tmp_path / "state", killed)
    options = {"root": tmp_path / "studies", "record": str(tmp_path / "record.json")}
    with pytest.raises(KeyboardInterrupt):
        run_worker(0, SEARCH, SHIPPED, given, **options)
    run_worker(0, SEARCH, SHIPPED, given, **options)
    study = read_study(Path(json.loads((tmp_path / "record.json").read_text())["study"]))
    assert len(finished_trials(study)) == SEARCH.n_trials
    assert len(study.trials) == SEARCH.n_trials + 1
    assert calls[2] == calls[1]


def test_a_trial_far_below_the_others_is_pruned(stores, tmp_path):
    """A learning rate of nothing leaves a network at chance; four others learn."""
    spec = Search.model_validate(
        {
            **SEARCH.model_dump(),
            "n_trials": 5,
            "space": {"classifier.learning_rate": {"low": 1e-9, "high": 1e-2}},
        }
    )
    shipped = replace(SHIPPED, recipe=recipe(batch_size=4, ema_decay=0.0))
    given = work(stores, tmp_path / "state")
    spec = spec.model_copy(update={"space": space_around(shipped.recipe, spec)})
    study = open_study(study_folder(spec, shipped, given, tmp_path / "studies"), spec, seed=0)
    rates = [3e-3, 4e-3, 5e-3, 6e-3, 1e-9]
    for number, rate in enumerate(rates):
        attributes = {"shipped": True} if number == 0 else {}
        study.enqueue_trial({"classifier.learning_rate": rate}, user_attrs=attributes)
    record = str(tmp_path / "record.json")
    run_worker(0, spec, shipped, given, root=tmp_path / "studies", record=record)
    states = [t.state.name for t in finished_trials(study)]
    assert states == ["COMPLETE"] * 4 + ["PRUNED"]


def test_values_that_do_not_go_together_fail_alone(stores, tmp_path):
    """More than one worker's trial may be impossible; the search goes on."""
    spec = Search.model_validate(
        {
            **SEARCH.model_dump(),
            "space": {"classifier.min_learning_rate": {"low": 0.0, "high": 1.0}},
        }
    )
    record = str(tmp_path / "record.json")
    given = work(stores, tmp_path / "state")
    run_worker(0, spec, SHIPPED, given, root=tmp_path / "studies", record=record)
    trials = finished_trials(read_study(Path(json.loads(Path(record).read_text())["study"])))
    assert [t.state.name for t in trials].count("FAIL") == 3
    assert "min_learning_rate must not exceed" in trials[1].user_attrs["reason"]
    outputs = [str(tmp_path / "trials.csv")]
    with pytest.raises(ValueError, match="only 0 trials"):
        tabulate_trials([record], outputs, "", "", SPEC, n_confirmed=1, seed=0)


def test_a_study_that_is_gone_is_named(tmp_path):
    record = tmp_path / "record.json"
    record.write_text(json.dumps({"study": str(tmp_path / "gone")}))
    with pytest.raises(ValueError, match=r"gone: the study is gone; .*--forcerun search_worker"):
        tabulate_trials([str(record)], [], "", "", SPEC, n_confirmed=1, seed=0)


def test_the_best_candidate_over_seeds_becomes_an_overlay(stores, tmp_path):
    candidates = tmp_path / "candidates.json"
    values = {"classifier.learning_rate": 1e-9, "encoder.widths": [8, 8]}
    candidates.write_text(
        json.dumps({"shipped": {"values": {}}, "rank1": {"trial": 3, "values": values}})
    )
    shipped = replace(SHIPPED, recipe=recipe(batch_size=4, ema_decay=0.0))
    rows = []
    for name in ("shipped", "rank1"):
        folder = tmp_path / name
        files = ("weights.safetensors", "history.csv", "run.json")
        results = Results(*(str(folder / file) for file in files))
        predictions = str(folder / "validation.csv")
        changed = shipped.changed(candidate_values(str(candidates), name))
        train_changed(changed, shipped, work(stores, tmp_path / "state"), results, predictions)
        row = {"variant": name, "seed": 0, "path": predictions, "run": results.run, "size": ""}
        rows.append(row)
    outputs = [str(tmp_path / f"search.{ending}") for ending in ("csv", "md", "tex")]
    tabulate_study(
        "search", rows, outputs, str(tmp_path / "c.csv"), SPEC, compare_with="shipped", seed=0
    )
    overlay = tmp_path / "best.yaml"
    choose_recipe(outputs[0], str(candidates), str(overlay), encoder="cnn", spec=SPEC)
    assert yaml.safe_load(overlay.read_text()) == {}  # the other one learned nothing
    table = pd.read_csv(outputs[0])
    table["variant"] = table["variant"].replace({"shipped": "rank1", "rank1": "shipped"})
    table.to_csv(outputs[0], index=False)
    choose_recipe(outputs[0], str(candidates), str(overlay), encoder="cnn", spec=SPEC)
    assert yaml.safe_load(overlay.read_text()) == {
        "encoders": {"cnn": {"widths": [8, 8]}},
        "classifier": {"learning_rate": 1e-9},
    }


def test_changes_reach_the_sections_that_they_name():
    variant = changes_of({"encoder.depth": 2, "network_input.scale": 1.0})
    assert variant.encoder_changes == {"depth": 2}
    assert variant.network_input == {"scale": 1.0}
    assert variant.classifier == {}
