"""ADDA: its losses, what it changes, and what it brings together."""

from __future__ import annotations

import copy
import math
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from toy.runs import CPU, run_adda, same_weights, source_encoder
from toy.study import ADDA, CNN, STEM, Study, images_of

from lensml.models.discriminator import Discriminator
from lensml.schema import encoders as encoder_schema
from lensml.training.adaptation.adda import AddaTask
from lensml.training.engine.prediction import embed

pytestmark = pytest.mark.usefixtures("one_torch_thread")


def adda_task(study: Study, spec: encoder_schema.Encoder = CNN, **changes: Any) -> AddaTask:
    return AddaTask(
        source_encoder(study, spec),
        images_of(study.train),
        images_of([study.pool], labelled=False),
        spec=ADDA.model_copy(update=changes),
        seed=0,
        source_symmetry="none",
        target_symmetry="none",
        device=CPU,
    )


@pytest.mark.parametrize("batch_norm", ["source", "target"])
def test_adaptation_changes_the_target_encoder_alone(study, batch_norm):
    task = adda_task(study, STEM, batch_norm=batch_norm, warmup_steps=0)
    before = copy.deepcopy(task.source_encoder.state_dict())
    for step in range(5):
        task.step(step)
    assert same_weights(task.source_encoder.state_dict(), before)
    assert not any(p.requires_grad for p in task.source_encoder.parameters())
    for name, after in task.target_encoder.named_parameters():
        assert not torch.equal(after, before[name]), name


def test_the_discriminator_learns_alone_while_it_warms_up(study):
    task = adda_task(study, STEM, warmup_steps=3)
    encoder, average = (dict(m.named_parameters()) for m in (task.target_encoder, task.average))
    discriminator = dict(task.discriminator.named_parameters())
    start = [{k: v.detach().clone() for k, v in d.items()} for d in (encoder, average)]
    for step in range(3):
        before = {k: v.detach().clone() for k, v in discriminator.items()}
        task.step(step)
        assert all(not torch.equal(before[name], discriminator[name]) for name in before)
    assert same_weights(encoder, start[0])  # type: ignore[arg-type]
    assert same_weights(average, start[1])  # type: ignore[arg-type]
    task.step(3)
    assert not same_weights(encoder, start[0])  # type: ignore[arg-type]
    assert not same_weights(average, start[1])  # type: ignore[arg-type]


def test_adaptation_keeps_the_head_of_the_classifier(study, tmp_path):
    run_adda(study, tmp_path)
    source = load_file(study.weights["vit_conv_stem"])
    adapted = load_file(tmp_path / "weights.safetensors")
    assert source.keys() == adapted.keys()
    for name in ("head.weight", "head.bias"):
        assert torch.equal(source[name], adapted[name])
    changed = [name for name in source if not torch.equal(source[name], adapted[name])]
    assert any(name.startswith("encoder.blocks") for name in changed)


@pytest.mark.parametrize("warmup_steps", [0, 1])
def test_the_first_step_has_the_losses_of_the_paper(study, warmup_steps):
    task = adda_task(study, warmup_steps=warmup_steps)
    source = task.batches.source.batch(task.batches.source_order(0))
    target = task.batches.target.batch(task.batches.target_order(0))
    discriminator = copy.deepcopy(task.discriminator)
    with torch.no_grad():
        # Batch norm keeps the source's statistics, so evaluation gives the embedding of training.
        embedded_source, embedded_target = (task.source_encoder(x) for x in (source, target))
        logit_s, logit_t = discriminator(embedded_source), discriminator(embedded_target)
    found = task.step(0)

    def cross_entropy(logit: float, goal: float) -> float:
        p = 1 / (1 + math.exp(-logit))
        return -goal * math.log(p) - (1 - goal) * math.log(1 - p)

    smooth = ADDA.label_smoothing
    losses = [cross_entropy(v, smooth) for v in logit_s.tolist()]
    losses += [cross_entropy(v, 1 - smooth) for v in logit_t.tolist()]
    assert found["discriminator_loss"] == pytest.approx(np.mean(losses), rel=1e-4)
    hits = [v < 0 for v in logit_s.tolist()] + [v >= 0 for v in logit_t.tolist()]
    assert found["discriminator_accuracy"] == pytest.approx(np.mean(hits))
    # The encoder is trained against the discriminator that has just learned: label 0, inverted.
    with torch.no_grad():
        deceived = [cross_entropy(v, 0.0) for v in task.discriminator(embedded_target).tolist()]
    assert found["encoder_loss"] == pytest.approx(np.mean(deceived), rel=1e-4)


def test_spectral_norm_bounds_the_slope_of_the_discriminator():
    torch.manual_seed(0)
    made = Discriminator(torch.zeros(6), torch.ones(6), 16, spectral_norm=True)
    with torch.no_grad():
        for layer in (made.layers[0], made.layers[2], made.layers[4]):
            layer.parametrizations.weight.original.mul_(20)  # type: ignore[union-attr]
        for _ in range(100):  # of the power iteration, in training
            made(torch.zeros(2, 6))
    made.eval()
    x = torch.randn(500, 6)
    slope = (made(x) - made(x.roll(1, 0))).abs() / (x - x.roll(1, 0)).norm(dim=1)
    assert slope.max() < 1.01
    assert slope.max() > 0.05


def test_a_gradient_penalty_flattens_the_discriminator(study):
    def slope(weight: float) -> float:
        task = adda_task(study, gradient_penalty=weight, warmup_steps=39)
        for step in range(39):
            task.step(step)
        x = embed(task.source_encoder, task.batches.source, np.arange(len(task.batches.source)))
        with torch.enable_grad():
            penalty = task._gradient_penalty(x.clone())
            x = x.clone().requires_grad_()
            (gradient,) = torch.autograd.grad(task.discriminator(x).sum(), x)
        # By the chain rule: a step of one standard deviation.
        by_hand = (gradient * task.discriminator.std).square().sum(1).mean()
        assert penalty.item() == pytest.approx(by_hand.item(), rel=1e-4)
        return penalty.item()

    assert slope(10.0) < 0.5 * slope(0.0)


def test_adaptation_brings_the_embeddings_together(study):
    # A discriminator that learns much faster than the encoder: the game does not oscillate.
    task = adda_task(
        study,
        batch_size=16,
        warmup_steps=20,
        learning_rate_encoder=3e-4,
        learning_rate_discriminator=0.1,
    )

    def distance() -> float:
        source = embed(
            task.source_encoder, task.batches.source, np.arange(len(task.batches.source))
        )
        target = embed(task.average, task.batches.target, np.arange(len(task.batches.target)))
        shift = (source.mean(0) - target.mean(0)) / task.discriminator.std
        return shift.square().mean().sqrt().item()

    before = distance()
    for step in range(120):
        task.step(step)
    assert distance() < 0.5 * before  # 0.12 to 0.35 over twelve other seeds
