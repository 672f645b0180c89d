"""Audit of a dataset: does anything but substructure tell its classes apart?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations

import numpy as np
import pandas as pd
from scipy.stats import ks_2samp

from lensml.data.files import write_csv
from lensml.data.store import Store, open_store
from lensml.evaluation.audit.background import background
from lensml.evaluation.audit.data import (
    FIT_SPLITS,
    Dataset,
    axis_ratio,
    image_profiles,
    layout_differences,
)
from lensml.evaluation.audit.statistics import (
    Finding,
    above,
    auc_standard_error,
    below,
    boosted_trees,
    macro_auc,
    split_systems,
    within,
)
from lensml.evaluation.classification.baselines import SHIPPED_FEATURES, radial_profile_model
from lensml.physics.einstein_radius import effective_einstein_radius
from lensml.schema.encoders import NetworkInput
from lensml.schema.training import Audit
from lensml.simulate.stored import lens_columns, rendered_again, systems_of

ABSENT = -1e30  # stands for NaN: a parameter that only some classes have is a difference too


def audit_domain(
    stores: Mapping[str, Sequence[str]],
    output: str,
    *,
    domain: str,
    classes: Sequence[str],
    spec: Audit,
    network_input: NetworkInput,
    seed: int,
) -> None:
    """Run every test on a domain's datasets and write one row per test.

    Args:
        stores: split -> paths of the stores, one per class.
        output: the .csv to write.
        domain: its name.
        classes: names, ``no_sub`` first.
        spec: thresholds and sizes.
        network_input: scale of the radial profiles.
        seed: of random halves and labels.

    Raises:
        DamagedStoreError: a store is incomplete or damaged.
    """
    opened = {split: [open_store(p) for p in paths] for split, paths in stores.items()}
    data = Dataset(classes, opened, spec, network_input, seed)
    findings = [finding for test in TESTS for finding in test(data)]
    table = pd.DataFrame(findings, columns=list(Finding._fields))
    table.insert(0, "domain", domain)
    write_csv(output, table, float_format="%.6g")


def parameters(data: Dataset) -> list[Finding]:
    """Do the lens, the source or the exposure differ between classes?"""
    names = lens_columns(data.stores["train"][0])
    columns = data.pooled(lambda s: np.stack([s.truth[n].astype(float) for n in names], axis=1))
    columns = [np.nan_to_num(x, nan=ABSENT) for x in columns]
    varies = np.ptp(np.concatenate(columns), axis=0) > 0
    names = [name for name, v in zip(names, varies, strict=True) if v]
    columns = [x[:, varies] for x in columns]
    p_value, worst = 1.0, "none"
    for (a, x), (b, y) in combinations(zip(data.classes, columns, strict=True), 2):
        for k, name in enumerate(names):
            p = float(ks_2samp(x[:, k], y[:, k], method="asymp")[1])  # type: ignore[arg-type]
            if p < p_value:
                p_value, worst = p, f"{name} of {a} and {b}"
    limit = data.spec.ks_p_value / max(len(names), 1)
    n = min(len(x) for x in columns)
    return [
        _held_out(data, "parameters_auc", columns, detail=f"{len(names)} columns"),
        above("parameters_ks", p_value, limit, n, f"smallest p: {worst}"),
    ]


def einstein_radius(data: Dataset) -> list[Finding]:
    """Does the mass inside the Einstein ring differ between classes?"""
    limit = data.spec.n_traced
    radii, systems = [], []
    for pair in zip(*(data.stores[s] for s in FIT_SPLITS), strict=True):
        found = [_effective_radius(store, limit // len(pair)) for store in pair]
        radii.append(np.concatenate(found))
        ids = [s.truth["system_id"][: len(f)] for s, f in zip(pair, found, strict=True)]
        systems.append(np.concatenate(ids))
    features = [r[:, None] for r in radii]
    return [
        _mean_difference(data, radii),
        _held_out(data, "einstein_radius_auc", features, systems=systems),
    ]


def _effective_radius(store: Store, limit: int, piece: int = 100) -> np.ndarray:
    """Effective Einstein radius of the first systems of a store, arcsec."""
    found = []
    for start in range(0, min(limit, len(store)), piece):
        some = systems_of(store, start, min(start + piece, limit, len(store)))
        found.append(
            effective_einstein_radius(
                some.truth,
                q=axis_ratio(some.truth),
                profile=some.profile,
                perturbers=some.perturbers,
                offset=some.offset,
            )
        )
    return np.concatenate(found)


def _mean_difference(data: Dataset, radii: Sequence[np.ndarray]) -> Finding:
    """The difference of class means that is largest in its own standard errors.

    The standard error is that of independent images, which are what a network sees; the difference
    in pairs of one lens is far more precise and stands in the detail.
    """
    worst, note = (-1.0, 0.0, 0.0), []
    for (a, x), (b, y) in combinations(zip(data.classes, radii, strict=True), 2):
        difference = float(y.mean() - x.mean())
        error = float(np.sqrt(x.var(ddof=1) / len(x) + y.var(ddof=1) / len(y)))
        ratio = abs(difference) / error if error else np.inf * np.sign(abs(difference))
        worst = max(worst, (float(np.nan_to_num(ratio, nan=0.0)), difference, error))
        if len(x) == len(y):
            paired = (y - x).std(ddof=1) / np.sqrt(len(x))
            note.append(f"{b} - {a} in pairs {difference:+.4f} ± {paired:.4f} arcsec")
    allowed = data.spec.n_standard_errors * worst[2]
    n = min(len(r) for r in radii)
    return within("einstein_radius_mean", worst[1], 0.0, allowed, n, "; ".join(note))


def radial_profiles(data: Dataset) -> list[Finding]:
    """How far do trivial features go, and does the same fit find nothing in random labels?"""
    spec, found = data.spec, []
    limits = {"rings": ("radial_profile_auc", spec.radial_profile_auc)}
    limits[SHIPPED_FEATURES] = ("moments_auc", spec.moments_auc)
    for features, (test, limit) in limits.items():
        fit, measured = (
            [
                image_profiles(s, data.network_input, spec.n_profiled, features)
                for s in data.stores[split]
            ]
            for split in FIT_SPLITS
        )
        value, n = macro_auc(radial_profile_model(), fit, measured)
        found.append(below(test, value, limit, n, "a warning above"))
    smooth = np.concatenate([fit[0], measured[0]])
    rng = np.random.default_rng(data.seed)
    halves = np.array_split(rng.permutation(len(smooth)), 4)
    fit, measured = ([smooth[i] for i in pair] for pair in (halves[:2], halves[2:]))
    null, n_null = macro_auc(radial_profile_model(), fit, measured)
    allowed = spec.n_standard_errors * auc_standard_error([len(m) for m in measured])
    return [*found, within("null_auc", null, 0.5, allowed, n_null, "no_sub, labels at random")]


def splits(data: Dataset) -> list[Finding]:
    """Is any lens system in two splits, or twice in one?"""
    shared = 0
    for k in range(len(data.classes)):
        tables = [stores[k] for stores in data.stores.values()]
        ids = np.concatenate([t.truth["system_id"] for t in tables])
        shared += len(ids) - len(np.unique(ids))
        names = lens_columns(tables[0])
        rows = np.concatenate([np.stack([t.truth[n] for n in names], axis=1) for t in tables])
        shared += int(pd.DataFrame(rows).duplicated().sum())
    n = sum(len(store) for stores in data.stores.values() for store in stores)
    note = f"repeated systems or rows of truth in {', '.join(data.stores)}"
    return [within("splits", float(shared), 0.0, 0.0, n, note)]


def noise(data: Dataset) -> list[Finding]:
    """Is the noise that which every image's truth predicts, in every class?"""
    variances, n = [], 0
    for store in data.stores["test"]:
        z = _residual(store, data.spec.n_rendered)
        variances.append(float(np.square(z).mean()))
        n = z.size
    error = np.sqrt(2 / n)
    worst = max(variances, key=lambda v: abs(v - 1))
    note = ", ".join(f"{c} {v:.4f}" for c, v in zip(data.classes, variances, strict=True))
    allowed = data.spec.n_standard_errors * error
    return [within("noise_variance", worst, 1.0, allowed, n, f"of pixels: {note}")]


