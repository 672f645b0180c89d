"""This process among those of one training run, and what they share."""

from __future__ import annotations

from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor, distributed, nn
from torch.nn.parallel import DistributedDataParallel

_Module = TypeVar("_Module", bound=nn.Module)


def rank() -> int:
    """Number of this process, 0 outside of :func:`on_every_device`."""
    return distributed.get_rank() if distributed.is_initialized() else 0


def world_size() -> int:
    """Number of processes, 1 outside of :func:`on_every_device`."""
    return distributed.get_world_size() if distributed.is_initialized() else 1


def wait() -> None:
    """Wait for the other processes."""
    if world_size() > 1:
        distributed.barrier()


def gathered(value: Any) -> list[Any]:
    """The value of every process, known to all of them."""
    values: list[Any] = [value] * world_size()
    if world_size() > 1:
        distributed.all_gather_object(values, value)
    return values


def mean_over_ranks(values: Tensor) -> Tensor:
    """Mean over the processes, known to all of them."""
    if world_size() == 1:
        return values
    values = values.clone()
    distributed.all_reduce(values)
    return values / world_size()


def shared(module: nn.Module, device: torch.device) -> nn.Module:
    """The module to call in training: gradients become means over the processes.

    Batch norm takes its statistics over all GPUs. On the CPU, where torch has no such layer, every
    process normalises by its own part of the batch, and process 0's running statistics are kept.
    """
    if world_size() == 1:
        return module
    # Drop paths are drawn by every process for its own images.
    if rank() > 0:
        torch.manual_seed(torch.initial_seed() + rank())
    devices = [device] if device.type == "cuda" else None
    return DistributedDataParallel(module, device_ids=devices, gradient_as_bucket_view=True)


def synchronised(module: _Module, device: torch.device) -> _Module:
    """The network with batch norms over all GPUs, if there are several; weights stay the same."""
    if world_size() == 1 or device.type != "cuda":
        return module
    return nn.SyncBatchNorm.convert_sync_batchnorm(module)  # type: ignore[return-value]


def share(n: int, copies: int = 1) -> np.ndarray:
    """Rows of a batch that this process computes; whole systems stay together.

    Args:
        n: images of the batch.
        copies: parts of the batch whose images correspond (classes of the same systems).

    Raises:
        ValueError: fewer systems than processes.
    """
    rows = np.arange(n).reshape(copies, -1)
    if rows.shape[1] < world_size():
        what = "systems" if copies > 1 else "images"
        raise ValueError(
            f"compute.devices = {world_size()}: a batch of {rows.shape[1]} {what} cannot be "
            "divided among them; raise batch_size or lower devices"
        )
    return np.array_split(rows, world_size(), axis=1)[rank()].ravel()


def weight_of(rows: np.ndarray, n: int) -> float:
    """Factor of a mean loss over ``rows``, so that the mean over processes is that of ``n``."""
    return len(rows) * world_size() / n
