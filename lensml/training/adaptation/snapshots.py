"""Weights along a run, for those who want to look at other steps than the last."""

from __future__ import annotations

import json
from pathlib import Path

from safetensors import safe_open
from torch import Tensor

from lensml.training.engine.checkpoint import save_weights


def save_snapshots(path: str | Path, snapshots: dict[int, dict[str, Tensor]]) -> None:
    """Write classifiers into one safetensors file.

    Args:
        path: of the file.
        snapshots: step -> weights by name.
    """
    tensors = {
        f"{step}/{name}": value.clone()  # a safetensors file shares no memory
        for step, state in snapshots.items()
        for name, value in state.items()
    }
    save_weights(path, tensors, {"steps": sorted(snapshots)})


def read_snapshots(path: str | Path) -> list[tuple[int, dict[str, Tensor]]]:
    """Steps and weights of :func:`save_snapshots`, in order."""
    with safe_open(path, framework="pt") as file:
        steps = json.loads(file.metadata()["lensml"])["steps"]
        states: dict[int, dict[str, Tensor]] = {step: {} for step in steps}
        for key in file.keys():  # noqa: SIM118  not a mapping
            step, _, name = key.partition("/")
            states[int(step)][name] = file.get_tensor(key)
    return list(states.items())
