"""The same smooth lens fitted by scipy and by lenstronomy, and one judge of every fit.

Who fits is told the noise map, the PSF and the shapes of the lens's light; brightnesses are linear
and solved for. The judge's chi2 is that of the simulator's image of a lens, whoever found it.
"""

from __future__ import annotations

import contextlib
import io
import time
import warnings
from collections.abc import Generator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from scipy.optimize import least_squares

from lensml.fit.observed import LIGHT_RADII, light_templates
from lensml.fit.parameters import HIGH, LOW, NAMES, systems_of_parameters
from lensml.schema.simulation import Domain
from lensml.schema.speed import FitSpeed
from lensml.simulate.axes import pixel_axis
from lensml.simulate.render import render

LENS = ("theta_E", "gamma", "e1", "e2", "center_x", "center_y")
SHEAR = ("gamma1", "gamma2")
SHAPE = ("e1", "e2", "center_x", "center_y")  # of the source, beside radius and index
SIZES = ("R_sersic", "n_sersic")  # fitted by their logarithms here, as they are by lenstronomy
DIFFERENCE = 1e-4  # relative step of numerical derivatives
NARROWER = 0.3  # a round's swarm starts as wide as this share of the round before
NARROWEST = 0.01
Sampler = Literal["PSO", "SIMPLEX"]


@dataclass(frozen=True)
class Lens:
    """One image as whoever fits it has it.

    Attributes:
        domain: camera, with the rays that are sent.
        image: (n, n) e-/s per pixel.
        noise: (n, n) standard deviation of every pixel.
        templates: (K, pixels) light of the lens.
        free: (P,) indices of the parameters that are fitted.
        start: (parameters,).
        spread: (parameters,) how far from its start a lens may be expected.
    """

    domain: Domain
    image: np.ndarray
    noise: np.ndarray
    templates: np.ndarray
    free: np.ndarray
    start: np.ndarray
    spread: np.ndarray

    @classmethod
    def of(cls, domain: Domain, image: np.ndarray, noise: np.ndarray, **given: Any) -> Lens:
        """A lens with the templates of its domain."""
        return cls(domain, image.astype(float), noise, light_templates(domain), **given)

    def arc(self, x: np.ndarray) -> np.ndarray:
        """(pixels,) the lensed source over noise."""
        image = render(
            systems_of_parameters(x[None]), self.domain, engine="numba", precision="float64"
        )
        return image.ravel() / self.noise.ravel()

    def chi2(self, x: np.ndarray) -> float:
        """Sum of squares of a lens with parameters (parameters,), brightnesses solved for."""
        light = self.templates / self.noise.ravel()
        columns = np.column_stack([self.arc(x), *light])
        seen = (self.image / self.noise).ravel()
        return float(np.square(seen - columns @ np.linalg.lstsq(columns, seen)[0]).sum())


def fit_by_scipy(lens: Lens, tolerance: float) -> np.ndarray:
    """Parameters (parameters,) that ``scipy.optimize.least_squares`` finds from the start.

    Args:
        lens: to fit.
        tolerance: change of chi2 at which to stop.
    """
    free, x = lens.free, lens.start.copy()
    basis = np.linalg.qr((lens.templates / lens.noise.ravel()).T)[0]
    seen = (lens.image / lens.noise).ravel()

    def residual(values: np.ndarray) -> np.ndarray:
        trial = x.copy()
        trial[free] = values
        left = seen - lens.arc(trial)
        return left - basis @ (basis.T @ left)

    inside = np.clip(x, LOW + 1e-6, HIGH - 1e-6)
    found = least_squares(
        residual,
        inside[free],
        bounds=(LOW[free], HIGH[free]),
        x_scale="jac",
        diff_step=DIFFERENCE,
        ftol=tolerance / seen.size,
    )
    x[free] = found.x
    return x


def fit_by_lenstronomy(
    lens: Lens, sampler: Sampler, spec: FitSpeed, goal: float, seed: int
) -> tuple[np.ndarray, float]:
    """Parameters and CPU seconds of lenstronomy's ``FittingSequence``, as far as is needed.

    It goes on in rounds, each from the best of the one before, until a round ends at chi2 below
    the goal or has passed the time that is allowed; the judge's own time does not count.

    Args:
        lens: to fit.
        sampler: particle swarm, or Nelder-Mead's simplex.
        spec: rounds and limits.
        goal: chi2 to reach.
        seed: of the swarm.
    """
    with contextlib.closing(_rounds(lens, sampler, spec, seed)) as rounds:
        for x, seconds in rounds:
            if lens.chi2(x) <= goal or seconds > spec.max_seconds:
                return x, seconds
    raise AssertionError("rounds do not end by themselves")


def _rounds(
    lens: Lens, sampler: Sampler, spec: FitSpeed, seed: int
) -> Generator[tuple[np.ndarray, float]]:
    """After every round the parameters and the CPU seconds up to there."""
    state = np.random.get_state()  # noqa: NPY002  lenstronomy draws from the global generator
    np.random.seed(seed)  # noqa: NPY002
    seconds, width = 0.0, 1.0
    started = time.process_time()
    try:
        sequence = fitting_sequence(lens)
        while True:
            _run(sequence, sampler, spec, width)
            x = _parameters_of(sequence.best_fit(), lens.start)
            seconds += time.process_time() - started
            yield x, seconds
            started = time.process_time()
            width = max(width * NARROWER, NARROWEST)
    finally:
        np.random.set_state(state)  # noqa: NPY002


