"""A lens with a Sersic source: the first model of an observed lens, from many starts.

The light of the lens is linear beside it, with priors about what :mod:`lensml.modelling.light`
found, and is projected out.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy.linalg import cho_factor, cho_solve
from scipy.optimize import least_squares

from lensml.modelling.arcs import Rings
from lensml.modelling.field import Blur, Field
from lensml.modelling.light import LensLight
from lensml.modelling.mass import N_SMOOTH, Rays, bounds, departure, traced

AMPLITUDES = 0.3  # prior of the Gaussians' amplitudes about the first fit, relative
LIGHT_MISFIT = 0.02  # of the lens's light: what no sum of Gaussians describes
STARTS = (0.75, 0.95, 1.2)  # of every ring's radius
EVALUATIONS = 25
# ln brightness, ln R_sersic, ln n_sersic, e1, e2, center_x, center_y
MIDDLE = np.array([0.0, np.log(0.15), np.log(1.2), 0, 0, 0, 0])
WIDTH = np.array([1e3, 1.0, 0.5, 0.25, 0.25, 0.6, 0.6])
LOWEST = np.array([-30, np.log(0.01), np.log(0.3), -0.6, -0.6, -1.5, -1.5])
HIGHEST = np.array([30, np.log(1.5), np.log(6), 0.6, 0.6, 1.5, 1.5])
STEPS = np.array(
    [0.05, 0.1, 0.1, 0.1, 0.03, 0.03, 0.04, 0.04, 0.3, 0.2, 0.3, 0.1, 0.1, 0.05, 0.05]
)


@dataclass(frozen=True)
class Task:
    """What is fitted to what.

    Attributes:
        field, blur, light: image, PSF, and the light of the lens.
        columns: (C, n, n) light, sky and changes of the light, all linear.
        middle, precision: (C,) of their coefficients' Gaussian priors.
        used: (n, n) bool.
        noise: (n, n) with what no model of the light describes.
        rays: that may meet the source.
    """

    field: Field
    blur: Blur
    light: LensLight
    columns: np.ndarray
    middle: np.ndarray
    precision: np.ndarray
    used: np.ndarray
    noise: np.ndarray
    rays: Rays

    @classmethod
    def of(
        cls, field: Field, blur: Blur, light: LensLight, changes: np.ndarray, rings: Rings
    ) -> Task:
        """One set of pixels for every start: chi2 of different ones cannot be compared."""
        sky = np.ones((1, field.n, field.n))
        radius = np.hypot(field.x - light.center[0], field.y - light.center[1])
        misfit = LIGHT_MISFIT * np.clip(light.image, 0, None)
        width = AMPLITUDES * light.amplitudes
        of_sky = abs(light.sky) + 0.1 * np.median(field.noise)
        return cls(
            field=field,
            blur=blur,
            light=light,
            columns=np.concatenate([light.templates, sky, changes]),
            middle=np.concatenate([light.amplitudes, [light.sky], np.zeros(len(changes))]),
            precision=1 / np.concatenate([width, [of_sky], np.ones(len(changes))]),
            used=field.known & (radius < rings.outer) & (radius > rings.inner),
            noise=np.hypot(field.noise, misfit),
            rays=Rays.of(field, rings.outer),
        )


@dataclass(frozen=True)
class SersicLens:
    """A fitted lens with a Sersic source.

    Attributes:
        mass: (8,), see :data:`lensml.modelling.mass.NAMES`.
        source: (7,), see :data:`MIDDLE`.
        cost: chi2 with that of the priors, per pixel.
        arcs: (n, n) image of the source.
        lens_light: (n, n) with the sky.
    """

    mass: np.ndarray
    source: np.ndarray
    cost: float
    arcs: np.ndarray
    lens_light: np.ndarray


def brightness(source: np.ndarray, bx: np.ndarray, by: np.ndarray, soft: float) -> np.ndarray:
    """Sersic profile of (7,) parameters, see :data:`MIDDLE`, softened over ``soft`` arcsec."""
    modulus = max(np.hypot(source[3], source[4]), 1e-9)
    angle, q = 0.5 * np.arctan2(source[4], source[3]), (1 - modulus) / (1 + modulus)
    dx, dy = bx - source[5], by - source[6]
    u, v = np.cos(angle) * dx + np.sin(angle) * dy, np.cos(angle) * dy - np.sin(angle) * dx
    n_sersic = np.exp(source[2])
    radius2 = (q * u**2 + v**2 / q + soft**2) * np.exp(-2 * source[1])
    steepness = 1.9992 * n_sersic - 0.3271  # Ciotti & Bertin 1999 to first order
    return np.exp(source[0] - steepness * (radius2 ** (0.5 / n_sersic) - 1))


def fit_sersic(task: Task, mass: np.ndarray, source: np.ndarray) -> SersicLens:
    """Fit from a start.

    Args:
        task: what is fitted to what.
        mass: (8,) of the start.
        source: (7,) of the start.
    """
    index = np.flatnonzero(task.used)
    weight = 1 / task.noise.ravel()[index]
    data = task.field.image.ravel()[index] * weight
    columns = task.columns.reshape(len(task.columns), -1)[:, index] * weight
    factor = cho_factor(columns @ columns.T + np.diag(task.precision**2))
    soft = 0.2 * task.field.pixel_scale / task.rays.per_axis

    def arcs(v: np.ndarray) -> np.ndarray:
        bx, by = task.rays.traced(v[:N_SMOOTH])
        return task.blur(task.rays.image(brightness(v[N_SMOOTH:], bx, by, soft)))

    def solve(v: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        left = data - arcs(v).ravel()[index] * weight - columns.T @ task.middle
        change = cho_solve(factor, columns @ left)
        return left - columns.T @ change, change

    def residual(v: np.ndarray) -> np.ndarray:
        left, change = solve(v)
        mass_prior = departure(np.pad(v[:N_SMOOTH], (0, 4)), task.light.center)[:N_SMOOTH]
        return np.concatenate(
            [left, change * task.precision, mass_prior, (v[N_SMOOTH:] - MIDDLE) / WIDTH]
        )

    low, high = (side[:N_SMOOTH] for side in bounds(task.light.center))
    lowest, highest = np.concatenate([low, LOWEST]), np.concatenate([high, HIGHEST])
    start = np.clip(np.concatenate([mass, source]), lowest + 1e-6, highest - 1e-6)
    found = least_squares(
        residual,
        start,
        bounds=(lowest, highest),
        diff_step=1e-4,
        x_scale=STEPS,
        max_nfev=EVALUATIONS,
        ftol=1e-4,
    )
    _, change = solve(found.x)
    light = np.tensordot(task.middle + change, task.columns, 1)
    return SersicLens(
        found.x[:N_SMOOTH],
        found.x[N_SMOOTH:],
        float(2 * found.cost / len(index)),
        arcs(found.x),
        light,
    )


def first_mass(task: Task, theta_E: float) -> np.ndarray:
    """A start: isothermal, half as elliptical as the light, (8,)."""
    shape = task.light.shape
    e1, e2 = 0.25 * (shape[2:4] + shape[4:6])
    return np.array([theta_E, 2.0, e1, e2, *task.light.center, 0.0, 0.0])


def first_source(task: Task, mass: np.ndarray, least_radius: float) -> np.ndarray:
    """Where light above the lens's comes from behind a first mass, (7,)."""
    field, light = task.field, task.light
    seen = task.used & (field.radius > least_radius)
    weight = np.where(seen, np.clip(light.significance - 2, 0, None), 0).ravel()
    if not weight.any():
        weight = seen.ravel().astype(float)
    index = np.flatnonzero(weight > 0.3 * weight.max())
    bx, by = traced(mass, field.x.ravel()[index], field.y.ravel()[index])
    weight = weight[index] / weight[index].sum()
    x, y = weight @ bx, weight @ by
    size = np.sqrt(weight @ ((bx - x) ** 2 + (by - y) ** 2))
    source = np.array([0, np.log(np.clip(size, 0.05, 0.4)), np.log(1.2), 0.01, 0.01, x, y])
    bx, by = task.rays.traced(mass)
    arcs = task.blur(task.rays.image(brightness(source, bx, by, 0.1 * field.pixel_scale)))
    above = (field.image - light.image) / task.noise**2
    bright = seen & (light.significance > 2.5)
    power = (arcs**2 / task.noise**2)[bright].sum()
    source[0] = np.log(max((above * arcs)[bright].sum() / max(power, 1e-300), 1e-6))
    return source


def fit_from_rings(task: Task, rings: Rings) -> Iterator[SersicLens]:
    """Fits from starts about every ring."""
    for ring in rings.radii:
        for share in STARTS:
            mass = first_mass(task, ring * share)
            yield fit_sersic(task, mass, first_source(task, mass, 0.3 * ring))
