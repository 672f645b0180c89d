"""The loop: evaluations, losses that are not finite, whose checkpoint it is."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
from toy.runs import Killed, classifier_task, run_adda, run_classifier

from lensml.training.adaptation.adda import AddaTask
from lensml.training.classification.task import ClassifierTask
from lensml.training.engine.checkpoint import fingerprint_of, load_checkpoint, save_checkpoint
from lensml.training.engine.loop import run_training

pytestmark = pytest.mark.usefixtures("one_torch_thread")


class Walk:
    """A task whose only weight is moved by torch's generator; remembers the steps it took."""

    def __init__(self, *, nan_at: int | None = None, die_at: int | None = None) -> None:
        self.nan_at, self.die_at = nan_at, die_at
        self.weight = torch.zeros(3)
        self.steps: list[int] = []

    def step(self, step: int) -> dict[str, float]:
        if step == self.die_at:
            raise Killed
        self.steps.append(step)
        self.weight = 0.9 * self.weight + torch.rand(3)
        loss = math.nan if step == self.nan_at else float(step)
        return {"loss": loss, "other": 1.0}

    def evaluate(self, step: int) -> dict[str, float]:
        return {"after": float(step)}

    def state_dict(self) -> dict[str, Any]:
        return {"weight": self.weight}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.weight = state["weight"]


def walk(task: Walk, folder: Path, *, steps: int = 10, made_of: str = "a") -> pd.DataFrame:
    return run_training(
        task, steps=steps, steps_per_evaluation=4, state=folder, made_of=made_of, label=""
    ).history


def test_the_history_has_mean_losses_between_evaluations_and_a_last_row(tmp_path):
    history = walk(Walk(), tmp_path)
    assert history.columns.tolist() == ["step", "loss", "other", "after"]
    assert history["step"].tolist() == [4, 8, 10]
    assert history["loss"].tolist() == [1.5, 5.5, 8.5]
    assert history["after"].tolist() == [4, 8, 10]


@pytest.mark.parametrize(("die_at", "resumes_at"), [(1, 0), (4, 4), (6, 4), (9, 8)])
def test_a_resumed_loop_goes_on_after_the_last_evaluation(tmp_path, die_at, resumes_at):
    torch.manual_seed(0)
    whole = Walk()
    expected = walk(whole, tmp_path / "whole")
    torch.manual_seed(0)
    with pytest.raises(Killed):
        walk(Walk(die_at=die_at), tmp_path / "killed")
    torch.manual_seed(0 if resumes_at == 0 else 99)  # a new process starts anywhere
    resumed = Walk()
    history = walk(resumed, tmp_path / "killed")
    assert resumed.steps == list(range(resumes_at, 10))
    assert torch.equal(resumed.weight, whole.weight)
    pd.testing.assert_frame_equal(history, expected, check_exact=True)


def test_a_finished_run_is_not_trained_again(tmp_path):
    expected = walk(Walk(), tmp_path)
    again = Walk()
    pd.testing.assert_frame_equal(walk(again, tmp_path), expected, check_exact=True)
    assert again.steps == []
    assert again.weight.any()


@pytest.mark.parametrize("nan_at", [0, 5])
def test_a_loss_that_is_not_finite_stops_the_run_and_names_the_step(tmp_path, nan_at):
    task = Walk(nan_at=nan_at)
    with pytest.raises(FloatingPointError, match=rf"loss is nan at step {nan_at}\b"):
        walk(task, tmp_path)
    assert task.steps == list(range(nan_at + 1))


def test_the_last_good_state_outlives_a_loss_that_is_not_finite(tmp_path):
    with pytest.raises(FloatingPointError, match="state after step 4 is kept in") as caught:
        walk(Walk(nan_at=5), tmp_path)
    assert str(tmp_path) in str(caught.value)
    cured = Walk()
    walk(cured, tmp_path)
    assert cured.steps == list(range(4, 10))


@pytest.mark.parametrize("run", ["classifier", "adda"])
def test_a_loss_that_is_not_finite_names_the_images_of_its_batch(study, tmp_path, run):
    kind = {"classifier": ClassifierTask, "adda": AddaTask}[run]
    seen = {}

    def step(self: Any, step: int) -> dict[str, float]:
        seen["task"] = self
        return {"train_loss": math.nan if step == 1 else 0.5}

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kind, "step", step)
        with pytest.raises(FloatingPointError) as caught:
            (run_classifier if run == "classifier" else run_adda)(study, tmp_path)
    task = seen["task"]
    order = task.order if run == "classifier" else task.batches.target_order
    named = str(caught.value).split("batch: ")[1].split(";")[0].rstrip(")")
    assert {int(n) for n in re.findall(r"\d+", named)} >= set(order(1).tolist())


def test_a_classifier_with_broken_weights_stops_at_once(study, tmp_path):
    task = classifier_task(study)
    with torch.no_grad():
        task.model.head.bias[0] = torch.inf
    with pytest.raises(FloatingPointError, match=r"train_loss is (nan|inf) at step 0\b"):
        run_training(task, steps=3, steps_per_evaluation=1, state=tmp_path, made_of={}, label="")


def test_a_checkpoint_of_another_run_is_not_used(tmp_path):
    with pytest.raises(Killed):
        walk(Walk(die_at=6), tmp_path, made_of="a")
    assert load_checkpoint(tmp_path, "a") is not None
    assert load_checkpoint(tmp_path, "b") is None
    other = Walk()
    walk(other, tmp_path, made_of="b")
    assert other.steps == list(range(10))


def test_a_refused_checkpoint_is_told_from_its_own_by_what_differs(tmp_path, caplog):
    there = {"config": {"epochs": 3, "betas": [0.9, 0.95]}, "data": ["1a"], "seed": 0}
    save_checkpoint(tmp_path, there, {"done": 1})
    assert load_checkpoint(tmp_path, json.loads(json.dumps(there))) is not None
    assert not caplog.messages
    here = {"config": {"epochs": 4, "betas": [0.9, 0.95]}, "data": ["1a", "2b"], "seed": 0}
    assert load_checkpoint(tmp_path, here) is None
    (message,) = caplog.messages
    assert "config.epochs is 3 there, 4 here" in message
    assert 'data is ["1a"] there, ["1a", "2b"] here' in message
    assert "betas" not in message
    assert "seed" not in message


def test_fingerprints_follow_the_content_and_not_the_order_of_keys():
    content = {"a": 1, "b": [1.5, None]}
    assert fingerprint_of(content) == fingerprint_of({"b": [1.5, None], "a": 1})
    changed = [{"a": 2, "b": [1.5, None]}, {"a": 1, "b": [None, 1.5]}, {"a": 1}]
    assert len({fingerprint_of(c) for c in [content, *changed]}) == 4
