"""Precision and compilation."""

from __future__ import annotations

import json
from typing import Any

import pytest
import torch
from toy.devices import ADDA, CLASSIFIER, CPU, MAE, STEM, VIT, images_of, setting_with, train

from lensml.models.encoders import build_classifier
from lensml.models.mae import MaskedAutoencoder
from lensml.training.adaptation.adda import AddaTask
from lensml.training.anomaly.mae import MaeTask
from lensml.training.classification.task import ClassifierTask
from lensml.training.engine.checkpoint import load_checkpoint, save_checkpoint
from lensml.training.engine.execution import FLOAT32, Execution, execution_of

pytestmark = pytest.mark.usefixtures("one_torch_thread")


def classifier_task(
    stores: dict, execution: Execution = FLOAT32, **options: Any
) -> ClassifierTask:
    return ClassifierTask(
        build_classifier(VIT, img_size=16, num_classes=2, seed=0),
        images_of(stores["train"]),
        images_of(stores["val"]),
        spec=CLASSIFIER,
        steps=60,
        seed=0,
        symmetry="square",
        label_smoothing=0.0,
        ema_decay=0.9,
        paired=True,
        device=CPU,
        execution=execution,
    )


def mae_task(stores: dict, execution: Execution = FLOAT32) -> MaeTask:
    torch.manual_seed(0)
    return MaeTask(
        MaskedAutoencoder(MAE, 16),
        images_of(stores["train"][1:]),
        images_of(stores["val"][1:]),
        spec=MAE,
        steps=60,
        seed=0,
        symmetry="square",
        device=CPU,
        execution=execution,
    )


def adda_task(stores: dict, execution: Execution = FLOAT32) -> AddaTask:
    return AddaTask(
        build_classifier(STEM, img_size=16, num_classes=2, seed=0).encoder,
        images_of(stores["train"]),
        images_of(stores["pool"], labelled=False),
        spec=ADDA,
        seed=0,
        source_symmetry="square",
        target_symmetry="square",
        device=CPU,
        execution=execution,
    )


# Precision


def test_precision_is_float32_on_a_cpu_unless_bfloat16_is_asked_for(tmp_path):
    for asked, expected in (("auto", "float32"), ("float32", "float32"), ("bfloat16", "bfloat16")):
        execution = execution_of(setting_with(tmp_path, precision=asked).compute, CPU)
        assert execution.precision == expected


@pytest.mark.parametrize("make", [classifier_task, mae_task, adda_task])
def test_in_bfloat16_losses_are_finite_and_near_those_of_float32(stores, make):
    exact, rounded = make(stores), make(stores, Execution(bfloat16=True))
    for step in range(3):
        expected, found = exact.step(step), rounded.step(step)
        for name, value in found.items():
            assert torch.is_tensor(value)
            assert value.dtype == torch.float32
            # 8 bits of mantissa, a step function in the accuracy of 16 images
            tolerance = 0.2 if name == "discriminator_accuracy" else 0.05
            assert float(value) == pytest.approx(float(expected[name]), rel=0.1, abs=tolerance)
    differs = any(float(found[name]) != float(expected[name]) for name in found)
    assert differs  # or nothing was rounded


def test_a_toy_problem_is_learned_in_bfloat16_with_weights_in_float32(stores):
    task = classifier_task(stores, Execution(bfloat16=True))
    for step in range(60):
        task.step(step)
    assert task.evaluate(60)["val_roc_auc_ovr_macro"] > 0.95
    assert {p.dtype for p in task.model.parameters()} == {torch.float32}
    assert {v.dtype for v in task.best.values()} == {torch.float32}


def test_a_run_records_its_precision(stores, tmp_path):
    train(stores, tmp_path, precision="bfloat16")
    run = json.loads((tmp_path / "run.json").read_text())
    assert (run["precision"], run["devices"]) == ("bfloat16", 1)
    assert run["config"]["classifier"]["epochs"] == CLASSIFIER.epochs


def test_evaluations_neither_compile_nor_use_tf32():
    torch.set_float32_matmul_precision("high")
    try:
        with Execution(bfloat16=True).evaluating():
            assert torch.get_float32_matmul_precision() == "highest"
            assert not torch.backends.cudnn.allow_tf32
        assert torch.get_float32_matmul_precision() == "high"
    finally:
        torch.set_float32_matmul_precision("highest")


# Compilation


@pytest.mark.slow
def test_a_compiled_network_keeps_its_names_and_its_checkpoint_can_be_read(stores, tmp_path):
    plain, compiled = classifier_task(stores), classifier_task(stores, Execution(compiled=True))
    losses = [[float(t.step(s)["train_loss"]) for s in range(3)] for t in (plain, compiled)]
    assert losses[1] == pytest.approx(losses[0], rel=1e-3)
    assert compiled.model._compiled_call_impl is not None
    assert compiled.model.state_dict().keys() == plain.model.state_dict().keys()
    save_checkpoint(tmp_path, "a", {"task": compiled.state_dict()})
    loaded = load_checkpoint(tmp_path, "a")
    assert loaded is not None
    plain.load_state_dict(loaded["task"])  # read with weights_only: no code was pickled
    for name, value in plain.model.state_dict().items():
        assert torch.equal(value, compiled.model.state_dict()[name])
