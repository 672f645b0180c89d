"""The physical limit: bounds on the AUC of any method that sees one image.

Upper bound: an observer who is told the substructure but not lens and source ("oracle"). Lower
bound: a classifier that exists, the likelihood ratio averaged over simulated substructure. Both
know the system they look at up to the priors of :data:`lensml.simulate.response.NUISANCE`, to
first order in these parameters; the best AUC on images of one system lies between the two, which
are means over systems. A test set ranks images of many systems together: what bounds its AUC is
``auc_pooled``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
from tqdm import tqdm

from lensml.data.files import write_csv
from lensml.evaluation.limit.fisher import (
    Noise,
    auc,
    bank_evidence,
    gaussian_evidence,
    oracle_auc,
    pooled_oracle_auc,
)
from lensml.evaluation.statistics.bootstrap import interval, system_weights, weighted_mean
from lensml.evaluation.statistics.tables import write_formats
from lensml.schema.limit import Bounds
from lensml.schema.simulation import CdmTnfw, Domain
from lensml.schema.training import Evaluation
from lensml.schema.yaml_reader import deep_merge
from lensml.simulate.noise import noise_variance
from lensml.simulate.render import render_lens_light
from lensml.simulate.response import PRIOR_WIDTH, images_of, jacobian
from lensml.simulate.streams import generator, seed_sequence
from lensml.simulate.systems import draw_systems, redraw_substructure

SPLIT = "test"
NOISES_PER_DRAW = 4
PRECISION = "float32"  # of images with substructure: its errors are below 0.01 in d'
EVIDENCE = {"templates": bank_evidence, "gaussian": gaussian_evidence}
NORMAL_QUANTILE = 1.96  # of the lower bound's 95 % interval
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


@dataclass(frozen=True)
class Lenses:
    """Smooth lenses, and the signals of substructure in them, at one flux of the source.

    Attributes:
        image: (N, pixels) e-/s per pixel, the lensed source.
        light: (N, pixels) light of the lens, of which only the photon noise matters here.
        jacobian: (N, pixels, k).
        background_rms: (N,) e-/s per pixel.
        exposure_time: (N,) s.
        signal: class -> (N, pixels): image with substructure minus image of the smooth lens.
        templates, draws: class -> one (n, pixels) array of such signals per bank system.
    """

    image: np.ndarray
    light: np.ndarray
    jacobian: np.ndarray
    background_rms: np.ndarray
    exposure_time: np.ndarray
    signal: Mapping[str, np.ndarray]
    templates: Mapping[str, Sequence[np.ndarray]]
    draws: Mapping[str, Sequence[np.ndarray]]

    def noise(self, i: int, flux: float) -> Noise:
        """Noise and nuisance of lens ``i`` with the source's flux multiplied by ``flux``."""
        return Noise.of(
            self.variance(i, flux * self.image[i], flux), flux * self.jacobian[i], PRIOR_WIDTH
        )

    def variance(self, i: int, image: np.ndarray, flux: float) -> np.ndarray:
        """Variance of the noise of an image of lens ``i``."""
        return noise_variance(
            image + self.light[i],
            background_rms=self.background_rms[i],
            exposure_time=self.exposure_time[i],
        )


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


def simulate_lenses(domain: Domain, *, classes: Sequence[str], spec: Bounds, seed: int) -> Lenses:
    """Render what the bounds of a domain are made of: its first test systems."""
    where: dict[str, Any] = {"seed": seed, "split": SPLIT}
    span: dict[str, Any] = {"start": 0, "stop": spec.n_systems}
    smooth = draw_systems(domain, classes[0], **where, **span)
    plain = images_of(smooth, domain, precision=PRECISION)
    light = render_lens_light(smooth, domain, precision=PRECISION)
    signal, templates, draws = {}, {}, {}
    n = spec.n_templates + spec.n_draws
    for name in classes[1:]:
        systems = draw_systems(domain, name, **where, **span)
        signal[name] = images_of(systems, domain, precision=PRECISION) - plain
        fresh = []
        for i in tqdm(
            range(min(spec.n_bank_systems, spec.n_systems)), desc=name, leave=False, disable=None
        ):
            systems = redraw_substructure(domain, name, **where, index=i, n_draws=n)
            fresh.append(images_of(systems, domain, precision=PRECISION) - plain[i])
        templates[name] = [x[: spec.n_templates] for x in fresh]
        draws[name] = [x[spec.n_templates :] for x in fresh]
    return Lenses(
        image=images_of(smooth, domain, precision="float64"),
        light=np.zeros_like(plain) if light is None else light.reshape(plain.shape).astype(float),
        jacobian=jacobian(smooth, domain),
        background_rms=smooth.truth["background_rms"],
        exposure_time=smooth.truth["exposure_time"],
        signal=signal,
        templates=templates,
        draws=draws,
    )


