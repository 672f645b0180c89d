"""What tests of networks share."""

from __future__ import annotations

import torch
from torch import Tensor, nn


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=generator(seed))


def without_gradient(model: nn.Module) -> list[str]:
    parameters = model.named_parameters()
    return [name for name, p in parameters if p.grad is None or not p.grad.any()]
