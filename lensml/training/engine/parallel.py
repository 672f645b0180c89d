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
from typing import Any

import torch
from torch import distributed, multiprocessing
from torch.multiprocessing.spawn import ProcessExitedException, ProcessRaisedException, spawn

from lensml.schema.training import Compute
from lensml.training.engine.ranks import (
    wait,
)
from lensml.training.engine.setting import Setting

# The others wait this long while process 0 evaluates. One that dies ends the run at once.
TIMEOUT = timedelta(hours=6)
LOG_FORMAT = "%(asctime)s %(message)s"  # of the job that started the processes


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
