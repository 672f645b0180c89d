"""Where the time of a training step goes."""

from __future__ import annotations

import time

import torch

# In the order of a step. The loop's own work (losses, progress bar) lies between two steps.
PIECES = (
    "batch",
    "augmentation",
    "forward",
    "backward",
    "optimizer",
    "average",
    "bookkeeping",
)
INSIDE = ("forward", "backward", "optimizer")  # what training is; the rest is overhead


def no_lap(piece: str) -> None:
    """What a task calls at the end of a piece when nobody measures."""


class Stopwatch:
    """Wall time of the pieces of a step: a task calls it at the end of each with its name.

    On a GPU every call waits for the GPU, so that a piece is charged with its own work; a step
    takes longer than without.
    """

    def __init__(self, device: torch.device) -> None:
        self.seconds: dict[str, float] = dict.fromkeys(PIECES, 0.0)
        self._on_gpu = device.type == "cuda"
        self._last = time.perf_counter()

    def __call__(self, piece: str) -> None:
        """Add the time since the last call to ``piece``."""
        if self._on_gpu:
            torch.cuda.synchronize()
        now = time.perf_counter()
        self.seconds[piece] += now - self._last
        self._last = now
