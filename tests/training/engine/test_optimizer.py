"""Learning rates, weight decay and Muon."""

from __future__ import annotations

import copy
import math

import pytest
import torch
from timm.optim.muon import Muon as TimmMuon
from torch import nn
from toy.study import CNN, OPTIMIZATION

from lensml.models.encoders import build_classifier, build_encoder
from lensml.schema import encoders as encoder_schema
from lensml.schema import training as schema
from lensml.training.engine.optimizer import learning_rate_at, optimizer_of, set_learning_rate

pytestmark = pytest.mark.usefixtures("one_torch_thread")


def schedule(step: int) -> float:
    return learning_rate_at(step, steps=110, warmup=10, learning_rate=1.0, min_learning_rate=0.2)


def test_the_learning_rate_warms_up_linearly_and_decays_as_half_a_cosine():
    assert [schedule(s) for s in (0, 4, 9)] == pytest.approx([0.1, 0.5, 1.0])
    assert schedule(10) == pytest.approx(1.0)
    assert schedule(35) == pytest.approx(0.2 + 0.8 * (1 + math.sqrt(0.5)) / 2)
    assert schedule(60) == pytest.approx(0.6)
    assert schedule(110) == pytest.approx(0.2)
    rates = [schedule(s) for s in range(111)]
    assert rates[:10] == sorted(set(rates[:10]))
    assert rates[10:] == sorted(set(rates[10:]), reverse=True)


def test_every_group_of_weights_gets_the_learning_rate_of_the_step():
    spec = schema.Optimization(**OPTIMIZATION)
    optimizer = optimizer_of(build_encoder(CNN, 16), spec)
    # 20 of 100 steps warm up to 1e-2.
    assert set_learning_rate(optimizer, spec, 9, 100) == pytest.approx(5e-3)
    assert [group["lr"] for group in optimizer.param_groups] == pytest.approx([5e-3, 5e-3])


def test_weight_decay_shrinks_matrices_and_leaves_biases_and_norms():
    model = nn.Sequential(nn.Linear(3, 3), nn.LayerNorm(3))
    before = copy.deepcopy(model.state_dict())
    optimizer = optimizer_of(model, schema.Optimization(**OPTIMIZATION))
    for parameter in model.parameters():
        parameter.grad = torch.zeros_like(parameter)
    optimizer.step()
    after = model.state_dict()
    torch.testing.assert_close(after["0.weight"], before["0.weight"] * (1 - 1e-2 * 0.05))
    for name in ("0.bias", "1.weight", "1.bias"):
        assert torch.equal(after[name], before[name])


def test_muon_makes_the_updates_of_inner_matrices_orthogonal():
    """All singular values of an update are equal, whatever those of the gradient were."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(6, 8), nn.Linear(8, 8), nn.LayerNorm(8), nn.Linear(8, 3))
    spec = schema.Optimization(**{**OPTIMIZATION, "weight_decay": 0.0}, optimizer="muon")
    optimizer = optimizer_of(model, spec)
    before = copy.deepcopy(model.state_dict())
    for parameter in model.parameters():
        parameter.grad = torch.randn_like(parameter)
    optimizer.step()
    moved = {name: value - before[name] for name, value in model.state_dict().items()}
    # Five iterations of Newton and Schulz leave singular values between 0.7 and 1.2 of their mean.
    inner = torch.linalg.svdvals(moved["1.weight"])
    assert inner.max() / inner.min() < 2
    for name in ("0.weight", "3.weight", "1.bias", "2.weight"):
        size = moved[name].abs()  # a first step of Adam is the gradient's sign
        torch.testing.assert_close(size, torch.full_like(size, float(size.mean())))


def test_muon_is_timms_but_for_its_precision():
    """The same steps as timm takes in bfloat16, which resolves 1 part in 256."""
    spec = schema.Optimization(**OPTIMIZATION, optimizer="muon")
    torch.manual_seed(0)
    convolution = nn.Conv2d(4, 8, 3)
    model = nn.Sequential(nn.Linear(6, 8), convolution, nn.Linear(24, 8), nn.Linear(8, 3))
    other = copy.deepcopy(model)
    ours = optimizer_of(model, spec)
    assert [len(group["params"]) for group in ours.param_groups] == [2, 2, 4]
    groups = optimizer_of(other, spec).param_groups
    kept = ("params", "use_fallback")
    theirs = TimmMuon(
        [{k: g[k] for k in kept if k in g} for g in groups],
        **{k: groups[0][k] for k in ("lr", "momentum", "nesterov", "betas", "weight_decay")},
    )
    theirs.param_groups[2]["weight_decay"] = 0.0
    for _ in range(3):
        for a, b in zip(model.parameters(), other.parameters(), strict=True):
            a.grad = torch.randn_like(a)
            b.grad = a.grad.clone()
        ours.step()
        theirs.step()
    for name, p in model.named_parameters():
        q = other.get_parameter(name)
        # Three steps of 1e-2 in weights of 0.1 to 0.4.
        torch.testing.assert_close(p, q, rtol=0, atol=3 * 1e-2 * 0.01, msg=name)


def test_muon_decays_matrices_and_leaves_biases_norms_and_tables_of_positions():
    vit = {"patch_size": 4, "embed_dim": 8, "depth": 2, "num_heads": 2, "mlp_ratio": 2.0}
    spec = encoder_schema.Vit(kind="vit", init_values=0.1, drop_path_rate=0.0, **vit)
    network = build_classifier(spec, img_size=16, num_classes=3, seed=0)
    optimizer = optimizer_of(network, schema.Optimization(**OPTIMIZATION, optimizer="muon"))
    inner, outer, others = (group["params"] for group in optimizer.param_groups)
    names = {id(p): name for name, p in network.named_parameters()}
    assert all(names[id(p)].startswith("encoder.blocks.") and p.ndim == 2 for p in inner)
    kept = {"encoder.pos_embed", "encoder.patch_embed.proj.weight", "head.weight"}
    assert {names[id(p)] for p in outer} == kept
    assert all(p.ndim == 1 for p in others)
    assert len(inner) + len(outer) + len(others) == len(names)
    decays = [group["weight_decay"] for group in optimizer.param_groups]
    assert decays == [0.05, 0.05, 0.0]
