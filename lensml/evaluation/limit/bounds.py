"""The physical limit: bounds on the AUC of any method that sees one image.

Upper bound: an observer who is told the substructure but not lens and source ("oracle"). Lower
bound: a classifier that exists, the likelihood ratio averaged over simulated substructure. Both
know the system they look at up to what varies in the population, as much as it varies there
(:func:`lensml.simulate.response.prior_width`), to first order in these parameters; the best AUC
on images of one system lies between the two, which are means over systems. A test set ranks
images of many systems together: what bounds its AUC is ``auc_pooled``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
from tqdm import tqdm

from lensml.data.files import write_csv
from lensml.evaluation.limit.classifier import judge_system, lower_bound
from lensml.evaluation.limit.fisher import oracle_auc, pooled_oracle_auc
from lensml.evaluation.limit.lenses import Lenses, simulate_lenses
from lensml.evaluation.statistics.bootstrap import interval, system_weights, weighted_mean
from lensml.evaluation.statistics.tables import write_formats
from lensml.schema.limit import Bounds
from lensml.schema.population import CdmTnfw
from lensml.schema.simulation import Domain
from lensml.schema.training import Evaluation
from lensml.schema.yaml_reader import deep_merge

KEYS = ["domain", "reference", "label", "f_sub", "magnitude"]
COLUMNS = [
    *KEYS,
    "n_systems",
    "d_fixed",  # median
    "d_macro",  # median
    "auc_fixed",
    "auc_oracle",
    "ci_low",
    "ci_high",
    "auc_pooled",
    "pooled_low",
    "pooled_high",
    "n_bank_systems",
    "classifier",
    "auc_bank",
    "bank_low",
    "bank_high",
]


def measure_limit(
    domain: Domain,
    output: str,
    *,
    classes: Sequence[str],
    spec: Bounds,
    evaluation: Evaluation,
    seed: int,
) -> None:
    """Bounds on the AUC of each pair of classes in a domain.

    The first rows are the population as it is (columns ``f_sub`` and ``magnitude`` empty). Where
    its subhalos have an ``f_sub``, rows of the grid of f_sub and source magnitude follow.

    Args:
        domain: camera and population.
        output: CSV with ``COLUMNS``.
        classes: names, ``no_sub`` first.
        spec: sizes and grid.
        evaluation: bootstrap.
        seed: of the run.

    Raises:
        ValueError: the domain's images have no noise, so nothing limits the AUC.
    """
    if domain.instrument.noise == "none":
        raise ValueError(
            f"limit.domains: images of '{domain.name}' have no noise (instrument.noise: none), so "
            "the AUC has no limit; allowed are domains with noise"
        )
    rows = []
    cells = list(_cells(domain, spec))
    for changed, f_sub, magnitudes in tqdm(cells, desc=domain.name, unit="f_sub", disable=None):
        lenses = simulate_lenses(changed, classes=classes, spec=spec, seed=seed)
        for magnitude in magnitudes:
            flux = 1.0 if magnitude is None else 10 ** (-0.4 * (magnitude - magnitudes[0]))
            found = pair_rows(lenses, flux, classes=classes, evaluation=evaluation, seed=seed)
            identity = {"domain": domain.name, "f_sub": f_sub, "magnitude": magnitude}
            rows += [identity | row for row in found]
    write_csv(output, pd.DataFrame(rows, columns=COLUMNS), float_format="%.6g")


def _cells(domain: Domain, spec: Bounds) -> Iterator[tuple[Domain, float | None, list]]:
    """Domain, f_sub and magnitudes of every set of lenses that is rendered.

    An image is linear in the flux of its source: one rendering serves all magnitudes.
    """
    content = deep_merge(domain.model_dump(), {"supersampling_factor": spec.supersampling_factor})
    yield Domain.model_validate(content), None, [None]
    if not isinstance(domain.population.cdm, CdmTnfw) or not spec.magnitudes:
        return
    for f_sub in spec.f_sub:
        changes = {"cdm": {"f_sub": f_sub}, "source": {"magnitude": spec.magnitudes[0]}}
        changed = deep_merge(content, {"population": changes})
        yield Domain.model_validate(changed), f_sub, list(spec.magnitudes)


def pair_rows(
    lenses: Lenses, flux: float, *, classes: Sequence[str], evaluation: Evaluation, seed: int
) -> list[dict]:
    """Bounds of each pair of classes with the source's flux multiplied by ``flux``."""
    pairs = list(combinations(classes, 2))
    fixed, marginal = _detectabilities(lenses, flux, pairs)
    n_bank = len(next(iter(lenses.templates.values())))
    judged = [judge_system(lenses, i, flux, pairs, seed) for i in range(n_bank)]
    weights = system_weights(np.arange(len(lenses.image)), evaluation.n_bootstrap, seed)
    rows = []
    for pair in pairs:
        upper = oracle_auc(marginal[pair])
        low, high = interval(weighted_mean(upper, weights), evaluation.confidence)
        every = np.ones((1, len(upper)))
        pooled = interval(pooled_oracle_auc(marginal[pair], weights), evaluation.confidence)
        rows.append(
            {
                "reference": pair[0],
                "label": pair[1],
                "n_systems": len(upper),
                "d_fixed": np.median(fixed[pair]),
                "d_macro": np.median(marginal[pair]),
                "auc_fixed": oracle_auc(fixed[pair]).mean(),
                "auc_oracle": upper.mean(),
                "ci_low": low,
                "ci_high": high,
                "auc_pooled": pooled_oracle_auc(marginal[pair], every)[0],
                "pooled_low": pooled[0],
                "pooled_high": pooled[1],
                **lower_bound(
                    upper,
                    [system[pair] for system in judged],
                    confidence=evaluation.confidence,
                ),
            }
        )
    return rows


