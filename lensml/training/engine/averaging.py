"""Exponential moving average of a network's weights."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class WeightAverage:
    """Moves the weights (and batch-norm statistics) of one network towards another's.

    The tensors are looked up once: walking two state dicts at every step costs more than the sums.
    Both networks must keep their tensors, as ``load_state_dict`` does and ``to`` does not.
    """

    def __init__(self, average: nn.Module, model: nn.Module) -> None:
        """Pair the tensors of two networks of one architecture."""
        old, new = average.state_dict(), model.state_dict()
        pairs = list(zip(old.values(), new.values(), strict=True))
        self._sums = _columns([pair for pair in pairs if pair[0].is_floating_point()])
        self._counters = _columns([pair for pair in pairs if not pair[0].is_floating_point()])

    @torch.no_grad()
    def update(self, decay: float) -> None:
        """``average = decay * average + (1 - decay) * model``; counters are copied."""
        torch._foreach_lerp_(*self._sums, 1 - decay)  # type: ignore[reportPrivateImportUsage]
        if self._counters[0]:
            torch._foreach_copy_(*self._counters)  # type: ignore[reportPrivateImportUsage]


def _columns(pairs: list[tuple[Tensor, Tensor]]) -> tuple[list[Tensor], list[Tensor]]:
    return [old for old, _ in pairs], [new for _, new in pairs]