def pair_rows(
    lenses: Lenses, flux: float, *, classes: Sequence[str], evaluation: Evaluation, seed: int
) -> list[dict]:
    """Bounds of each pair of classes with the source's flux multiplied by ``flux``."""
    pairs = list(combinations(classes, 2))
    fixed, marginal = _detectabilities(lenses, flux, pairs)
    n_bank = len(next(iter(lenses.templates.values())))
    banks = [_bank_system(lenses, i, flux, pairs, seed) for i in range(n_bank)]
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
                **_lower_bound(upper, [bank[pair] for bank in banks]),
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


def _bank_system(
    lenses: Lenses, i: int, flux: float, pairs: Sequence[tuple[str, str]], seed: int
) -> dict[tuple[str, str], dict[str, float]]:
    """Pair -> AUC of each classifier and of the oracle, on the same fresh draws of one system."""
    noise = lenses.noise(i, flux)
    sequence = seed_sequence(seed, purpose="limit/noise", domain="", split=SPLIT, index=i)
    rng = generator(sequence)
    signals = {name: flux * draws[i] for name, draws in lenses.draws.items()}
    smooth = np.zeros_like(next(iter(signals.values())))
    truth = {pairs[0][0]: smooth, **signals}
    data = {name: _noisy(lenses, i, flux, x, noise, rng) for name, x in truth.items()}
    banks = {name: noise.whiten(flux * t[i]) for name, t in lenses.templates.items()}
    score = {kind: _scores(evidence, data, banks) for kind, evidence in EVIDENCE.items()}
    out = {}
    for a, b in pairs:
        out[a, b] = {"oracle": float(oracle_auc(noise.d_marginal(truth[b] - truth[a])).mean())}
        for kind, found in score.items():
            # the evidence of the smooth lens is the zero point of every other
            ratio = [found[x, b] - found.get((x, a), 0.0) for x in (a, b)]
            out[a, b][kind] = auc(*ratio)
    return out


def _scores(
    evidence: Callable, data: Mapping[str, np.ndarray], banks: Mapping[str, np.ndarray]
) -> dict[tuple[str, str], np.ndarray]:
    """(class of the data, class of the templates) -> log evidence of every datum."""
    stacked = np.concatenate(list(data.values()))
    ends = np.cumsum([len(x) for x in data.values()])[:-1]
    return {
        (observed, name): part
        for name, bank in banks.items()
        for observed, part in zip(data, np.split(evidence(stacked, bank), ends), strict=True)
    }


def _noisy(
    lenses: Lenses,
    i: int,
    flux: float,
    signal: np.ndarray,
    noise: Noise,
    rng: np.random.Generator,
) -> np.ndarray:
    """Whitened residuals from the smooth image, several noises and nuisances per signal."""
    signal = np.repeat(signal, NOISES_PER_DRAW, axis=0)
    rms = np.sqrt(lenses.variance(i, flux * lenses.image[i] + signal, flux))
    observed = signal + rms * rng.standard_normal(signal.shape)
    return noise.whiten(observed + noise.nuisance(len(signal), rng))


def _lower_bound(upper: np.ndarray, banks: Sequence[Mapping[str, float]]) -> dict:
    """Mean AUC of the better classifier over the systems of the upper bound.

    What the classifier loses to the oracle varies less from system to system than either AUC: the
    loss on the few bank systems is taken from the oracle's mean over all (a control variate).
    """
    mean = {kind: np.mean([bank[kind] for bank in banks]) for kind in EVIDENCE}
    best = max(mean, key=lambda kind: mean[kind])
    loss = np.array([bank["oracle"] - bank[best] for bank in banks])
    error = np.sqrt(loss.var(ddof=1) / len(loss) + upper.var(ddof=1) / len(upper))
    value = upper.mean() - loss.mean()
    return {
        "n_bank_systems": len(banks),
        "classifier": best,
        "auc_bank": value,
        "bank_low": value - NORMAL_QUANTILE * error,
        "bank_high": min(value + NORMAL_QUANTILE * error, 1.0),
    }


def tabulate_limit(tables: Sequence[str], outputs: Sequence[str], *, confidence: float) -> None:
    """Join the limits of every domain.

    Args:
        tables: CSV files of :func:`measure_limit`.
        outputs: the .csv, .md and .tex files to write.
        confidence: of the intervals.
    """
    joined = pd.concat([pd.read_csv(path) for path in tables])
    caption = (
        f"Physical limit of the AUC. Upper bound: the substructure is told, lens and source are "
        f"not [{confidence:.0%} bootstrap interval over lens systems]. Lower bound: likelihood "
        "ratio averaged over simulated substructure [95% interval]. Both are means over systems; "
        "pooled: images of different systems ranked together, as in a test set. d': medians."
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