def _run(sequence: Any, sampler: Sampler, spec: FitSpeed, width: float) -> None:
    """One round; what lenstronomy prints of it is not for the log."""
    settings: dict[str, Any] = {"n_iterations": spec.n_iterations}
    if sampler == "PSO":
        settings |= {"n_particles": spec.n_particles, "sigma_scale": width, "threadCount": 1}
    else:  # an iteration of the simplex is about one image, one of the swarm an image a particle
        settings["n_iterations"] *= spec.n_particles
    with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # that iterations are used up
        sequence.fit_sequence([[sampler, settings]])


def fitting_sequence(lens: Lens) -> Any:
    """Lenstronomy's ``FittingSequence`` of a lens: what is fixed, and where it starts."""
    from lenstronomy.Workflow.fitting_sequence import FittingSequence

    light = ["SERSIC"] * len(lens.templates)
    models = {
        "lens_model_list": ["EPL", "SHEAR"],
        "source_light_model_list": ["SERSIC_ELLIPSE"],
        **({"lens_light_model_list": light} if light else {}),
    }
    at = [_arguments(x) for x in (lens.start, LOW, HIGH)]
    origin = {"ra_0": 0.0, "dec_0": 0.0}
    slope = {} if NAMES.index("gamma") in lens.free else {"gamma": at[0][0][0]["gamma"]}
    lenses = [_without(k[0], slope) for k in at]
    middle = {"center_x": 0.0, "center_y": 0.0, "n_sersic": 4.0}
    fixed_light = [{**middle, "R_sersic": radius} for radius in LIGHT_RADII[: len(light)]]
    nothing = [{} for _ in light]
    spread, source_spread = _spreads(lens)
    parameters = {
        "lens_model": [lenses[0], _without(spread, slope), [slope, origin], *lenses[1:]],
        "source_model": [at[0][1], source_spread, [{}], at[1][1], at[2][1]],
        "lens_light_model": [fixed_light, nothing, fixed_light, nothing, nothing],
    }
    return FittingSequence(
        {"multi_band_list": [_band(lens)], "multi_band_type": "multi-linear"},
        models,
        {},
        {},
        {name: given for name, given in parameters.items() if given[0]},
        verbose=False,
    )


def _band(lens: Lens) -> list[dict[str, Any]]:
    """Image, PSF and rays as lenstronomy takes them."""
    instrument = lens.domain.instrument
    scale = instrument.pixel_scale
    corner = pixel_axis(lens.domain.num_pix, scale)[0]
    data = {
        "image_data": lens.image,
        "noise_map": lens.noise,
        "ra_at_xy_0": corner,
        "dec_at_xy_0": corner,
        "transform_pix2angle": np.eye(2) * scale,
    }
    psf = {
        "psf_type": "GAUSSIAN",
        "fwhm": instrument.psf_fwhm,
        "pixel_size": scale,
        "truncation": instrument.psf_truncation,
    }
    numerics = {
        "supersampling_factor": lens.domain.supersampling_factor,
        "supersampling_convolution": True,
    }
    return [data, psf, numerics]


def _without(part: list[dict], fixed: dict) -> list[dict]:
    """Lens arguments without those that are fixed."""
    return [{k: v for k, v in one.items() if k not in fixed} for one in part]


def _arguments(x: np.ndarray) -> tuple[list[dict], list[dict]]:
    """Parameters (parameters,) as lenstronomy's arguments of lens and source."""
    value = dict(zip(NAMES, map(float, x), strict=True))
    lens = [{k: value[k] for k in LENS}, {k: value[k] for k in SHEAR}]
    source = {k: value[f"source_{k}"] for k in SHAPE}
    return lens, [source | {k: float(np.exp(value[f"ln_{k}"])) for k in SIZES}]


def _spreads(lens: Lens) -> tuple[list[dict], list[dict]]:
    """The same of the widths about the start."""
    value = dict(zip(NAMES, map(float, lens.spread), strict=True))
    found = [{k: value[k] for k in LENS}, {k: value[k] for k in SHEAR}]
    _, (start,) = _arguments(lens.start)
    source = {k: value[f"source_{k}"] for k in SHAPE}
    return found, [source | {k: start[k] * value[f"ln_{k}"] for k in SIZES}]


def _parameters_of(found: dict[str, Any], start: np.ndarray) -> np.ndarray:
    """Lenstronomy's best fit as parameters, (parameters,); the flux stays that of the start."""
    x, (lens, shear), (source,) = start.copy(), found["kwargs_lens"], found["kwargs_source"]
    values = {k: lens[k] for k in LENS} | {k: shear[k] for k in SHEAR}
    values |= {f"source_{k}": source[k] for k in SHAPE}
    values |= {f"ln_{k}": np.log(source[k]) for k in SIZES}
    for name, value in values.items():
        x[NAMES.index(name)] = value
    return np.clip(x, LOW, HIGH)