def _detectabilities(
    lenses: Lenses, flux: float, pairs: Sequence[tuple[str, str]]
) -> tuple[dict, dict]:
    """Pair -> (N,) d' at fixed nuisance parameters, and with them marginalised."""
    fixed: dict = {pair: [] for pair in pairs}
    marginal: dict = {pair: [] for pair in pairs}
    for i in range(len(lenses.image)):
        noise = lenses.noise(i, flux)
        for pair in pairs:
            a, b = (lenses.signal[c][i] if c in lenses.signal else 0.0 for c in pair)
            difference = flux * (b - np.asarray(a))
            fixed[pair].append(noise.d_fixed(difference))
            marginal[pair].append(noise.d_marginal(difference))
    return tuple({k: np.array(v) for k, v in d.items()} for d in (fixed, marginal))  # type: ignore[return-value]


def tabulate_limit(tables: Sequence[str], outputs: Sequence[str], *, confidence: float) -> None:
    """Join the limits of every domain.

    Args:
        tables: CSV files of :func:`measure_limit`.
        outputs: the .csv, .html, .md and .tex files to write.
        confidence: of the intervals.
    """
    joined = pd.concat([pd.read_csv(path) for path in tables])
    caption = (
        f"Physical limit of the AUC. Upper bound: the substructure is told, lens and source are "
        f"not, beyond what the population says of them [{confidence:.0%} bootstrap interval over "
        "lens systems]. Lower bound: likelihood ratio averaged over simulated substructure "
        f"[{confidence:.0%} interval by Student's t]. Both are means over systems; pooled: images "
        "of different systems ranked together, as in a test set. d': medians."
    )
    write_formats(outputs, joined, _summary(joined), caption)


def _summary(table: pd.DataFrame) -> pd.DataFrame:
    def number(value: float) -> str:
        return "prior" if np.isnan(value) else format(value, "g")

    def bound(row: Mapping[Any, Any], *names: str) -> str:
        value, low, high = (f"{row[name]:.3f}" for name in names)
        return f"{value} [{low}, {high}]"

    rows = [
        {
            "domain": row["domain"],
            "classes": f"{row['reference']} / {row['label']}",
            "f_sub": number(row["f_sub"]),
            "magnitude": number(row["magnitude"]),
            "d' lens known": f"{row['d_fixed']:.2f}",
            "d'": f"{row['d_macro']:.2f}",
            "upper bound": bound(row, "auc_oracle", "ci_low", "ci_high"),
            "upper bound, pooled": bound(row, "auc_pooled", "pooled_low", "pooled_high"),
            "lower bound": bound(row, "auc_bank", "bank_low", "bank_high"),
        }
        for row in table.to_dict("records")
    ]
    return pd.DataFrame(rows)