def _residual(store: Store, limit: int) -> np.ndarray:
    """Noise of the first images over its expected standard deviation, (N, H, W)."""
    n = min(limit, len(store))
    clean, variance = rendered_again(store, n)
    return (store.image[np.arange(n)].astype(float) - clean) / np.sqrt(variance)


def order(data: Dataset) -> list[Finding]:
    """Does the position in the store or the file format tell the class?"""
    features = data.pooled(lambda store: np.arange(len(store))[:, None])
    found = [_held_out(data, "index_auc", features)]
    differences = sorted({d for s in data.stores.values() for d in layout_differences(s)})
    n = sum(len(stores) for stores in data.stores.values())
    note = f"stores; different: {', '.join(differences) or 'nothing'}"
    return [*found, within("layout", float(len(differences)), 0.0, 0.0, n, note)]


def pairing(data: Dataset) -> list[Finding]:
    """Is an image with substructure the same lens as the one without at its index?"""
    differing, n = set(), 0
    for stores in data.stores.values():
        names = lens_columns(stores[0])
        for store in stores[1:]:
            rows = min(len(store), len(stores[0]))
            n += rows
            for name in [*names, "system_id"]:
                x, y = store.truth[name][:rows], stores[0].truth[name][:rows]
                if not np.array_equal(x, y, equal_nan=name != "system_id"):
                    differing.add(name)
    note = f"columns that differ: {', '.join(sorted(differing)) or 'none'}"
    return [within("pairing", float(len(differing)), 0.0, 0.0, n, note)]


TESTS = (
    *(parameters, einstein_radius, background, radial_profiles),
    *(splits, noise, order, pairing),
)


def _held_out(
    data: Dataset,
    test: str,
    features: Sequence[np.ndarray],
    *,
    systems: Sequence[np.ndarray] | None = None,
    detail: str = "",
) -> Finding:
    """Boosted trees fitted on half of the systems and measured on the other half."""
    ids = data.systems() if systems is None else systems
    fit, measured = split_systems(features, ids, seed=data.seed)
    value, n = macro_auc(boosted_trees(), fit, measured)
    error = auc_standard_error([len(m) for m in measured])
    return within(test, value, 0.5, data.spec.n_standard_errors * error, n, detail)
