"""Losses of the steps between two evaluations."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor

from lensml.training.engine.ranks import mean_over_ranks, world_size

READ_EVERY = 50  # steps: to read a loss is to wait for the GPU, or for the other processes


class NotFiniteError(FloatingPointError):
    """A loss is not finite.

    Attributes:
        step: at which.
    """

    def __init__(self, name: str, value: float, step: int) -> None:
        super().__init__(f"{name} is {value} at step {step}; the run stops here")
        self.step = step


class Losses:
    """Sums of losses, which are read from the device as seldom as is safe.

    Losses on one CPU are read at every step. On a GPU, or with several processes, up to
    ``READ_EVERY`` steps wait and are read at once; a loss that is not finite is found that much
    later, and its step is named all the same.
    """

    def __init__(self) -> None:
        self._waiting: list[tuple[int, Mapping[str, Tensor | float]]] = []
        self._totals: dict[str, float] = {}
        self._count = 0

    def add(self, step: int, losses: Mapping[str, Tensor | float]) -> None:
        """Add the losses of a step.

        Raises:
            NotFiniteError: a loss is not finite; names the step.
        """
        self._waiting.append((step, losses))
        at_once = world_size() == 1 and not any(_on_gpu(value) for value in losses.values())
        if at_once or len(self._waiting) >= READ_EVERY:
            self._read()

    def means(self) -> dict[str, float]:
        """Mean of every loss over all steps that were added."""
        self._read()
        return {name: total / self._count for name, total in self._totals.items()}

    def _read(self) -> None:
        if not self._waiting:
            return
        steps = [step for step, _ in self._waiting]
        names = list(self._waiting[0][1])
        columns = {name: _numbers([row[name] for _, row in self._waiting]) for name in names}
        for row, step in enumerate(steps):
            for name, values in columns.items():
                if not math.isfinite(values[row]):
                    raise NotFiniteError(name, values[row], step)
                self._totals[name] = self._totals.get(name, 0.0) + values[row]
        self._count += len(steps)
        self._waiting.clear()


def _on_gpu(value: Tensor | float) -> bool:
    return isinstance(value, Tensor) and value.is_cuda


def _numbers(values: list[Tensor | float]) -> list[float]:
    if isinstance(values[0], Tensor):
        return mean_over_ranks(torch.stack([torch.as_tensor(v) for v in values])).tolist()
    return [float(v) for v in values]
