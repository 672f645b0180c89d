"""What became of the fits: images that no smooth lens was fitted to, chi2, and pulls."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from lensml.data.fits import Fits, open_fits
from lensml.data.store import open_store
from lensml.evaluation.statistics.bootstrap import resampled, system_weights
from lensml.evaluation.statistics.metrics import SLOW_RESAMPLINGS, Measured, mean_metric
from lensml.evaluation.statistics.seeds import measured_table
from lensml.evaluation.statistics.tables import TaskTable, write_table
from lensml.fit.parameters import NAMES, parameters_of
from lensml.schema.training import Evaluation

GOOD_CHI2 = 1.1  # of a degree of freedom
FITS = TaskTable(
    title="Fits",
    keys=("domain", "substructure"),
    shown=("share_modelled", "share_good", "chi2_median", "pull_least", "pull_largest"),
    notes=(
        f"Test images. share_modelled: to which a smooth lens was fitted; share_good: chi2 of a "
        f"degree of freedom below {GOOD_CHI2}. pull_least, pull_largest: of (fitted - true) / "
        "error of every parameter, half the distance of the 16th and 84th percentile, where "
        "1 means that errors are right; of lenses without substructure.",
    ),
)


def tabulate_fits(
    runs: Sequence[Mapping[str, str]], outputs: Sequence[str], spec: Evaluation, *, seed: int
) -> None:
    """Table of how well images were fitted, a row per domain and class.

    Args:
        runs: mappings with ``domain``, ``substructure``, ``images`` (a store) and its ``fits``.
        outputs: the .csv, .html, .md and .tex files to write.
        spec: bootstrap.
        seed: of the bootstrap.

    Raises:
        DamagedStoreError: a store is incomplete or damaged.
        ValueError: the fits are of other images.
    """
    found = [({**run, "seed": 0}, quality(run, spec, seed=seed)) for run in runs]
    table = measured_table(found, FITS.keys, spec, seed=seed)
    write_table(table, outputs, FITS, confidence=spec.confidence)


def quality(run: Mapping[str, str], spec: Evaluation, *, seed: int) -> list[Measured]:
    """Shares, chi2 and, of smooth lenses, pulls of the fits of one store.

    Args:
        run: see :func:`tabulate_fits`; where nothing could be fitted there are shares alone.
        spec: bootstrap over systems.
        seed: of the bootstrap.

    Raises:
        ValueError: the fits are of other images.
    """
    images, fits = open_store(run["images"]), open_fits(run["fits"])
    if len(images) != len(fits):
        raise ValueError(f"{run['fits']}: {len(fits)} fits of {len(images)} images")
    weights = system_weights(images.truth["system_id"], spec.n_bootstrap, seed)
    chi2 = fits.columns["chi2"]
    modelled = np.isfinite(chi2)
    rows = [
        _share("share_modelled", modelled, weights, spec),
        _share("share_good", chi2 < GOOD_CHI2, weights, spec),
    ]
    for name, n in fits.counts().items():
        rows.append(Measured(f"n_{name}", n, n, n, len(fits), np.full(len(weights), n)))
    if modelled.any():
        rows.append(_median(chi2, weights, spec))
    if modelled.any() and run["substructure"] == "no_sub" and "theta_E" in images.truth:
        rows += _pulls(fits, images.truth, weights, spec)
    return rows


def _share(name: str, chosen: np.ndarray, weights: np.ndarray, spec: Evaluation) -> Measured:
    return mean_metric(name, float(chosen.mean()), chosen.astype(float), weights, spec)


def _median(chi2: np.ndarray, weights: np.ndarray, spec: Evaluation) -> Measured:
    samples = resampled(lambda i: float(np.nanmedian(chi2[i])), weights, limit=SLOW_RESAMPLINGS)
    return Measured.of("chi2_median", np.nanmedian(chi2), samples, len(chi2), spec.confidence)


def _pulls(
    fits: Fits, truth: Mapping[str, np.ndarray], weights: np.ndarray, spec: Evaluation
) -> list[Measured]:
    """Widths of the pulls of every parameter that was free, and their extremes."""
    true = dict(zip(NAMES, parameters_of(truth).T, strict=True))
    pulls = np.stack(
        [(fits.parameters[name] - true[name]) / fits.errors[name] for name in NAMES], axis=1
    )
    free = np.flatnonzero(np.isfinite(pulls).any(axis=0))
    names, pulls = [NAMES[k] for k in free], pulls[:, free]
    index = np.arange(weights.shape[1])
    samples = np.array([_width(pulls[np.repeat(index, w)]) for w in weights[:SLOW_RESAMPLINGS]])
    width, n = _width(pulls), len(pulls)
    ends = {"pull_least": np.min, "pull_largest": np.max}
    rows = [
        Measured.of(name, end(width), end(samples, axis=1), n, spec.confidence)
        for name, end in ends.items()
    ]
    return rows + [
        Measured.of(f"pull_{name}", width[k], samples[:, k], n, spec.confidence)
        for k, name in enumerate(names)
    ]


def _width(pulls: np.ndarray) -> np.ndarray:
    """Half the distance of the 16th and 84th percentile of every column, (K,)."""
    low, high = np.nanpercentile(pulls, [15.866, 84.134], axis=0)
    return (high - low) / 2
