"""Networks against the physical limit: their AUC on a grid, and their share of the oracle's d'."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import ndtri
from tqdm import tqdm

from lensml.data.files import write_csv
from lensml.evaluation.classification.baselines import profiles, radial_profile_model
from lensml.evaluation.statistics.bootstrap import system_weights, weighted_auc
from lensml.evaluation.statistics.metrics import Measured
from lensml.evaluation.statistics.predictions import independent, predictions_table
from lensml.evaluation.statistics.seeds import mean_over_seeds
from lensml.evaluation.statistics.tables import write_formats
from lensml.schema.encoders import Encoder
from lensml.schema.limit import Grid
from lensml.schema.training import Evaluation
from lensml.simulate.grid import cell_stores
from lensml.tables import ALL_SEEDS, of_seeds, over_seeds
from lensml.training.classification.run import load_classifier
from lensml.training.engine.device import prepare_device
from lensml.training.engine.prediction import predict_probabilities
from lensml.training.engine.setting import Setting

GRID = ["f_sub", "magnitude"]
PAIR = ["reference", "label"]
COLUMNS = [
    "domain",
    *PAIR,
    *GRID,
    "model",
    "seed",
    "n",
    "roc_auc",
    "ci_low",
    "ci_high",
    "auc_pooled",
    "auc_bank",
    "efficiency",
    "efficiency_low",
    "efficiency_high",
]
SMALLEST = 1e-12  # probability
CAPTION = (
    "Networks against the physical limit, for each pair of classes by the ratio of their "
    "probabilities [{confidence:.0%} bootstrap interval over lens systems; several seeds: mean, "
    "interval over systems and seeds together]. "
    "Oracle: the upper bound with the systems ranked together, which is told the substructure but "
    "not lens and source. Efficiency: d' of the network over d' of the oracle, d' = sqrt(2) "
    "Phi^-1(AUC); 0 for an AUC below 0.5; its interval is the network's alone."
)


def predict_grid(
    folder: str,
    weights: str,
    output: str,
    *,
    classes: Sequence[str],
    grid: Grid,
    encoder: Encoder,
    symmetry: str,
    setting: Setting,
) -> None:
    """Write the probabilities of a classifier on every cell of the grid.

    Args:
        folder: of :func:`lensml.simulate.grid.simulate_grid`.
        weights: of the classifier.
        output: CSV with f_sub, magnitude, system_id, index, label and p_<class>.
        classes: names in the order of the classifier.
        grid: its cells.
        encoder: architecture.
        symmetry: averaged over; 'none' for a single pass.
        setting: see :class:`lensml.training.engine.setting.Setting`.
    """
    device = prepare_device(setting.compute)
    network, tables = None, []
    for cell in _cells(folder, classes, grid, setting.label):
        images = setting.images(cell.pop("stores"), device)
        network = network or load_classifier(
            weights,
            encoder=encoder,
            img_size=images.img_size,
            in_chans=images.in_chans,
            num_classes=len(classes),
            device=device,
        )
        found = predict_probabilities(network, images, symmetry=symmetry)
        tables.append(predictions_table(found, images, classes).assign(**cell))
    write_csv(output, pd.concat(tables))


def predict_grid_radial_profile(
    train: Sequence[str],
    folder: str,
    output: str,
    *,
    classes: Sequence[str],
    grid: Grid,
    setting: Setting,
) -> None:
    """As :func:`predict_grid`, of the trivial baseline fitted to the domain's training images."""
    fit = setting.arrays(train)
    model = radial_profile_model()
    model.fit(profiles(fit), fit.labels)
    tables = []
    for cell in _cells(folder, classes, grid, setting.label):
        images = setting.arrays(cell.pop("stores"))
        found = model.predict_proba(profiles(images))
        tables.append(predictions_table(found, images, classes).assign(**cell))
    write_csv(output, pd.concat(tables))


def _cells(
    folder: str, classes: Sequence[str], grid: Grid, label: str
) -> Iterator[dict[str, Any]]:
    for cell, f_sub, magnitude in tqdm(grid.cells, desc=label, unit="cell", disable=None):
        stores = cell_stores(folder, cell, classes)
        yield {"stores": stores, "f_sub": f_sub, "magnitude": magnitude}


def measure_network_limit(
    runs: Sequence[Mapping[str, Any]],
    limit: str,
    output: str,
    spec: Evaluation,
    *,
    domain: str,
    seed: int,
) -> None:
    """AUC of every network and pair of classes beside the bounds at the same place.

    Args:
        runs: mappings with ``model``, ``seed``, ``test`` (predictions on the domain's test images)
            and ``grid`` (those of :func:`predict_grid`; empty where the population has no f_sub).
        limit: CSV of :func:`lensml.evaluation.limit.bounds.measure_limit`.
        output: CSV with ``COLUMNS``.
        spec: bootstrap.
        domain: its name.
        seed: of the bootstrap.
    """
    bounds = pd.read_csv(limit)
    found: dict[tuple, list[tuple[Any, Mapping[str, Any], Measured]]] = {}
    for run in runs:
        tables = [pd.read_csv(run["test"]).assign(f_sub=np.nan, magnitude=np.nan)]
        tables += [pd.read_csv(run["grid"])] if run["grid"] else []
        for table in tables:
            for place, cell in table.groupby(GRID, dropna=False, sort=False):
                for bound, measured in pair_aucs(cell, bounds, spec, seed=seed):
                    key = (run["model"], str(place), bound["reference"], bound["label"])
                    found.setdefault(key, []).append((run["seed"], bound, measured))
    rows = []
    for (model, *_), reached in found.items():
        if len(reached) > 1:
            mean = mean_over_seeds([measured for _, _, measured in reached], spec, seed=seed)
            reached.append((ALL_SEEDS, reached[0][1], mean))
        rows += [
            {"domain": domain, "model": model, "seed": s, **limit_row(bound, measured)}
            for s, bound, measured in reached
        ]
    write_csv(output, pd.DataFrame(rows, columns=COLUMNS), float_format="%.6g")


