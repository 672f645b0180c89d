"""Speed of the simulator beside lenstronomy's, and of the loader, on one core of this machine."""

from __future__ import annotations

import platform
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from tqdm import tqdm

from lensml.data.files import write_json
from lensml.data.store_writer import chunk_file, write_block
from lensml.data.torch_dataset import Images
from lensml.evaluation.statistics.tables import write_formats
from lensml.provenance import git_commit
from lensml.schema.encoders import NetworkInput
from lensml.schema.simulation import Domain
from lensml.schema.training import Benchmark
from lensml.simulate.dataset import seal_dataset, simulate_block
from lensml.simulate.lenstronomy_bridge import ReusedModels
from lensml.simulate.noise import add_noise
from lensml.simulate.render import render, with_lens_light
from lensml.simulate.systems import Systems, draw_systems
from lensml.training.engine.record import package_versions

COLUMNS = (
    "domain",
    "substructure",
    "supersampling_factor",
    "what",
    "engine",
    "images_per_second",
    "spread",  # half the interquartile range of the turns over their median
    "ratio_to_lenstronomy",
    "ratio_spread",
    "mean_perturbers",
    "lenstronomy_model",
)
# What is timed together; the pieces are those of simulate_block.
TASKS = {
    "render": ("render",),
    "render and noise": ("render", "noise"),
    "dataset": ("draw", "render", "light", "noise", "write"),
}
SHIPPED = "dataset, as shipped"
LOADER_BATCH = 256
SPLIT = "train"
CAPTION = (
    "Images per CPU second of one core, medians of interleaved turns. Render: noise-free arcs. "
    "Dataset: drawing, arcs, light of the lens, noise and Zarr. Lenstronomy's models are reused "
    "from image to image; drawing, light, noise and writing are the same code for both engines. "
    "As shipped: with the refinement of the domain, which lenstronomy has not."
)


@dataclass(frozen=True)
class Case:
    """One domain, class and sampling."""

    domain: Domain
    substructure: str


def run_benchmark(
    domains: Sequence[Domain],
    substructures: Sequence[str],
    spec: Benchmark,
    network_input: NetworkInput,
    outputs: Sequence[str],
    run: str,
    *,
    precision: str,
    seed: int,
) -> None:
    """Time everything and write the table and its ``run.json``.

    Args:
        domains: to render.
        substructures: classes.
        spec: sizes and repeats.
        network_input: scale of the loader's batches.
        outputs: the .csv, .html, .md and .tex files to write.
        run: path of the record of versions and machine.
        precision: of the kernel.
        seed: of the systems.
    """
    torch.set_num_threads(1)
    started = time.perf_counter()
    cases = [
        Case(d, s) for domain in domains for d in _sampled(domain, spec) for s in substructures
    ]
    rows = []
    for case in tqdm(cases, desc="benchmark", unit="case", disable=None):
        rows += time_case(case, spec, precision=precision, seed=seed)
    shipped = [Case(domain, s) for domain in domains for s in substructures]
    for case in tqdm(shipped, desc="as shipped", unit="case", disable=None):
        rows.append(time_shipped(case, spec, precision=precision, seed=seed))
    rows += time_loader(_smallest(domains), spec, network_input, precision=precision, seed=seed)
    write_benchmark(pd.DataFrame(rows, columns=list(COLUMNS)), outputs)
    record = {
        "config": spec.model_dump() | {"precision": precision, "seed": seed},
        "cpu": cpu_name(),
        "threads": 1,
        "seconds": round(time.perf_counter() - started, 1),
        "versions": package_versions(),
        "git_commit": git_commit(),
        "units": {
            "images_per_second": "images per CPU second",
            "spread": "half the interquartile range over the median",
            "ratio_spread": "half the interquartile range over the median",
        },
    }
    write_json(run, record)


def _smallest(domains: Sequence[Domain]) -> Domain:
    return min(domains, key=lambda domain: domain.num_pix)


def _sampled(domain: Domain, spec: Benchmark) -> list[Domain]:
    factors = sorted({*spec.supersampling_factors, domain.supersampling_factor})
    # Without refinement, which lenstronomy has not: the engines compared send the same rays.
    changes = [{"supersampling_factor": f, "refinement_factor": 1} for f in factors]
    return [domain.model_copy(update=change) for change in changes]


