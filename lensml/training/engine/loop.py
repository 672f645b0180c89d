"""One resumable loop for every kind of training.

A task says what a step and an evaluation are; the loop counts steps, keeps the history, writes
checkpoints and resumes from them. A run that was killed and resumed is bit-identical to one that
was not, because data order and augmentation follow from (seed, step) and the rest is in the
checkpoint.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import pandas as pd
from torch import Tensor
from tqdm import tqdm

from lensml.training.engine.checkpoint import load_checkpoint, remove_checkpoint, save_checkpoint
from lensml.training.engine.losses import Losses, NotFiniteError
from lensml.training.engine.random_state import random_state, restore_random_state
from lensml.training.engine.ranks import rank, wait

log = logging.getLogger(__name__)


class Task(Protocol):
    """What the loop trains."""

    def step(self, step: int) -> Mapping[str, Tensor | float]:
        """One optimisation step; returns its losses by history column, where they were made."""
        ...

    def evaluate(self, step: int) -> dict[str, float]:
        """Further columns of the history after ``step`` steps."""
        ...

    def state_dict(self) -> dict[str, Any]:
        """Everything that the next step depends on."""
        ...

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Inverse of :meth:`state_dict`."""
        ...


class Outcome(NamedTuple):
    """History (one row per evaluation) and speed of a run."""

    history: pd.DataFrame
    seconds: float
    steps_per_second: float


def run_training(
    task: Task,
    *,
    steps: int,
    steps_per_evaluation: int,
    state: str | Path,
    made_of: Any,
    label: str,
) -> Outcome:
    """Train for a number of steps, resuming from ``state`` if a killed run left one.

    Args:
        task: what to train.
        steps: in total.
        steps_per_evaluation: between two rows of the history (the last row comes at the end).
        state: folder of the checkpoint.
        made_of: configuration and checksums of the data; another run's checkpoint is not used.
        label: shown by the progress bar.

    Raises:
        FloatingPointError: a loss is not finite; names the step, the images of its batch, and the
            checkpoint of the last good state, which is kept.
    """
    done, rows = 0, []
    resumed = load_checkpoint(state, made_of)
    if resumed is not None:
        task.load_state_dict(resumed["task"])
        restore_random_state(resumed["rng"])
        done, rows = resumed["done"], resumed["rows"]
        log.info("resuming after step %d of %d", done, steps)
    wait()  # nobody may write before everybody has read
    started = time.perf_counter()
    first, writes = done, rank() == 0
    # None: silent when the output is not a terminal.
    silent = None if writes else True
    with tqdm(total=steps, initial=done, desc=label, unit="step", disable=silent) as bar:
        while done < steps:
            until = min(done + steps_per_evaluation, steps)
            try:
                losses = run_steps(task, done, until, bar)
            except NotFiniteError as error:
                kept = (
                    f"the state after step {done} is kept in {state}" if done else "none is kept"
                )
                raise FloatingPointError(
                    f"{error} (images of the batch: {images_of_step(task, error.step)}; {kept})"
                ) from None
            done = until
            row = {"step": done, **losses, **(task.evaluate(done) if writes else {})}
            rows.append(row)
            generators = random_state()  # of every process
            if not writes:
                continue
            log.info("%s", "  ".join(f"{k}={v:.5g}" for k, v in row.items()))
            bar.set_postfix({k: f"{v:.3g}" for k, v in list(row.items())[1:4]})
            content = {"task": task.state_dict(), "rng": generators, "done": done, "rows": rows}
            save_checkpoint(state, made_of, content)
    seconds = time.perf_counter() - started
    return Outcome(pd.DataFrame(rows), seconds, (steps - first) / max(seconds, 1e-9))


def run_steps(task: Task, start: int, stop: int, bar: tqdm) -> dict[str, float]:
    """Mean losses over the steps from ``start`` to ``stop``."""
    losses = Losses()
    for step in range(start, stop):
        losses.add(step, task.step(step))
        bar.update()
    return losses.means()


def images_of_step(task: Any, step: int) -> str:
    """Which images a step sees, numbered through the stores in their order: ``3, 17, 40``."""
    orders = {"source": "source_order", "target": "target_order"}
    batches = getattr(task, "batches", task)
    if hasattr(task, "order"):
        return ", ".join(map(str, task.order(step)))
    return ", ".join(
        f"{domain} {' '.join(map(str, getattr(batches, name)(step)))}"
        for domain, name in orders.items()
        if hasattr(batches, name)
    )


def finish(state: str | Path) -> None:
    """Remove the checkpoint of a run whose results are written."""
    remove_checkpoint(state)
