"""Several processes train the network of one."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import load_file
from toy.configuration import ROOT
from toy.devices import (
    CLASSIFIER,
    JOB,
    MAE,
    STEM,
    VIT,
    assert_close,
    results_in,
    setting_with,
    train,
    train_until_one_fails,
)

from lensml.models.encoders import build_classifier
from lensml.training.anomaly.mae_run import train_mae
from lensml.training.engine.checkpoint import FILE
from lensml.training.engine.ranks import share, weight_of

pytestmark = pytest.mark.usefixtures("one_torch_thread")


@pytest.mark.parametrize(("n", "copies", "count"), [(12, 1, 5), (36, 3, 2), (36, 3, 5), (4, 2, 2)])
def test_shares_hold_whole_systems_and_every_image_once(monkeypatch, n, copies, count):
    shares = []
    monkeypatch.setattr("lensml.training.engine.ranks.world_size", lambda: count)
    for number in range(count):
        monkeypatch.setattr("lensml.training.engine.ranks.rank", lambda number=number: number)
        rows = share(n, copies)
        systems = (rows % (n // copies)).reshape(copies, -1)
        assert (systems == systems[0]).all()
        shares.append(rows)
    assert sorted(np.concatenate(shares)) == list(range(n))
    values = np.random.default_rng(0).random(n)
    means = [values[rows].mean() * weight_of(rows, n) for rows in shares]
    assert np.mean(means) == pytest.approx(values.mean())


def test_more_processes_than_systems_are_refused(monkeypatch):
    monkeypatch.setattr("lensml.training.engine.ranks.world_size", lambda: 4)
    with pytest.raises(ValueError, match=r"devices = 4: a batch of 3 systems cannot be divided"):
        share(9, 3)


@pytest.mark.slow
def test_two_processes_train_the_network_of_one(stores, tmp_path):
    alone, together = (train(stores, tmp_path / f"{n}", devices=n) for n in (1, 2))
    start = build_classifier(VIT, img_size=16, num_classes=2, seed=0).state_dict()
    assert alone.keys() == start.keys()
    assert_close(together, alone)
    moved = [float((alone[name] - start[name]).abs().max()) for name in alone]
    assert min(moved) > 1e-3  # the tolerance is far below what was learned
    one, two = (pd.read_csv(tmp_path / f"{n}" / "history.csv") for n in (1, 2))
    pd.testing.assert_frame_equal(one, two, rtol=1e-3)
    assert json.loads((tmp_path / "2" / "run.json").read_text())["devices"] == 2


@pytest.mark.slow
def test_a_failing_process_ends_the_run_in_one_line_and_the_rest_is_resumed(stores, tmp_path):
    """With batch norm and dropped paths, whose generators differ between the processes."""
    encoder = STEM.model_copy(update={"drop_path_rate": 0.3, "depth": 2})
    whole = train(stores, tmp_path / "whole", encoder, devices=2)
    with pytest.raises(ChildProcessError) as caught:
        train_until_one_fails(
            stores["train"],
            stores["val"],
            results_in(tmp_path / "cut"),
            encoder=encoder,
            classifier=CLASSIFIER,
            symmetry="square",
            setting=setting_with(tmp_path / "cut", devices=2),
        )
    assert str(caught.value) == "process 1 of 2: out of luck, as in a file that is damaged"
    assert not (tmp_path / "cut" / "weights.safetensors").exists()
    state = tmp_path / "cut" / "state"
    assert torch.load(state / FILE, weights_only=True)["done"] == 4
    resumed = train(stores, tmp_path / "cut", encoder, devices=2)
    assert all(torch.equal(resumed[name], whole[name]) for name in whole)
    assert not state.exists()


@pytest.mark.slow
def test_a_job_that_is_a_script_is_run_once_though_it_starts_processes(stores, tmp_path):
    """As Snakemake's: everything happens at the level of the module."""
    (tmp_path / "job.py").write_text(JOB)
    given = [tmp_path / "started", ROOT / "tests", stores["train"][0], stores["val"][0]]
    command = [sys.executable, str(tmp_path / "job.py"), *map(str, given)]
    subprocess.run(command, check=True, timeout=120)
    assert (tmp_path / "started").read_text() == "started\n"
    together = load_file(tmp_path / "weights.safetensors")
    (tmp_path / "alone").mkdir()
    alone = results_in(tmp_path / "alone")
    setting = setting_with(tmp_path / "alone")
    paths = stores["train"][0], stores["val"][0]
    train_mae(*paths, alone, mae=MAE, symmetry="square", setting=setting)
    assert_close(together, load_file(alone.weights))


def test_more_devices_than_gpus_are_refused_in_one_line(stores, tmp_path, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    with pytest.raises(ValueError, match=r"^compute.devices = 3: more than the GPUs .*, 2$"):
        train(stores, tmp_path, devices=3, device="cuda")
