"""Smooth lenses fitted to images: what an observer knows goes in, fits and residuals come out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import uniform_filter

from lensml.data.store import Store
from lensml.fit.best_fit import LeastSquares, Problem
from lensml.fit.camera import Level, Workspace
from lensml.fit.descent_kernel import Memory, Rules
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
from lensml.physics.light import sersic_amplitude
from lensml.schema.fit import Fit
from lensml.schema.simulation import Domain
from lensml.simulate.render import render_lens_light
from lensml.simulate.stored import domain_of
from lensml.simulate.systems import Systems

# Truth that an observer has: of the exposure, and of a lens's light that was subtracted.
EXPOSURE = ("background_rms", "exposure_time")
SUBTRACTED = (
    *("lens_light_amp", "lens_light_R_sersic", "lens_light_n_sersic"),
    *("lens_light_e1", "lens_light_e2", "lens_light_residual", "center_x", "center_y"),
)
LIGHT_RADII = (0.3, 0.8, 2.0)  # arcsec, of round profiles that make up what is left of the light
# What became of an image; the store holds positions in this tuple.
OUTCOMES = ("fitted", "not_converged", "no_light", "not_finite", "unknown_noise")
LEAST_LIGHT = 5.0  # standard deviations of 3 x 3 pixels above the border
_f = np.float32


@dataclass(frozen=True)
class Observed:
    """Images as an observer has them.

    Attributes:
        image: (N, n, n) float32, e-/s per pixel.
        background_rms: (N,) e-/s per pixel.
        exposure_time: (N,) s, of all exposures together.
        subtracted: (N, n, n) float32, light of the lens that is not in the images any more, e-/s
            per pixel; None where none was subtracted.
    """

    image: np.ndarray
    background_rms: np.ndarray
    exposure_time: np.ndarray
    subtracted: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.image)


@dataclass(frozen=True)
class FittedImage:
    """What the fit of one image found.

    Attributes:
        outcome: of ``OUTCOMES``.
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


def observed(store: Store, start: int, stop: int) -> Observed:
    """Images ``start`` to ``stop - 1`` of a store with what an observer knows of them."""
    rows = slice(start, stop)
    exposure = {name: store.truth[name][rows] for name in EXPOSURE}
    subtracted = _subtracted_light(store, rows)
    return Observed(store.image[np.arange(start, stop)], **exposure, subtracted=subtracted)


def _subtracted_light(store: Store, rows: slice) -> np.ndarray | None:
    """The model of the lens's light that was subtracted."""
    domain = domain_of(store)
    prior = domain.population.lens_light
    if prior is None or prior.treatment != "subtracted":
        return None
    known = {name: store.truth[name][rows] for name in SUBTRACTED}
    light = _lens_light(domain, known)
    return (1 - known["lens_light_residual"]).astype(_f)[:, None, None] * light


def _lens_light(domain: Domain, truth: dict[str, np.ndarray]) -> np.ndarray:
    """Images of the light of lenses of which nothing else is known, (N, n, n) float32."""
    n = len(truth["lens_light_amp"])
    dark = {name: np.zeros(n) for name in ("source_scale", "r_sheet", "delta_phi_m3")}
    dark |= {"delta_phi_m4": np.zeros(n)}
    light = render_lens_light(
        Systems("POINT_MASS", {**dark, **truth}, np.zeros(n + 1, np.int64), {}),
        domain,
        precision="float32",
    )
    assert light is not None  # the population has some
    return light


def light_templates(domain: Domain) -> np.ndarray:
    """Round de Vaucouleurs profiles of flux one where a population has lens light, (K, pixels)."""
    if domain.population.lens_light is None:
        return np.zeros((0, domain.num_pix**2), _f)
    k = len(LIGHT_RADII)
    truth = {name: np.zeros(k) for name in ("center_x", "center_y")}
    truth |= {name: np.zeros(k) for name in ("lens_light_e1", "lens_light_e2")}
    truth["lens_light_R_sersic"] = np.array(LIGHT_RADII)
    truth["lens_light_n_sersic"] = np.full(k, 4.0)
    amplitudes = [sersic_amplitude(1.0, R_sersic=R, n_sersic=4.0) for R in LIGHT_RADII]
    truth["lens_light_amp"] = np.array(amplitudes)
    return _lens_light(domain, truth).reshape(k, -1)


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
        ss, refinement = domain.supersampling_factor, domain.refinement_factor
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
            one = slice(i, i + 1)
            problem = _problem(images.image[i], images.background_rms[i], images.exposure_time[i])
            if problem is not None:
                yield self._unfitted(images, i, problem)
                continue
            starts = reference.nearest(
                images.image[one], images.background_rms[one], self.spec.n_starts
            )
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
        errors = np.full(len(NAMES), np.nan)
        errors[self.free] = np.sqrt(np.diag(best.covariance))
        explained = self._filter and self._filter(memory, best.x)
        residual, model, weights = (
            field.reshape(n, n).copy() for field in (memory.residual, memory.model, memory.weights)
        )
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
        n, image = self.domain.num_pix, images.image[i]
        rms, time = images.background_rms[i], images.exposure_time[i]
        noise_known = problem != "unknown_noise"
        seen = np.where(np.isfinite(image), image, 0).astype(float)
        variance = rms**2 + np.maximum(seen, 0) / time if noise_known else 1.0
        residual = (seen / np.sqrt(variance) if noise_known else np.zeros((n, n))).astype(_f)
        nothing = np.zeros((n, n), _f)
        k = len(self.free)
        return FittedImage(
            outcome=problem,
            parameters=np.full(len(NAMES), np.nan),
            errors=np.full(len(NAMES), np.nan),
            covariance=np.full((k, k), np.nan),
            chi2=np.nan,
            evaluations=0,
            residual=residual,
            model=nothing,
            statistics=np.full(len(STATISTICS), np.nan),
            explained=None,
        )


def _problem(image: np.ndarray, background_rms: float, exposure_time: float) -> str | None:
    """Why an image cannot be fitted, of ``OUTCOMES``, or None."""
    if not np.isfinite(image).all():
        return "not_finite"
    known = np.isfinite(background_rms) and np.isfinite(exposure_time)
    if not (known and background_rms > 0 and exposure_time > 0):
        return "unknown_noise"
    border = np.concatenate([image[[0, -1]].ravel(), image[1:-1, [0, -1]].ravel()])
    highest = uniform_filter(image.astype(float), 3)[1:-1, 1:-1].max() - np.median(border)
    # A mean of 9 pixels has a third of the noise.
    return None if 3 * highest > LEAST_LIGHT * background_rms else "no_light"
