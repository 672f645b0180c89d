"""Whole runs, killed and resumed, are the same bytes."""

from __future__ import annotations

import multiprocessing
import signal
from functools import partial
from typing import get_args

import numpy as np
import pytest
import torch
from toy.runs import (
    Killed,
    assert_same_results,
    die_at,
    run_adda,
    run_and_die_while_saving,
    run_autoencoder,
    run_classifier,
    run_mae,
    run_muon,
    run_muon_mae,
    run_oracle,
    run_stabilised_adda,
    run_unpaired,
)
from toy.stores import noise, write_store
from toy.study import results_in

from lensml.schema.anomaly import AutoencoderMethod
from lensml.training.adaptation.adda import AddaTask
from lensml.training.anomaly.autoencoders import AutoencoderTask
from lensml.training.anomaly.mae import MaeTask
from lensml.training.classification.task import ClassifierTask
from lensml.training.engine.checkpoint import FILE

RUNS = [
    # 40 images in batches of 8, evaluated every 3 of 15 steps
    pytest.param(run_classifier, ClassifierTask, 10, 9, 15, id="classifier"),
    pytest.param(run_unpaired, ClassifierTask, 10, 9, 15, id="unpaired"),
    pytest.param(run_muon, ClassifierTask, 10, 9, 15, id="muon"),
    # evaluated every 2 of 40 steps
    pytest.param(run_adda, AddaTask, 27, 26, 40, id="adda"),
    pytest.param(run_stabilised_adda, AddaTask, 27, 26, 40, id="stabilised_adda"),
    # 20 images in batches of 8, evaluated every 2 of 8 steps
    pytest.param(run_mae, MaeTask, 5, 4, 8, id="mae"),
    pytest.param(run_muon_mae, MaeTask, 5, 4, 8, id="muon_mae"),
    *[
        pytest.param(partial(run_autoencoder, method=m), AutoencoderTask, 5, 4, 8, id=m)
        for m in get_args(AutoencoderMethod)
    ],
]

pytestmark = pytest.mark.usefixtures("one_torch_thread")


@pytest.mark.parametrize(("run", "task", "at", "resumes_at", "steps"), RUNS)
def test_a_killed_and_resumed_run_is_bit_identical(
    study, tmp_path, monkeypatch, run, task, at, resumes_at, steps
):
    run(study, tmp_path / "whole")
    taken = die_at(monkeypatch, task, at)
    with pytest.raises(Killed):
        run(study, tmp_path / "killed")
    assert (tmp_path / "killed" / "state" / FILE).exists()
    assert not (tmp_path / "killed" / "weights.safetensors").exists()
    taken.clear()
    torch.manual_seed(99)  # a new process starts anywhere
    run(study, tmp_path / "killed")
    assert taken == list(range(resumes_at, steps))
    assert_same_results(tmp_path / "killed", tmp_path / "whole")
    assert not (tmp_path / "killed" / "state").exists()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("run", "task", "remaining"),
    [
        (run_classifier, ClassifierTask, range(6, 15)),  # checkpoints of three steps each
        (run_stabilised_adda, AddaTask, range(4, 40)),  # of two
        (run_muon_mae, MaeTask, range(4, 8)),  # of two
    ],
)
def test_a_process_killed_while_saving_resumes_bit_identically(
    study, tmp_path, monkeypatch, run, task, remaining
):
    run(study, tmp_path / "whole")
    killed = tmp_path / "killed"
    process = multiprocessing.get_context("spawn").Process(
        target=run_and_die_while_saving, args=(run, study, str(killed))
    )
    process.start()
    process.join(120)
    assert process.exitcode == -signal.SIGKILL
    assert (killed / "state" / FILE).exists()
    assert not (killed / "weights.safetensors").exists()
    taken = die_at(monkeypatch, task, -1)
    run(study, killed)
    assert taken == list(remaining)  # two checkpoints were whole
    assert_same_results(killed, tmp_path / "whole")
    assert not (killed / "state").exists()


@pytest.mark.parametrize("change", [{"seed": 1}, {"epochs": 4}, {"learning_rate": 2e-2}])
def test_another_configuration_does_not_resume_a_killed_run(study, tmp_path, monkeypatch, change):
    taken = die_at(monkeypatch, ClassifierTask, 9)
    with pytest.raises(Killed):
        run_classifier(study, tmp_path)
    taken.clear()
    run_classifier(study, tmp_path, **change)
    assert taken[0] == 0


def test_another_dataset_does_not_resume_a_killed_run(study, tmp_path, monkeypatch):
    taken = die_at(monkeypatch, ClassifierTask, 9)
    with pytest.raises(Killed):
        run_classifier(study, tmp_path)
    taken.clear()
    other = [
        write_store(tmp_path / f"{k}" / "train.zarr", noise(20, np.random.default_rng(k)))
        for k in range(2)
    ]
    run_classifier(study._replace(train=other), tmp_path)
    assert taken[0] == 0


@pytest.mark.parametrize(("run", "task"), [(run_adda, AddaTask), (run_oracle, ClassifierTask)])
def test_other_source_weights_do_not_resume_a_killed_run(study, tmp_path, monkeypatch, run, task):
    run_classifier(study, tmp_path / "other", seed=1)
    other = results_in(tmp_path / "other").weights
    taken = die_at(monkeypatch, task, 3)
    with pytest.raises(Killed):
        run(study, tmp_path / "killed", weights=study.weights["vit_conv_stem"])
    taken.clear()
    run(study, tmp_path / "killed", weights=other)
    assert taken[0] == 0
