"""Speed of fits of smooth lenses and of the potential filter, beside scipy's and lenstronomy's."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from tqdm import tqdm

from lensml.data.files import write_json
from lensml.evaluation.speed.fit_rivals import Lens, Sampler, fit_by_lenstronomy, fit_by_scipy
from lensml.evaluation.speed.rendering import cpu_name, timed
from lensml.evaluation.statistics.bootstrap import interval
from lensml.evaluation.statistics.tables import write_formats
from lensml.fit.observed import Observed, observe
from lensml.fit.smooth import MOST_RAYS, MOST_REFINED, FittedImage, SmoothFitter
from lensml.fit.starts import Reference, draw_reference
from lensml.provenance import git_commit
from lensml.schema.fit import Fit
from lensml.schema.simulation import Domain
from lensml.schema.speed import FitSpeed
from lensml.schema.training import Evaluation
from lensml.training.engine.record import package_versions

FIT, FILTER, SCIPY = "fit", "potential filter", "scipy least_squares"
LENSTRONOMY: Mapping[str, Sampler] = {
    "lenstronomy PSO": "PSO",
    "lenstronomy Nelder-Mead": "SIMPLEX",
}
INCLUDES = {
    FIT: "search of the starts, {n_starts} starts, noise map, covariance, statistics",
    FILTER: "modes, z, evidence, map of the convergence and its error, of a fitted lens",
    SCIPY: "nearest start, noise map given, numerical derivatives of the simulator",
    "lenstronomy PSO": "nearest start, noise map given, rounds of {n_iterations} iterations of "
    "{n_particles} particles",
    "lenstronomy Nelder-Mead": "nearest start, noise map given, rounds of {steps} iterations",
}
# Lenses of the library whose scatter is how far from its start lenstronomy looks for a lens.
NEIGHBOURS = 10
COLUMNS = (
    *("domain", "num_pix", "method", "n_lenses", "n_reached", "chi2", "excess_chi2"),
    *("seconds", "ci_low", "ci_high", "per_second", "ratio", "ratio_low", "ratio_high"),
    "includes",
)
CAPTION = (
    "CPU seconds per lens on one core, medians over smooth test lenses [{confidence:.0%} "
    "bootstrap interval over lenses]. Reached: lenses at chi2 within {tolerance:g} of the fit's, "
    "by one judge and one noise map; where not all are, seconds of lenstronomy are a bound from "
    "below. chi2: median per degree of freedom. Times the fit: paired on the same lenses."
)


@dataclass(frozen=True)
class Timed:
    """One lens by one method.

    Attributes:
        seconds: of CPU.
        chi2: by the judge.
    """

    seconds: float
    chi2: float


def benchmark_fits(
    domains: Sequence[Domain],
    fit: Fit,
    spec: FitSpeed,
    outputs: Sequence[str],
    run: str,
    *,
    evaluation: Evaluation,
    seed: int,
) -> None:
    """Time every method on the same lenses; write the table and its ``run.json``.

    Args:
        domains: whose smooth test lenses are fitted.
        fit: settings; multipoles are not fitted.
        spec: sizes and limits.
        outputs: the .csv, .html, .md and .tex files to write.
        run: path of the record of versions and machine.
        evaluation: bootstrap.
        seed: of the lenses.
    """
    started = time.perf_counter()
    smooth = fit.model_copy(update={"multipoles": "none"})
    rows = []
    for domain in domains:
        rows += _rows(domain, smooth, spec, evaluation=evaluation, seed=seed)
    write_fit_speed(pd.DataFrame(rows, columns=list(COLUMNS)), outputs, spec, evaluation)
    record = {
        "config": {"fit": smooth.model_dump(), **spec.model_dump(), "seed": seed},
        "cpu": cpu_name(),
        "threads": 1,
        "seconds": round(time.perf_counter() - started, 1),
        "versions": package_versions(),
        "git_commit": git_commit(),
        "units": {"seconds": "CPU s per lens", "per_second": "lenses per CPU s"},
    }
    write_json(run, record)


def _rows(
    domain: Domain, fit: Fit, spec: FitSpeed, *, evaluation: Evaluation, seed: int
) -> list[dict[str, Any]]:
    """Rows of a domain, one a method."""
    _, images = observe(domain, "no_sub", n=spec.n_lenses, seed=seed, split="test")
    library = draw_reference(domain, n=fit.n_reference, seed=seed)
    methods = _Methods(domain, fit, spec, library, seed)
    methods.fit(images.row(0))  # compiles
    lenses = tqdm(range(len(images)), desc=domain.name, unit="lens", disable=None)
    table = [dict(methods.timed(images.row(i), i)) for i in lenses]
    n_free = len(methods.fitter.free)
    freedom = domain.num_pix**2 - n_free - methods.n_templates
    return [
        {"domain": domain.name, "num_pix": domain.num_pix, "method": name}
        | summary(table, name, freedom, spec, evaluation, seed)
        | {"includes": _included(name, fit, spec)}
        for name in table[0]
    ]


class _Methods:
    """Every method on one lens after the other, in turns, so that what else runs strikes all."""

    def __init__(
        self, domain: Domain, fit: Fit, spec: FitSpeed, library: Reference, seed: int
    ) -> None:
        self.spec, self.library, self.seed = spec, library, seed
        self.has_filter = fit.potential is not None
        self.tolerance = fit.fine_tolerance
        self.fitter = SmoothFitter(domain, fit.model_copy(update={"potential": None}))
        self._filtering = SmoothFitter(domain, fit)
        # The rays of the fit's fine stage, for every method and for the judge.
        rays = {
            "supersampling_factor": min(domain.supersampling_factor, MOST_RAYS),
            "refinement_factor": min(domain.refinement_factor, MOST_REFINED),
        }
        self._camera = domain.model_copy(update=rays)
        self.n_templates = 0

    def fit(self, image: Observed) -> tuple[FittedImage, float]:
        """The fit of an image by itself, and its CPU seconds, the median of the turns."""
        turns = [
            timed(lambda: next(iter(self.fitter.fit(image, self.library))))
            for _ in range(self.spec.repeats)
        ]
        return turns[0][1], float(np.median([seconds for seconds, _ in turns]))

    def timed(self, image: Observed, i: int) -> Iterator[tuple[str, Timed]]:
        """What every method took for an image, the ``i``-th, and the chi2 that it found."""
        found, seconds = self.fit(image)
        lens = self.lens(image, found)
        chi2 = lens.chi2(found.parameters)
        yield FIT, Timed(seconds, chi2)
        if self.has_filter:
            yield FILTER, Timed(self._filter(image), chi2)
        seconds, x = timed(lambda: fit_by_scipy(lens, self.tolerance))
        yield SCIPY, Timed(seconds, lens.chi2(x))
        if i < self.spec.n_lenses_lenstronomy:
            for name, sampler in LENSTRONOMY.items():
                goal = chi2 + self.spec.tolerance
                x, seconds = fit_by_lenstronomy(lens, sampler, self.spec, goal, self.seed + i)
                yield name, Timed(seconds, lens.chi2(x))

    def _filter(self, image: Observed) -> float:
        (found,) = self._filtering.fit(image, self.library)
        turns = [
            timed(lambda: self._filtering.explain(found.parameters))
            for _ in range(self.spec.repeats)
        ]
        return float(np.median([seconds for seconds, _ in turns]))

    def lens(self, image: Observed, found: FittedImage) -> Lens:
        """An image as the others have it: with the noise of the model that was found."""
        light = np.maximum(found.model, 0)
        if image.subtracted is not None:
            light = light + np.maximum(image.subtracted[0], 0)
        variance = image.background_rms[0] ** 2 + light / image.exposure_time[0]
        near = self.library.nearest(image.image, image.background_rms, NEIGHBOURS)[0]
        given = {"free": self.fitter.free, "start": near[0], "spread": near.std(0)}
        lens = Lens.of(self._camera, image.image[0], np.sqrt(variance), **given)
        self.n_templates = len(lens.templates)
        return lens


def summary(
    table: Sequence[Mapping[str, Timed]],
    method: str,
    freedom: int,
    spec: FitSpeed,
    evaluation: Evaluation,
    seed: int,
) -> dict[str, Any]:
    """Medians of a method over its lenses, with intervals.

    Args:
        table: of every lens, method -> what it took; not every lens has every method.
        method: one of them.
        freedom: degrees of freedom of an image.
        spec: tolerance.
        evaluation: bootstrap.
        seed: of the bootstrap.
    """
    rows = [row for row in table if method in row]
    own, ours = (np.array([row[name].seconds for row in rows]) for name in (method, FIT))
    chi2, goal = (np.array([row[name].chi2 for row in rows]) for name in (method, FIT))
    seconds = _median(own, evaluation, seed)
    ratio = _median(own / ours, evaluation, seed)
    return {
        "n_lenses": len(rows),
        "n_reached": int((chi2 <= goal + spec.tolerance).sum()),
        "chi2": float(np.median(chi2)) / freedom,
        "excess_chi2": float(np.median(chi2 - goal)),
        **dict(zip(("seconds", "ci_low", "ci_high"), seconds, strict=True)),
        "per_second": 1 / seconds[0],
        **dict(zip(("ratio", "ratio_low", "ratio_high"), ratio, strict=True)),
    }


def _median(values: np.ndarray, spec: Evaluation, seed: int) -> tuple[float, float, float]:
    """Median of values (N,) and the ends of its bootstrap interval."""
    draws = np.random.default_rng(seed).integers(len(values), size=(spec.n_bootstrap, len(values)))
    low, high = interval(np.median(values[draws], axis=1), spec.confidence)
    return float(np.median(values)), low, high


def _included(method: str, fit: Fit, spec: FitSpeed) -> str:
    steps = spec.n_iterations * spec.n_particles
    return INCLUDES[method].format(n_starts=fit.n_starts, steps=steps, **spec.model_dump())


def write_fit_speed(
    table: pd.DataFrame, outputs: Sequence[str], spec: FitSpeed, evaluation: Evaluation
) -> None:
    """Write the table as CSV, and what a reader needs of it as Markdown and LaTeX."""
    rows = []
    for row in table.to_dict("records"):
        bound = (
            "> " if "lenstronomy" in row["method"] and row["n_reached"] < row["n_lenses"] else ""
        )
        rows.append(
            {
                "domain": f"{row['domain']}, {row['num_pix']} x {row['num_pix']}",
                "method": row["method"],
                "reached": f"{row['n_reached']} of {row['n_lenses']}",
                "chi2": f"{row['chi2']:.3f}",
                "seconds per lens": bound + _shown(row, "seconds", "ci_low", "ci_high"),
                "lenses per second": bound.replace(">", "<") + f"{row['per_second']:.3g}",
                "times the fit": bound + _shown(row, "ratio", "ratio_low", "ratio_high"),
                "includes": row["includes"],
            }
        )
    caption = CAPTION.format(confidence=evaluation.confidence, tolerance=spec.tolerance)
    write_formats(outputs, table, pd.DataFrame(rows), caption)


def _shown(row: Mapping[Any, Any], *names: str) -> str:
    value, low, high = (
        f"{row[name]:,.0f}" if row[name] >= 100 else f"{row[name]:.3g}" for name in names
    )
    return f"{value} [{low}, {high}]"
