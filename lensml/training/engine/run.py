"""From a task to weights, history and ``run.json``: what every training run does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from lensml.data.files import write_csv
from lensml.training.engine.execution import FLOAT32, Execution
from lensml.training.engine.loop import Outcome, finish, run_training
from lensml.training.engine.ranks import world_size
from lensml.training.engine.record import write_run
from lensml.training.engine.setting import Results, Setting


def run_task(
    task: Any, steps: int, per_evaluation: int, config: Any, data: list[str], setting: Setting
) -> Outcome:
    """Train a task; its checkpoint is of this configuration, data and seed.

    Args:
        task: see :class:`lensml.training.engine.loop.Task`.
        steps: in total.
        per_evaluation: steps between two rows of the history.
        config: every section that the run depends on.
        data: checksums of what it reads.
        setting: see :class:`lensml.training.engine.setting.Setting`.
    """
    return run_training(
        task,
        steps=steps,
        steps_per_evaluation=per_evaluation,
        state=setting.state,
        made_of={
            "config": config,
            "data": data,
            "seed": setting.seed,
            "network_input": setting.network_input.model_dump(),
            "precision": task.execution.precision,
        },
        label=setting.label,
    )


def write_results(
    outcome: Outcome,
    results: Results,
    config: dict[str, Any],
    data: list[str],
    setting: Setting,
    device: torch.device,
    images_per_step: int,
    execution: Execution = FLOAT32,
) -> None:
    """Write history and ``run.json`` beside the weights, then remove the checkpoint.

    Args: as for :func:`run_task`, and its ``outcome``, the files to write, where it ran, and
    ``images_per_step``, which turns steps per second into images per second.
    """
    write_csv(results.history, outcome.history)
    write_run(
        results.run,
        config={**config, "network_input": setting.network_input.model_dump()},
        data=data,
        device=device,
        seconds=outcome.seconds,
        images_per_second=outcome.steps_per_second * images_per_step,
        precision=execution.precision,
        devices=world_size(),
        seed=setting.seed,
        weights=Path(results.weights).name,
    )
    finish(setting.state)
