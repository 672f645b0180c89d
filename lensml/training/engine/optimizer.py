"""Optimiser, its learning rate, and a step of it."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

from lensml.schema.training import Optimization
from lensml.training.engine.muon import Muon, suits_muon
from lensml.training.engine.stopwatch import no_lap

MUON_MOMENTUM = 0.95  # as published


def optimizer_of(module: nn.Module, spec: Optimization) -> torch.optim.Optimizer:
    """AdamW, or Muon for the matrices between input and output.

    Biases, norms and scales (one-dimensional weights) are not decayed. Muon (Jordan et al. 2024,
    https://kellerjordan.github.io/posts/muon) makes the update of a matrix orthogonal; steps are
    scaled to the size of AdamW's (Liu et al. 2025, arXiv 2502.16982), so that one learning rate
    serves both. The first and the last layer, and what is no matrix, get NAdamW.

    Args:
        module: its parameters are optimised.
        spec: optimiser and its settings.
    """
    weights = [p for p in module.parameters() if p.ndim > 1]
    others = [p for p in module.parameters() if p.ndim <= 1]
    if spec.optimizer == "muon":
        return _muon(weights, others, spec)
    groups = [{"params": weights}, {"params": others, "weight_decay": 0.0}]
    return torch.optim.AdamW(
        groups,
        lr=spec.learning_rate,
        betas=(spec.betas[0], spec.betas[1]),
        weight_decay=spec.weight_decay,
        fused=True,
    )


def _muon(weights: list[nn.Parameter], others: list[nn.Parameter], spec: Optimization) -> Muon:
    """Muon on all matrices but the first and the last, in the order of their definition."""
    matrices = [p for p in weights if p.shape[0] > 1]  # embeddings of positions: (1, L, D)
    inner = [p for p in matrices[1:-1] if suits_muon(p)]
    kept = {id(p) for p in inner}
    outer = [p for p in weights if id(p) not in kept]
    groups = [
        {"params": inner},
        {"params": outer, "use_fallback": True},
        {"params": others, "use_fallback": True, "weight_decay": 0.0},
    ]
    return Muon(
        groups,
        lr=spec.learning_rate,
        weight_decay=spec.weight_decay,
        momentum=MUON_MOMENTUM,
        nesterov=True,
        betas=(spec.betas[0], spec.betas[1]),
    )


def set_learning_rate(
    optimizer: torch.optim.Optimizer, spec: Optimization, step: int, steps: int
) -> float:
    """Set and return the learning rate of a step."""
    rate = learning_rate_at(
        step,
        steps=steps,
        warmup=max(round(steps * spec.warmup_fraction), 1),
        learning_rate=spec.learning_rate,
        min_learning_rate=spec.min_learning_rate,
    )
    for group in optimizer.param_groups:
        group["lr"] = rate
    return rate


def optimise(
    optimizer: torch.optim.Optimizer,
    loss: Tensor,
    module: nn.Module,
    clip_grad_norm: float,
    lap: Callable[[str], None] = no_lap,
) -> None:
    """Backward pass, clipping, one step."""
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    lap("backward")
    nn.utils.clip_grad_norm_(module.parameters(), clip_grad_norm)
    optimizer.step()
    lap("optimizer")


def learning_rate_at(
    step: int, *, steps: int, warmup: int, learning_rate: float, min_learning_rate: float
) -> float:
    """Linear warm-up, then half a cosine down to ``min_learning_rate``."""
    if step < warmup:
        return learning_rate * (step + 1) / warmup
    progress = (step - warmup) / max(steps - warmup, 1)
    cosine = 0.5 * (1 + math.cos(math.pi * progress))
    return min_learning_rate + (learning_rate - min_learning_rate) * cosine
