"""One training run on several GPUs, or on several processes of a CPU.

Every process holds the whole network and computes its share of every batch; the gradients are
averaged (torch's DistributedDataParallel), so that batches, steps and learning rates are those of
one process. Process 0 evaluates, keeps the history and writes; the others wait for it.
"""

from __future__ import annotations

import logging
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import wraps
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor, distributed, multiprocessing, nn
from torch.multiprocessing.spawn import ProcessExitedException, ProcessRaisedException, spawn
from torch.nn.parallel import DistributedDataParallel

from lensml.schema.training import Compute
from lensml.training.setting import Setting

# The others wait this long while process 0 evaluates. One that dies ends the run at once.
TIMEOUT = timedelta(hours=6)
LOG_FORMAT = "%(asctime)s %(message)s"  # of the job that started the processes
_Module = TypeVar("_Module", bound=nn.Module)


def on_every_device(work: Callable[..., None]) -> Callable[..., None]:
    """Decorator: the function runs in ``setting.compute.devices`` processes, if that is not one.

    Args:
        work: a function of a module with the keyword ``setting``; its arguments are pickled.
    """

    @wraps(work)
    def run(*args: Any, setting: Setting, **options: Any) -> None:
        if setting.compute.devices == 1 or distributed.is_initialized():
            work(*args, setting=setting, **options)
        else:
            _start(run, setting.compute, args, {**options, "setting": setting})

    return run


def _start(
    work: Callable[..., None], compute: Compute, args: tuple, options: dict[str, Any]
) -> None:
    """Start the processes and wait for them.

    Raises:
        ValueError: there are fewer GPUs than devices.
        ChildProcessError: a process failed; one line, of the first that did.
    """
    count = compute.devices
    if _on_gpu(compute) and torch.cuda.device_count() < count:
        raise ValueError(
            f"compute.devices = {count}: more than the GPUs that torch sees here, "
            f"{torch.cuda.device_count()}"
        )
    failures = multiprocessing.get_context("spawn").SimpleQueue()
    with tempfile.TemporaryDirectory() as folder, _without_main_file():
        meeting = f"file://{folder}/meeting"
        job = (count, meeting, _log_file(), failures, work, compute, args, options)
        try:
            spawn(_process, job, nprocs=count)
        except (ProcessRaisedException, ProcessExitedException) as error:
            # The first in time: the others fail because it is gone.
            line = str(error) if failures.empty() else failures.get()
            raise ChildProcessError(line.strip()) from error


def _on_gpu(compute: Compute) -> bool:
    return compute.device != "cpu" and torch.cuda.is_available()


def _process(
    rank: int,
    count: int,
    meeting: str,
    log_file: str | None,
    failures: Any,
    work: Callable[..., None],
    compute: Compute,
    args: tuple,
    options: dict[str, Any],
) -> None:
    """What every process does."""
    if rank == 0 and log_file is not None:
        logging.basicConfig(
            filename=log_file, level=logging.INFO, format="%(asctime)s %(message)s"
        )
    logging.captureWarnings(True)
    try:
        if _on_gpu(compute):
            torch.cuda.set_device(rank)
        distributed.init_process_group(
            "nccl" if _on_gpu(compute) else "gloo",
            init_method=meeting,
            rank=rank,
            world_size=count,
            timeout=TIMEOUT,
        )
        work(*args, **options)
        wait()
        distributed.destroy_process_group()
    except Exception as error:
        text = " ".join(str(error).split()) or type(error).__name__
        failures.put(f"process {rank} of {count}: {text}")
        raise


@contextmanager
def _without_main_file() -> Iterator[None]:
    """Hide the main module's file: a new process would run it, and with it the whole job."""
    main = sys.modules["__main__"]
    hidden = {k: main.__dict__.pop(k) for k in ("__file__", "__spec__") if k in main.__dict__}
    main.__spec__ = None
    try:
        yield
    finally:
        main.__dict__.update(hidden)


def _log_file() -> str | None:
    """File of the job's log, to which process 0 appends."""
    for handler in logging.getLogger().handlers:
        if isinstance(handler, logging.FileHandler):
            return str(Path(handler.baseFilename))
    return None


# ------------------------------------------------------------------------------- within a process


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
