"""Examples for the figure that shows what is there beside what the potential filter found."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.ndimage import gaussian_filter

from lensml.data.fits import open_fits
from lensml.data.store import open_store
from lensml.evaluation.statistics.predictions import write_examples
from lensml.simulate.convergence import substructure_convergence
from lensml.simulate.stored import domain_of, systems_of

SMOOTHING = 2.0  # pixels, of the true convergence where it is compared: waves are no sharper


def collect_found(
    stores: Sequence[str],
    fits: Sequence[str],
    output: str,
    *,
    classes: Sequence[str],
    n_examples: int,
) -> None:
    """Write the first images of every class with their fits and their true convergence.

    Args:
        stores: of the test images, one per class.
        fits: of these, with maps of the convergence.
        output: npz with ``label`` (N,); ``image`` (e-/s per pixel), ``residual`` (over noise),
            ``kappa`` and ``kappa_std`` (found), ``true_kappa`` (N, H, W); ``correlation`` (N,) of
            found and true convergence over the pixels; ``pixel_scale``, arcsec.
        classes: names in the order of the stores.
        n_examples: of every class.
    """
    parts: dict[str, list[np.ndarray]] = {}
    scale = 0.0
    for images, fitted in zip(stores, fits, strict=True):
        opened, found = open_store(images), open_fits(fitted)
        domain, n = domain_of(opened), min(n_examples, len(opened))
        rows, scale = np.arange(n), domain.instrument.pixel_scale
        true = substructure_convergence(systems_of(opened, 0, n), domain)
        maps = {name: found.maps[name][rows] for name in ("residual", "kappa", "kappa_std")}
        maps |= {"image": opened.image[rows], "true_kappa": true}
        maps["correlation"] = correlations(maps["kappa"], true)
        for name, values in maps.items():
            parts.setdefault(name, []).append(values)
    label = np.repeat(list(classes), [len(part) for part in parts["image"]])
    joined = {name: np.concatenate(values) for name, values in parts.items()}
    write_examples(output, label=label, pixel_scale=np.array(scale), **joined)


def correlations(found: np.ndarray, true: np.ndarray) -> np.ndarray:
    """Pearson's correlation of every pair of maps, the true one smoothed, (N,).

    NaN where there is no substructure or where nothing was found.
    """
    rows = []
    for one, other in zip(found, true, strict=True):
        smooth = gaussian_filter(np.asarray(other, dtype=float), SMOOTHING)
        spread = one.std() * smooth.std()
        rows.append(np.corrcoef(one.ravel(), smooth.ravel())[0, 1] if spread > 0 else np.nan)
    return np.array(rows)