def pair_aucs(
    cell: pd.DataFrame, bounds: pd.DataFrame, spec: Evaluation, *, seed: int
) -> list[tuple[dict[str, Any], Measured]]:
    """AUC of each pair of classes in one cell, with the bounds there.

    Args:
        cell: predictions with one f_sub and magnitude (NaN: the population as it is).
        bounds: rows of the limit.
        spec: bootstrap.
        seed: of the bootstrap.

    Returns:
        Classes, place and bounds, and the AUC.
    """
    f_sub, magnitude = (float(cell[name].iloc[0]) for name in GRID)
    classes = [name.removeprefix("p_") for name in cell if name.startswith("p_")]
    here = bounds.loc[_same(bounds, "f_sub", f_sub) & _same(bounds, "magnitude", magnitude)]
    found = []
    for a, b in combinations(classes, 2):
        bound = here.loc[(here["reference"] == a) & (here["label"] == b)]
        if bound.empty:
            continue
        pair = cell.loc[cell["label"].isin([a, b])]
        p = np.log(np.clip(pair[[f"p_{a}", f"p_{b}"]].to_numpy(), SMALLEST, 1))
        score, positive = p[:, 1] - p[:, 0], (pair["label"] == b).to_numpy()
        weights = system_weights(independent(pair), spec.n_bootstrap, seed)
        samples = weighted_auc(score, positive, weights)
        value = float(weighted_auc(score, positive, np.ones((1, len(pair)), np.int16))[0])
        place = {"reference": a, "label": b, "f_sub": f_sub, "magnitude": magnitude}
        reached = {name: float(bound[name].iloc[0]) for name in ("auc_pooled", "auc_bank")}
        measured = Measured.of("roc_auc", value, samples, len(pair), spec.confidence)
        found.append((place | reached, measured))
    return found


def limit_row(bound: Mapping[str, Any], measured: Measured) -> dict[str, Any]:
    """An AUC beside the bounds, and the efficiency that it is."""
    ends = {
        "efficiency": measured.value,
        "efficiency_low": measured.ci_low,
        "efficiency_high": measured.ci_high,
    }
    return {
        **bound,
        "n": measured.n,
        "roc_auc": measured.value,
        "ci_low": measured.ci_low,
        "ci_high": measured.ci_high,
        **{name: efficiency(area, bound["auc_pooled"]) for name, area in ends.items()},
    }


def _same(bounds: pd.DataFrame, name: str, value: float) -> np.ndarray:
    return np.isclose(bounds[name].to_numpy(float), value, equal_nan=True)


def detectability(auc: float) -> float:
    """D' of two Gaussian scores of equal width with this AUC; 0 below 0.5."""
    return float(np.sqrt(2) * ndtri(max(auc, 0.5)))


def efficiency(auc: float, oracle: float) -> float:
    """Share of the oracle's d' that a network reaches.

    Args:
        auc: of the network.
        oracle: AUC of the oracle.

    Returns:
        NaN where the oracle has no d' above 0, or either of them makes no error.
    """
    reference, own = detectability(oracle), detectability(auc)
    return own / reference if 0 < reference < np.inf and own < np.inf else float("nan")


def tabulate_network_limit(
    tables: Sequence[str], outputs: Sequence[str], *, confidence: float
) -> None:
    """Join the tables of every domain.

    Args:
        tables: CSV files of :func:`measure_network_limit`.
        outputs: the .csv, .html, .md and .tex files to write.
        confidence: of the intervals.
    """
    joined = pd.concat([pd.read_csv(path) for path in tables])
    caption = CAPTION.format(confidence=confidence)
    write_formats(outputs, joined, _summary(joined), caption)


def _summary(table: pd.DataFrame) -> pd.DataFrame:
    keys = ["domain", *PAIR, *GRID, "model"]
    rows = []
    for key, group in table.groupby(keys, dropna=False, sort=False):
        domain, a, b, f_sub, magnitude, model = key  # type: ignore[misc]
        mean = over_seeds(group, keys).iloc[0]
        rows.append(
            {
                "domain": domain,
                "classes": f"{a} / {b}",
                "f_sub": _number(f_sub),
                "magnitude": _number(magnitude),
                "model": model,
                "seeds": str(len(of_seeds(group))),
                "AUC": _bounded(mean, "roc_auc", "ci_low", "ci_high", 3),
                "lower bound": f"{mean['auc_bank']:.3f}",
                "oracle": f"{mean['auc_pooled']:.3f}",
                "efficiency": _bounded(mean, "efficiency", "efficiency_low", "efficiency_high", 2),
            }
        )
    return pd.DataFrame(rows)


def _number(value: float) -> str:
    return "prior" if np.isnan(value) else format(value, "g")


def _bounded(mean: pd.Series, value: str, low: str, high: str, digits: int) -> str:
    if np.isnan(mean[value]):
        return "–"
    texts = [f"{mean[name]:.{digits}f}" for name in (value, low, high)]
    return f"{texts[0]} [{texts[1]}, {texts[2]}]"
