"""What the workflow itself costs: planning many jobs, starting one, imports of every kind."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml
from tqdm import tqdm

from lensml.data.files import write_json
from lensml.evaluation.speed.rendering import cpu_name
from lensml.evaluation.statistics.tables import write_formats
from lensml.provenance import git_commit
from lensml.schema.speed import WorkflowSpeed
from lensml.training.engine.record import package_versions

IMPORTS = {
    "start of Python": "pass",
    "imports of a simulating job": "import lensml.simulate.dataset",
    "imports of a figure's job": "import lensml.figures",
    "imports of a table's job": "import lensml.evaluation.statistics.tables",
    "imports of a training job": "import lensml.training.classification.run",
}
IMAGES_PER_BLOCK = 100
FEW, MANY = 2, 10  # jobs, whose difference in time is that of eight
CAPTION = (
    "Cost of the workflow, in seconds: median, and the least and the largest, of {repeats} turns. "
    "A job's cost is what eight more jobs of one image add to a run on one core: Snakemake's own "
    "work, start of Python, imports and compiled kernels from the cache."
)


def benchmark_workflow(
    snakefile: str,
    configs: Sequence[str],
    *,
    domain: str,
    n_stores: int,
    spec: WorkflowSpeed,
    outputs: Sequence[str],
    run: str,
) -> None:
    """Time Snakemake and imports in processes of their own; write the table and its ``run.json``.

    Args:
        snakefile: of this workflow.
        configs: files of the configuration that is in force.
        domain: whose blocks are simulated.
        n_stores: of training images; blocks are spread over them.
        spec: sizes and repeats.
        outputs: the .csv, .html, .md and .tex files to write.
        run: path of the record of versions and machine.

    Raises:
        OSError: Snakemake fails; says with what.
    """
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        snakemake = _Snakemake(snakefile, configs, Path(folder))
        tasks: dict[str, tuple[int, Callable[[], float]]] = {}
        for n_jobs in spec.n_jobs:
            n_train = max(n_jobs // n_stores, 1) * IMAGES_PER_BLOCK
            changes = {"n_train": n_train, "images_per_block": IMAGES_PER_BLOCK}
            tasks[f"dry run of {n_jobs} jobs"] = (
                n_jobs,
                lambda changes=changes: snakemake(["datasets", "-n", "-q", "all"], changes),
            )
        for name, code in IMPORTS.items():
            tasks[name] = (1, lambda code=code: _seconds([sys.executable, "-c", code], folder))
        tasks["a job"] = (1, lambda: snakemake.seconds_per_job(domain))
        rows = [
            _row(name, n_jobs, [measure() for _ in range(spec.repeats)])
            for name, (n_jobs, measure) in tqdm(
                tasks.items(), "benchmark of the workflow", unit="task", disable=None
            )
        ]
    table = pd.DataFrame(rows)
    _write(table, outputs, spec.repeats)
    write_json(
        run,
        {
            "config": spec.model_dump(),
            "device": cpu_name(),
            "seconds": round(time.perf_counter() - started, 1),
            "versions": package_versions(),
            "git_commit": git_commit(),
            "units": {"seconds": "s of wall time", "n_jobs": "jobs that are planned or run"},
        },
    )


class _Snakemake:
    """Runs this workflow in new folders."""

    def __init__(self, snakefile: str, configs: Sequence[str], folder: Path) -> None:
        self.snakefile, self.configs, self.folder = snakefile, list(configs), folder
        self.runs = 0

    def __call__(self, arguments: Sequence[str], simulation: dict[str, Any]) -> float:
        """Seconds of a run in a folder of its own."""
        self.runs += 1
        folder = self.folder / str(self.runs)
        folder.mkdir()
        overlay = folder / "overlay.yaml"
        overlay.write_text(yaml.safe_dump({"run": None, "simulation": simulation}))
        return _seconds(
            [
                *(sys.executable, "-m", "snakemake", *arguments),
                *("--snakefile", self.snakefile, "--directory", str(folder), "--cores", "1"),
                *("--configfile", *self.configs, str(overlay)),
            ],
            folder,
        )

    def seconds_per_job(self, domain: str) -> float:
        """Of a job that simulates one image, beyond what a run costs without it."""
        store = f"results/datasets/{domain}/no_sub/train.zarr"
        few, many = (
            self(
                [f"{store}/image/c/{block}/0/0" for block in range(n)],
                {"images_per_block": 1},
            )
            for n in (FEW, MANY)
        )
        return (many - few) / (MANY - FEW)


def _seconds(command: Sequence[str], folder: str | Path) -> float:
    started = time.perf_counter()
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise OSError(f"{' '.join(command[:4])} fails: {last}")
    return time.perf_counter() - started


def _row(name: str, n_jobs: int, seconds: Sequence[float]) -> dict[str, Any]:
    return {
        "task": name,
        "n_jobs": n_jobs,
        "seconds": float(np.median(seconds)),
        "least": min(seconds),
        "largest": max(seconds),
    }


def _write(table: pd.DataFrame, outputs: Sequence[str], repeats: int) -> None:
    shown = pd.DataFrame(
        {
            "task": table["task"],
            "seconds": [
                f"{middle:.2f} [{least:.2f}, {largest:.2f}]"
                for middle, least, largest in table[["seconds", "least", "largest"]].to_numpy()
            ],
        }
    )
    write_formats(outputs, table, shown, CAPTION.format(repeats=repeats))
