"""Data behind the figures that show images and dependence on substructure strength."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np
import pandas as pd
from sklearn.metrics import roc_auc_score

from lensml.data.files import write_csv
from lensml.data.store import Store, open_store
from lensml.evaluation.audit_data import domain_of, systems_of
from lensml.evaluation.bootstrap import interval, system_weights, weighted_auc
from lensml.evaluation.metrics import read_predictions
from lensml.evaluation.predictions import write_examples
from lensml.schema.training import Evaluation
from lensml.simulate.convergence import substructure_convergence

STRENGTHS = {"cdm": "log10_m_sub_total", "vortex": "log10_axion_mass"}
N_BINS = 5


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
            name: np.concatenate([s.truth[name][:n] for s in opened])
            for name in ("background_rms", "theta_E", "m_sub_total")
        },
        **{f"perturber_{k}": np.concatenate([p[k] for p in perturbers]) for k in perturbers[0]},
    )


def _perturbers(store: Store, n: int) -> dict[str, np.ndarray]:
    last = int(store.perturber_offset[n])
    columns = store.perturbers.rows(0, last)
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


def tabulate_strength(
    runs: Sequence[Mapping[str, str]],
    stores: Mapping[str, str],
    output: str,
    spec: Evaluation,
    *,
    seed: int,
) -> None:
    """AUC against ``no_sub`` in bins of the substructure's strength.

    Args:
        runs: mappings with ``domain, model, seed`` and ``path`` of a predictions.csv or of anomaly
            scores.
        stores: class -> test store of the domain, for the truth.
        output: CSV.
        spec: bootstrap.
        seed: of the bootstrap.
    """
    rows = []
    for run in runs:
        for label, store in stores.items():
            if label in STRENGTHS:
                rows += _strength_rows(run, label, open_store(store, check=False), spec, seed)
    columns = ["domain", "model", "seed", "label", "quantity", "bin_low", "bin_high"]
    table = pd.DataFrame(rows, columns=[*columns, "roc_auc", "ci_low", "ci_high", "n"])
    write_csv(output, table, float_format="%.6f")


def _strength_rows(
    run: Mapping[str, str], label: str, store: Store, spec: Evaluation, seed: int
) -> list[dict]:
    system_id, truth, score = _one_against_none(run["path"], label)
    quantity = STRENGTHS[label]
    strength = _strength(store, quantity)
    finite = np.isfinite(strength)
    edges = np.quantile(strength[finite], np.linspace(0, 1, N_BINS + 1))
    rows = []
    for low, high in pairwise(edges):
        chosen = store.truth["system_id"][(strength >= low) & (strength <= high)]
        keep = (truth == "no_sub") | ((truth == label) & np.isin(system_id, chosen))
        positive = truth[keep] == label
        if positive.sum() < 2:
            continue
        weights = system_weights(system_id[keep], spec.n_bootstrap, seed)
        bounds = interval(weighted_auc(score[keep], positive, weights), spec.confidence)
        rows.append(
            {
                **{name: run[name] for name in ("domain", "model", "seed")},
                "label": label,
                "quantity": quantity,
                "bin_low": low,
                "bin_high": high,
                "roc_auc": roc_auc_score(positive, score[keep]),
                "ci_low": bounds[0],
                "ci_high": bounds[1],
                "n": int(positive.sum()),
            }
        )
    return rows


def _one_against_none(path: str, label: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """System, true class and score of a class against ``no_sub`` alone, (N,) each.

    Of a classifier it is the probability where only these two are possible.
    """
    table = pd.read_csv(path)
    if "score" in table:
        system_id, truth, score = (table[k].to_numpy() for k in ("system_id", "label", "score"))
        return system_id, truth, score
    system_id, truth, p, classes = read_predictions(path)
    k = classes.index(label)
    score = p[:, k] / np.maximum(p[:, 0] + p[:, k], 1e-30)
    return system_id, np.array(classes)[truth], score


def _strength(store: Store, quantity: str) -> np.ndarray:
    if quantity == "log10_axion_mass":
        return store.truth["log10_axion_mass"]
    with np.errstate(divide="ignore"):
        return np.log10(store.truth["m_sub_total"])
