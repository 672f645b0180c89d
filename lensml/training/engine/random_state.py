"""States of torch's random generators, of every process and device, for checkpoints."""

from __future__ import annotations

from typing import Any

import torch

from lensml.training.engine.ranks import gathered, rank


def random_state() -> list[dict[str, torch.Tensor]]:
    """States of the generators, one entry per process."""
    state = {"cpu": torch.get_rng_state()}
    if torch.cuda.is_available() and torch.cuda.is_initialized():
        state["cuda"] = torch.cuda.get_rng_state()
    return gathered(state)


def restore_random_state(states: list[dict[str, Any]]) -> None:
    """Inverse of :func:`random_state`; a process that had none keeps the state it has."""
    if rank() >= len(states):
        return
    state = states[rank()]
    torch.set_rng_state(state["cpu"])
    if "cuda" in state and torch.cuda.is_available():
        torch.cuda.set_rng_state(state["cuda"])
