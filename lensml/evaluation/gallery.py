"""Data behind the figures that show images and dependence on substructure strength."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lensml.data.store import Store, open_store
from lensml.evaluation.statistics.predictions import write_examples
from lensml.simulate.convergence import substructure_convergence
from lensml.simulate.stored import domain_of, systems_of


def collect_gallery(
    stores: Sequence[str],
    output: str,
    *,
    classes: Sequence[str],
    n_examples: int,
    pixel_scale: float,
) -> None:
    """Write the first ``n_examples`` images of every class with their truth.

    Classes share their lens systems, so columns of the gallery show one lens with different
    substructure.
    """
    opened = [open_store(path) for path in stores]
    n = min(n_examples, *(len(s) for s in opened))
    rows = np.arange(n)
    perturbers = [_perturbers(s, n) for s in opened]
    lengths = np.concatenate([np.diff(s.perturber_offset[: n + 1]) for s in opened])
    write_examples(
        output,
        image=np.concatenate([s.image[rows] for s in opened]),
        label=np.repeat(list(classes), n),
        pixel_scale=np.array(pixel_scale, float),
        perturber_offset=np.concatenate([[0], np.cumsum(lengths)]),
        **{
            name: np.concatenate([_truth(s, name, n) for s in opened])
            for name in ("background_rms", "theta_E", "m_sub_total")
        },
        **{f"perturber_{k}": np.concatenate([p[k] for p in perturbers]) for k in perturbers[0]},
    )


def _truth(store: Store, name: str, n: int) -> np.ndarray:
    """A column of the first images, NaN where the images were not simulated."""
    column = store.truth.get(name)
    return np.full(n, np.nan) if column is None else column[:n]


def _perturbers(store: Store, n: int) -> dict[str, np.ndarray]:
    last = int(store.perturber_offset[n])
    columns = store.perturbers.rows(0, last)
    if not len(store.perturbers):
        columns = {name: np.zeros(0) for name in ("center_x", "center_y", "mass")}
    missing = np.full(last, np.nan)
    return {
        "x": columns["center_x"],
        "y": columns["center_y"],
        "mass": columns["mass"],
        "length": columns.get("length", missing),
        "angle": columns.get("angle", missing),
    }


def render_convergence(
    stores: Sequence[str], output: str, *, classes: Sequence[str], img_size: int
) -> None:
    """Write the convergence of the substructure in the first image of every class.

    Args:
        stores: one per class.
        output: npz with ``label`` (K,) and ``kappa`` (K, img_size, img_size).
        classes: names in the order of the stores.
        img_size: pixels per axis, around the middle.
    """
    maps = []
    for path in stores:
        opened = open_store(path, check=False)
        domain, systems = domain_of(opened), systems_of(opened, 0, 1)
        start = (domain.num_pix - img_size) // 2
        inner = slice(start, start + img_size)
        maps.append(substructure_convergence(systems, domain)[0, inner, inner])
    write_examples(output, label=np.array(list(classes)), kappa=np.stack(maps))
