"""An observed lens that is known: a field with a lens, its light, a source and noise."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from lensml.modelling.arcs import Rings
from lensml.modelling.field import Blur, Field
from lensml.modelling.light import changes_of_light, fit_light, gaussians
from lensml.modelling.mass import Rays
from lensml.modelling.sersic import Task, brightness

MASS = np.array([1.0, 2.05, 0.08, -0.05, 0.02, -0.01, 0.03, -0.02, *[0.0] * 4])
SOURCE = np.array([np.log(0.6), np.log(0.2), np.log(1.3), 0.1, 0.05, 0.08, -0.05])
SHAPE = np.array([0.02, -0.01, 0.1, -0.06, 0.1, -0.06])  # of the lens's light
RINGS = Rings(np.array([1.0]), np.array([50.0]))
N, SCALE, RMS = 61, 0.08, 0.04  # arcs at S/N 60


def psf_image(sigma: float = 0.08, scale: float = SCALE, reach: int = 4) -> np.ndarray:
    """A Gaussian PSF, sum 1."""
    axis = np.arange(-reach, reach + 1) * scale
    image = np.exp(-(axis[:, None] ** 2 + axis**2) / (2 * sigma**2))
    return image / image.sum()


def empty_field(n: int = N, rms: float = RMS) -> Field:
    """Blank sky without noise."""
    axis = (np.arange(n) - (n - 1) / 2) * SCALE
    x, y = np.meshgrid(axis, axis)
    return Field(
        image=np.zeros((n, n)),
        noise=np.full((n, n), rms),
        known=np.ones((n, n), bool),
        pixel_scale=SCALE,
        x=x,
        y=y,
        psf=psf_image(),
        correlation=np.pad([[1.0]], 3),
        blank_chi2=1.0,
    )


def with_image(field: Field, clean: np.ndarray, seed: int = 0) -> Field:
    """The field with an image and its noise."""
    noise = np.random.default_rng(seed).standard_normal(clean.shape) * field.noise
    return replaced(field, image=clean + noise)


def replaced(field: Field, **changes: object) -> Field:
    """A field with other arrays."""
    return replace(field, **changes)  # type: ignore[arg-type]


def arcs_of(
    field: Field, mass: np.ndarray = MASS, clump: tuple[float, float, float] | None = None
) -> np.ndarray:
    """Image of the source, (n, n); a clump is x, y and its strength b, arcsec."""
    rays = Rays.of(field, 10.0, per_axis=4)
    bx, by = rays.traced(mass)
    if clump is not None:
        dx, dy = rays.x - clump[0], rays.y - clump[1]
        r, truncation = np.hypot(dx, dy) + 1e-6, 0.15 * mass[0]
        size = clump[2] * (r + truncation - np.hypot(r, truncation)) / r**2
        bx, by = bx - dx * size, by - dy * size
    return Blur(field.psf, field.n)(rays.image(brightness(SOURCE, bx, by, 0.005)))


def light_of(field: Field) -> np.ndarray:
    """Image of the lens galaxy, (n, n)."""
    sigmas = np.array([0.1, 0.3, 0.8])
    fluxes = np.array([3.0, 8.0, 12.0])[:, None, None]
    return (fluxes * Blur(field.psf, field.n)(gaussians(field, SHAPE, sigmas))).sum(0)


def lens_field(**options: object) -> Field:
    """A lens with light and noise; options of :func:`arcs_of`."""
    field = empty_field()
    return with_image(field, arcs_of(field, **options) + light_of(field))  # type: ignore[arg-type]


def task_of(field: Field) -> Task:
    """What is modelled of a field once the light of its lens is fitted."""
    blur = Blur(field.psf, field.n)
    light = fit_light(field, blur)
    return Task.of(field, blur, light, changes_of_light(field, blur, light), RINGS)
