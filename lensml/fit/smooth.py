"""Smooth lenses fitted to images: what an observer knows goes in, fits and residuals come out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from lensml.fit.best_fit import LeastSquares, Problem
from lensml.fit.camera import Level, Workspace
from lensml.fit.descent_kernel import Memory, Rules
from lensml.fit.observed import Observed, light_templates
from lensml.fit.parameters import (
    HIGH,
    LOW,
    MAX_STEP,
    MULTIPOLES,
    NAMES,
    check_fittable,
    free_parameters,
)
from lensml.fit.potential import Explained, Filter
from lensml.fit.starts import Reference
from lensml.fit.statistics import STATISTICS, residual_statistics
from lensml.schema.fit import Fit
from lensml.schema.simulation import Domain

_f = np.float32
# Rays per pixel and axis, and of those again in refined cells, at most: finer ones, which keep the
# simulator's error below the noise, change chi2 in the fourth digit and take half as long again.
MOST_RAYS, MOST_REFINED = 3, 5


@dataclass(frozen=True)
class FittedImage:
    """What the fit of one image found.

    Attributes:
        outcome: of :data:`lensml.data.fits.OUTCOMES`.
        parameters, errors: (parameters,) float64; NaN where none were found, errors also of
            parameters that are fixed or at a bound.
        covariance: (K, K) of the free parameters.
        chi2: sum of squares of the residual over the degrees of freedom.
        evaluations: of the model with its derivatives.
        residual: (n, n) float32, image minus model over noise; 0 where a pixel is not finite.
        model: (n, n) float32, e-/s per pixel, what is left of the lens's light included.
        statistics: (len(STATISTICS),).
        explained: what the potential filter found; None without it, or without a fit.
    """

    outcome: str
    parameters: np.ndarray
    errors: np.ndarray
    covariance: np.ndarray
    chi2: float
    evaluations: int
    residual: np.ndarray
    model: np.ndarray
    statistics: np.ndarray
    explained: Explained | None


class SmoothFitter:
    """Fits smooth lenses to images of one camera, one image after the other.

    What is found of an image depends on that image, its starts and the settings alone.
    """

    def __init__(self, domain: Domain, spec: Fit, *, psf: np.ndarray | None = None) -> None:
        """Set up a camera's rays and the memory to work in.

        Args:
            domain: camera and population of the images.
            spec: of the fit and of the filter.
            psf: image of the PSF with the pixel's response, instead of the camera's Gaussians.

        Raises:
            ValueError: no Sersic profile fits the domain's sources, or the PSF has no middle.
        """
        check_fittable(domain)
        self.domain, self.spec = domain, spec
        self.free = free_parameters(domain, spec.multipoles)
        ss = min(domain.supersampling_factor, MOST_RAYS)
        refinement = min(domain.refinement_factor, MOST_REFINED)
        found = [
            Level.of(domain, psf, ss=1, refinement=1),
            Level.of(domain, psf, ss=ss, refinement=refinement),
        ]
        levels = [(level, Workspace.of(level, domain.num_pix)) for level in found]
        self._templates = light_templates(domain)
        rules = Rules(
            free=self.free,
            low=LOW,
            high=HIGH,
            max_step=MAX_STEP,
            steps=np.array([spec.first_steps, spec.coarse_steps, spec.fine_steps, 0]),
            tolerance=np.array([*[spec.coarse_tolerance] * 2, *[spec.fine_tolerance] * 2]),
            pixel_area=domain.instrument.pixel_scale**2,
        )
        self._memory = Memory.of(domain.num_pix, len(self.free), len(self._templates))
        self._least_squares = LeastSquares(rules, self._memory, levels)
        n_fit, projected = len(self.free) + len(self._templates), spec.multipoles == "projected"
        potential = spec.potential
        self._filter = potential and Filter(domain, potential, n_fit, projected)

    def fit(self, images: Observed, reference: Reference) -> Iterator[FittedImage]:
        """Fit every image from the lenses of a library that look most like it."""
        for i in range(len(images)):
            problem = images.problem(i)
            if problem is not None:
                yield self._unfitted(images, i, problem)
                continue
            one = images.row(i)
            starts = reference.nearest(one.image, one.background_rms, self.spec.n_starts)
            yield self.fit_from(images, i, starts[0])

    def fit_from(self, images: Observed, i: int, starts: np.ndarray) -> FittedImage:
        """Fit image ``i``, which must be one that can be fitted.

        Args:
            images: among others that one.
            i: index.
            starts: (S, len(PARAMETERS)).
        """
        n, memory = self.domain.num_pix, self._memory
        starts = np.clip(starts, LOW, HIGH)
        fixed = np.setdiff1d(np.arange(len(NAMES)), self.free)
        starts[:, fixed] = self._fixed_values()[fixed]
        starts[:, MULTIPOLES] = 0
        best = self._least_squares.fit(self._problem(images, i), starts)
        residual, model, weights = (
            field.reshape(n, n).copy() for field in (memory.residual, memory.model, memory.weights)
        )
        if not (np.isfinite(best.x).all() and np.isfinite([residual, model]).all()):
            return self._unfitted(images, i, "failed")
        variances = np.diag(best.covariance)
        errors = np.full(len(NAMES), np.nan)
        errors[self.free] = np.sqrt(np.where(variances > 0, variances, np.nan))
        explained = self.explain(best.x)
        return FittedImage(
            outcome="fitted" if best.converged else "not_converged",
            parameters=best.x,
            errors=errors,
            covariance=best.covariance,
            chi2=best.chi2 / (n * n - len(self.free) - len(self._templates)),
            evaluations=best.evaluations,
            residual=residual,
            model=model,
            statistics=residual_statistics(residual, memory.maps[0], weights),
            explained=explained,
        )

    def explain(self, x: np.ndarray) -> Explained | None:
        """What explains the residual of the image that was just fitted; None without a filter.

        Args:
            x: (parameters,) that were found.
        """
        return self._filter and self._filter(self._memory, x)

    def products(self, x: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
        """z, b and C of the potential filter for the image that was just fitted.

        Args:
            x: (parameters,) that were found.

        Raises:
            ValueError: there is no filter.
        """
        if self._filter is None:
            raise ValueError("fit.potential = null: no potential is looked for")
        return self._filter.products(self._memory, x)

    def _problem(self, images: Observed, i: int) -> Problem:
        image, light = images.image[i], images.subtracted
        subtracted = np.zeros_like(image) if light is None else light[i]
        return Problem(
            image=np.ascontiguousarray(image, _f).ravel(),
            subtracted=np.ascontiguousarray(subtracted, _f).ravel(),
            background_rms=float(images.background_rms[i]),
            exposure_time=float(images.exposure_time[i]),
            templates=self._templates,
        )

    def _fixed_values(self) -> np.ndarray:
        """Values of the parameters that are not fitted."""
        values = np.zeros(len(NAMES))
        slope = self.domain.population.lens.gamma
        if isinstance(slope, float | int):
            values[NAMES.index("gamma")] = slope
        return values

    def _unfitted(self, images: Observed, i: int, problem: str) -> FittedImage:
        """The row of an image that cannot be fitted: its residual is the image itself."""
        n, k = self.domain.num_pix, len(self.free)
        return FittedImage(
            outcome=problem,
            parameters=np.full(len(NAMES), np.nan),
            errors=np.full(len(NAMES), np.nan),
            covariance=np.full((k, k), np.nan),
            chi2=np.nan,
            evaluations=0,
            residual=images.residual_of_none(i),
            model=np.zeros((n, n), _f),
            statistics=np.full(len(STATISTICS), np.nan),
            explained=None,
        )
