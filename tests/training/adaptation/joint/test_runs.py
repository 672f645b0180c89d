"""Rivals of ADDA: no labels, resumption, records, budget."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file
from torch import Tensor
from toy.joint import DISTORTION, JOINT, OWN, task_of
from toy.stores import setting
from toy.study import ADABN, ADDA, CNN, Study, images_of, results_in

from lensml.models.encoders import batch_norm_layers, build_classifier
from lensml.training.adaptation.joint import TASKS
from lensml.training.adaptation.run import adapt_jointly, joint_steps
from lensml.training.engine.checkpoint import FILE, load_weights

pytestmark = pytest.mark.usefixtures("one_torch_thread")


def run(study: Study, folder: Path, method: str, *, batch_norm: str = "source") -> None:
    adapt_jointly(
        method,
        study.train,
        study.pool,
        study.weights["cnn"],
        results_in(folder),
        own=OWN[method].model_copy(update={"batch_norm": batch_norm}),
        encoder=CNN,
        joint=JOINT,
        distortion=DISTORTION,
        adda=ADDA,
        adabn=ADABN,
        num_classes=2,
        symmetries=("square", "flips"),
        setting=setting(folder),
    )


@pytest.mark.parametrize("method", TASKS)
def test_target_images_with_labels_are_refused(study, method):
    labelled = images_of(study.train)
    with pytest.raises(ValueError, match="must not see target labels"):
        task_of(study, method, target=labelled)


class Killed(Exception):
    """In place of a signal."""


@pytest.mark.parametrize("method", TASKS)
def test_a_killed_and_resumed_run_is_bit_identical(study, tmp_path, monkeypatch, method):
    run(study, tmp_path / "whole", method)
    original, remaining, taken = TASKS[method].step, [5], []

    def step(self: Any, step: int) -> Any:
        if step in remaining:
            remaining.remove(step)
            raise Killed
        taken.append(step)
        return original(self, step)

    monkeypatch.setattr(TASKS[method], "step", step)
    with pytest.raises(Killed):
        run(study, tmp_path / "killed", method)
    assert (tmp_path / "killed" / "state" / FILE).exists()
    taken.clear()
    torch.manual_seed(99)  # a new process starts anywhere
    run(study, tmp_path / "killed", method)
    assert 0 < taken[0] <= 5
    for name in ("weights.safetensors", "history.csv"):
        whole = (tmp_path / "whole" / name).read_bytes()
        assert (tmp_path / "killed" / name).read_bytes() == whole, name
    assert not (tmp_path / "killed" / "state").exists()


@pytest.mark.parametrize("method", TASKS)
def test_a_run_trains_the_source_classifier_further_and_records_itself(study, tmp_path, method):
    run(study, tmp_path, method)
    before, after = load_file(study.weights["cnn"]), load_file(tmp_path / "weights.safetensors")
    assert before.keys() == after.keys()
    trained = [k for k in before if "running_" not in k and "num_batches" not in k]
    assert all(not torch.equal(before[k], after[k]) for k in trained)
    statistics = [k for k in before if "running_" in k]
    for name in statistics:  # of the source, kept
        torch.testing.assert_close(before[name], after[name], rtol=1e-6, atol=0)
    record = json.loads((tmp_path / "run.json").read_text())
    assert record["config"]["method"] == method
    steps = joint_steps(ADDA, JOINT.batch_size, TASKS[method].passes)
    assert record["config"]["steps"] == steps
    history = pd.read_csv(tmp_path / "history.csv")
    assert history["step"].iloc[-1] == steps
    assert "class_loss" in history.columns
    assert np.isfinite(history).all(axis=None)


def test_a_run_may_take_the_statistics_of_the_target(study, tmp_path):
    run(study, tmp_path, "coral", batch_norm="target")
    network = build_classifier(CNN, img_size=16, num_classes=2, seed=0)
    load_weights(tmp_path / "weights.safetensors", network)
    pool = images_of([study.pool], labelled=False)
    first = next(m for m in network.modules() if isinstance(m, torch.nn.Conv2d))
    with torch.no_grad():
        seen = first(pool.batch(np.arange(len(pool))))
    layer = batch_norm_layers(network)[0]
    torch.testing.assert_close(layer.running_mean, seen.mean((0, 2, 3)), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("method", TASKS)
def test_what_is_saved_is_the_average_of_the_weights(study, tmp_path, method):
    run(study, tmp_path, method)
    steps = joint_steps(ADDA, JOINT.batch_size, TASKS[method].passes)
    seed = setting(tmp_path).seed
    task = task_of(study, method, steps=steps, symmetries=("square", "flips"), seed=seed)
    for step in range(steps):
        task.step(step)
    saved = load_file(tmp_path / "weights.safetensors")
    last = task.network.state_dict()
    assert any(not torch.equal(saved[k], last[k]) for k in saved)
    for name, value in task.average.state_dict().items():
        torch.testing.assert_close(saved[name], value, msg=name)


def test_a_method_trains_at_its_own_learning_rate(study):
    task = task_of(study, "coral", steps=20, learning_rate=1e-3)
    rates = []
    for step in range(20):
        task.step(step)
        rates.append(task.optimizer.param_groups[0]["lr"])
    assert rates[3] == pytest.approx(1e-3)  # after a warm-up of a fifth
    assert rates[-1] < 0.05 * 1e-3


@given(
    steps=st.integers(2, 20000),
    share=st.floats(0, 0.9),
    batch_size=st.integers(2, 256),
    passes=st.integers(3, 12),
)
def test_every_method_costs_as_many_passes_as_adda(steps, share, batch_size, passes):
    adda = ADDA.model_copy(update={"steps": steps, "warmup_steps": int(share * steps)})
    # Source and target forward; after the warm-up the target backward too, at twice the cost.
    cost = sum(2 if k < adda.warmup_steps else 4 for k in range(steps)) * adda.batch_size
    found = joint_steps(adda, batch_size, passes) * passes * batch_size
    assert abs(found - cost) <= max(passes * batch_size / 2 + 1e-6, passes * batch_size - cost)


def test_the_passes_of_a_method_are_those_it_makes(study):
    """Counted on the encoder: a forward pass of an image is 1, with its gradient 3."""
    for method, kind in TASKS.items():
        task = task_of(study, method)
        count = [0]

        def hook(module: Any, inputs: Any, output: Tensor, count: list[int] = count) -> None:
            count[0] += (3 if output.requires_grad else 1) * len(output)

        for network in (task.network, task.average):
            network.get_submodule("encoder.layers").register_forward_hook(hook)
        task.step(0)
        assert count[0] == kind.passes * JOINT.batch_size, method
