"""Test images on a grid of subhalo mass fraction and source magnitude."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from tqdm import tqdm

from lensml.data.store_writer import chunk_file
from lensml.schema.limit import Grid
from lensml.schema.simulation import Domain
from lensml.schema.yaml_reader import deep_merge
from lensml.simulate.dataset import seal_dataset, simulate_block

SPLIT = "test"


def grid_domains(domain: Domain, grid: Grid) -> Iterator[tuple[str, Domain]]:
    """Name of every cell of the grid, and the domain with its f_sub and magnitude.

    Args:
        domain: whose subhalos have an f_sub.
        grid: its cells.
    """
    for cell, f_sub, magnitude in grid.cells:
        changes = {"cdm": {"f_sub": f_sub}, "source": {"magnitude": magnitude}}
        content = deep_merge(domain.model_dump(), {"population": changes})
        yield cell, Domain.model_validate(content)


def cell_stores(folder: str | Path, cell: str, classes: Sequence[str]) -> list[str]:
    """Stores of a cell in the folder of :func:`simulate_grid`, one per class."""
    return [str(Path(folder) / cell / name / f"{SPLIT}.zarr") for name in classes]


def simulate_grid(
    folder: str,
    *,
    domain: Domain,
    classes: Sequence[str],
    grid: Grid,
    seed: int,
    engine: str,
    precision: str,
) -> None:
    """Simulate the first test systems of a domain in every cell of the grid.

    Lenses and sources are those of the domain's test images, but for what the grid fixes.

    Args:
        folder: where the stores of :func:`cell_stores` are written.
        domain: camera and population.
        classes: names.
        grid: its cells, and images per class.
        seed: of the run.
        engine, precision: see :func:`lensml.simulate.render.render`.
    """
    n = grid.n_network_images
    cells = list(grid_domains(domain, grid))
    with tqdm(total=len(cells) * len(classes), desc=domain.name, unit="set", disable=None) as bar:
        for cell, changed in cells:
            for name, store in zip(classes, cell_stores(folder, cell, classes), strict=True):
                part = Path(store).with_name(f"{SPLIT}.parts") / "0.npz"
                shared = {
                    "domain": changed,
                    "substructure": name,
                    "split": SPLIT,
                    "seed": seed,
                    "images_per_block": n,
                    "engine": engine,
                    "precision": precision,
                }
                simulate_block(chunk_file(store, 0), part, start=0, stop=n, **shared)
                seal_dataset(store, [part], n_images=n, **shared)
                bar.update()
