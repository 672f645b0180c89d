"""Fits of the images on a grid of subhalo mass fraction and source magnitude."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tqdm import tqdm

from lensml.data.store import open_store
from lensml.fit.store import fit_block, seal_fit
from lensml.schema.fit import Fit
from lensml.schema.limit import Grid
from lensml.simulate.grid import cell_stores


def fit_grid(
    images: str,
    folder: str,
    reference: str,
    *,
    classes: Sequence[str],
    grid: Grid,
    spec: Fit,
) -> None:
    """Fit a smooth lens to every image of every cell.

    Args:
        images: folder of :func:`lensml.simulate.grid.simulate_grid`.
        folder: where the fits are written, in the same order of folders.
        reference: library of starts of the domain.
        classes: names.
        grid: its cells.
        spec: of the fit.
    """
    cells = [cell for cell, _, _ in grid.cells]
    pairs = [
        pair
        for cell in cells
        for pair in zip(
            cell_stores(images, cell, classes), cell_stores(folder, cell, classes), strict=True
        )
    ]
    for of_images, store in tqdm(pairs, desc="fits of the grid", unit="set", disable=None):
        part = Path(store).with_name("test.parts") / "0.npz"
        stop = len(open_store(of_images, check=False))
        fit_block(of_images, reference, store, part, spec=spec, start=0, stop=stop)
        seal_fit(of_images, store, [part], spec=spec)