# --------------------------------------------------------------------------------------- simulator


def time_case(case: Case, spec: Benchmark, *, precision: str, seed: int) -> list[dict[str, Any]]:
    """Rows of the table for one case.

    Lenstronomy renders the first ``n_images_lenstronomy`` systems; the kernel renders these very
    systems, repeated up to ``n_images``. The two engines take turns, so that what else the machine
    does strikes both; a ratio is the median of the ratios of the turns.
    """
    count = min(spec.n_images_lenstronomy, spec.n_images)
    domain, where = case.domain, {"seed": seed, "split": SPLIT, "start": 0}
    few = draw_systems(domain, case.substructure, **where, stop=count)
    many = repeated(few, -(-spec.n_images // count))
    models = ReusedModels(few, domain)
    models.render()  # builds what is reused
    render(repeated(few, 1), domain, engine="numba", precision=precision)  # compiles
    turns = []
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(spec.repeats):
            seconds, clean = _pieces(case, many, Path(folder), precision=precision, seed=seed)
            other, images = timed(models.render)
            turns.append((seconds, other / count))
    _check_same(clean[:count], images)
    return _rows(case, few, models.description, turns)


def time_shipped(case: Case, spec: Benchmark, *, precision: str, seed: int) -> dict[str, Any]:
    """Row of the table for a dataset with the domain's own sampling."""
    where = {"seed": seed, "split": SPLIT, "start": 0}
    systems = draw_systems(case.domain, case.substructure, **where, stop=spec.n_images)
    turns = []
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(spec.repeats + 1):
            seconds, _ = _pieces(case, systems, Path(folder), precision=precision, seed=seed)
            turns.append(sum(seconds[p] for p in TASKS["dataset"]))
    return {
        "domain": case.domain.name,
        "substructure": case.substructure,
        "supersampling_factor": case.domain.supersampling_factor,
        "what": SHIPPED,
        "engine": "numba",
        "mean_perturbers": float(systems.truth["n_perturbers"].mean()),
    } | _median("images_per_second", "spread", 1 / np.array(turns[1:]))  # the first compiles


def _pieces(
    case: Case, systems: Systems, folder: Path, *, precision: str, seed: int
) -> tuple[dict[str, float], np.ndarray]:
    """Seconds per image of every piece of a dataset, and the noise-free arcs."""
    domain, n = case.domain, len(systems)
    where = {"seed": seed, "split": SPLIT, "start": 0}
    seconds = {}
    seconds["draw"], _ = timed(lambda: draw_systems(domain, case.substructure, **where, stop=n))
    seconds["render"], arcs = timed(
        lambda: render(systems, domain, engine="numba", precision=precision)
    )
    seconds["light"], (clean, subtracted) = timed(
        lambda: with_lens_light(arcs, systems, domain, precision=precision)
    )
    seconds["noise"], noisy = timed(
        lambda: add_noise(clean, systems, **where, domain=domain.name, subtracted=subtracted)
    )
    block = {
        "images": noisy,
        "images_per_chunk": n,
        "truth": systems.truth,
        "offset": systems.offset,
        "perturbers": systems.perturbers,
    }
    seconds["write"], _ = timed(
        lambda: write_block(folder / "image" / "chunk", folder / "part.npz", **block)
    )
    return {name: value / n for name, value in seconds.items()}, arcs


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    """CPU time in seconds, which other processes on the machine hardly change, and the result."""
    started = time.process_time()
    result = work()
    return time.process_time() - started, result


def repeated(systems: Systems, times: int) -> Systems:
    """The same systems, several times over."""
    counts = np.tile(np.diff(systems.offset), times)
    return replace(
        systems,
        truth={name: np.tile(column, times) for name, column in systems.truth.items()},
        offset=np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
        perturbers={name: np.tile(column, times) for name, column in systems.perturbers.items()},
    )


def _check_same(found: np.ndarray, expected: np.ndarray) -> None:
    """A comparison of speed means something for equal images only."""
    error = np.abs(found - expected).max() / expected.max()
    if error > 1e-3:
        raise ValueError(f"the engines' images differ by {error:.1e} of the peak; allowed is 1e-3")


def _rows(
    case: Case,
    systems: Systems,
    description: str,
    turns: Sequence[tuple[Mapping[str, float], float]],
) -> list[dict[str, Any]]:
    rows = []
    common = {
        "domain": case.domain.name,
        "substructure": case.substructure,
        "supersampling_factor": case.domain.supersampling_factor,
        "mean_perturbers": float(systems.truth["n_perturbers"].mean()),
        "lenstronomy_model": description,
    }
    for task, pieces in TASKS.items():
        ours = np.array([sum(seconds[p] for p in pieces) for seconds, _ in turns])
        rest = np.array([sum(seconds[p] for p in pieces if p != "render") for seconds, _ in turns])
        theirs = rest + np.array([other for _, other in turns])
        for engine, per_image in (("numba", ours), ("lenstronomy", theirs)):
            ratio = theirs / per_image
            rows.append(
                {**common, "what": task, "engine": engine}
                | _median("images_per_second", "spread", 1 / per_image)
                | _median("ratio_to_lenstronomy", "ratio_spread", ratio)
            )
    return rows


def _median(name: str, spread: str, values: np.ndarray) -> dict[str, float]:
    low, middle, high = np.quantile(values, [0.25, 0.5, 0.75])
    return {name: float(middle), spread: float((high - low) / 2 / middle)}


# ------------------------------------------------------------------------------------------ loader


def time_loader(
    domain: Domain,
    spec: Benchmark,
    network_input: NetworkInput,
    *,
    precision: str,
    seed: int,
) -> list[dict[str, Any]]:
    """Rows of random batches from a store, loaded and memory-mapped."""
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        store = _store(Path(folder), domain, spec.n_images_loader, precision=precision, seed=seed)
        for what, fraction in (("loader, in memory", 1.0), ("loader, memory-mapped", 1e-12)):
            images = Images([store], network_input, max_memory_fraction=fraction)
            speeds = [_loader_speed(images, seed + turn) for turn in range(spec.repeats + 1)]
            rows.append(
                {"domain": domain.name, "substructure": "no_sub", "what": what, "engine": "lensml"}
                | {"supersampling_factor": domain.supersampling_factor, "mean_perturbers": 0.0}
                | _median("images_per_second", "spread", np.array(speeds[1:]))
            )
    return rows


def _loader_speed(images: Images, seed: int) -> float:
    """Images per second over one epoch of random batches."""
    order = np.random.default_rng(seed).permutation(len(images))
    batches = [order[i : i + LOADER_BATCH] for i in range(0, len(order), LOADER_BATCH)]
    seconds, _ = timed(lambda: [images.batch(index).shape for index in batches])
    return len(order) / seconds


def _store(folder: Path, domain: Domain, n: int, *, precision: str, seed: int) -> Path:
    """A dataset of lenses without substructure; rays are not supersampled, to be quick."""
    quick = domain.model_copy(update={"supersampling_factor": 1})
    store = folder / f"{SPLIT}.zarr"
    given: dict[str, Any] = {
        "domain": quick,
        "substructure": "no_sub",
        "split": SPLIT,
        "seed": seed,
        "images_per_block": n,
        "engine": "numba",
        "precision": precision,
    }
    part = folder / "part.npz"
    simulate_block(chunk_file(store, 0), part, start=0, stop=n, **given)
    seal_dataset(store, [part], n_images=n, **given)
    return store


# ------------------------------------------------------------------------------------------ output


def write_benchmark(table: pd.DataFrame, outputs: Sequence[str]) -> None:
    """Write the table as CSV, and what a reader needs of it as Markdown and LaTeX."""
    shown = table.copy()
    for column in ("images_per_second", "ratio_to_lenstronomy", "mean_perturbers"):
        shown[column] = [_digits(value) for value in table[column]]
    for column in ("spread", "ratio_spread"):
        shown[column] = ["" if np.isnan(v) else f"{v:.0%}" for v in table[column]]
    shown = shown.fillna("")
    write_formats(outputs, table, shown, CAPTION)


def _digits(value: float) -> str:
    if np.isnan(value):
        return ""
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def cpu_name() -> str:
    """Name of the processor where the system tells it, else its architecture."""
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()
