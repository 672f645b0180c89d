"""The mass of a lens: its parameters, their priors, and the rays that are sent through it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lensml.modelling.field import Field
from lensml.modelling.kernel import trace

NAMES = (
    *("theta_E", "gamma", "e1", "e2", "center_x", "center_y", "gamma1", "gamma2"),
    *("a3", "b3", "a4", "b4"),  # multipoles, in units of theta_E
)
N_SMOOTH = 8  # of them without multipoles
CENTER = slice(4, 6)
# Of every parameter: prior's middle and width (none of theta_E), and what is allowed.
MIDDLE = np.array([0.0, 2.0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0])
WIDTH = np.array([np.inf, 0.12, 0.2, 0.2, 0.05, 0.05, 0.05, 0.05, *[0.01] * 4])
LOWEST = np.array([0.05, 1.4, -0.55, -0.55, -0.1, -0.1, -0.3, -0.3, *[-0.05] * 4])
HIGHEST = np.array([4.0, 2.6, 0.55, 0.55, 0.1, 0.1, 0.3, 0.3, *[0.05] * 4])
LARGEST_STEP = np.array([0.06, 0.15, 0.1, 0.1, 0.05, 0.05, 0.05, 0.05, *[0.02] * 4])


def bounds(light_center: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Lowest and highest values, (12,) each; the centre's are about the light's."""
    lowest, highest = LOWEST.copy(), HIGHEST.copy()
    lowest[CENTER] += light_center
    highest[CENTER] += light_center
    return lowest, highest


def departure(mass: np.ndarray, light_center: np.ndarray) -> np.ndarray:
    """Parameters less their prior's middle over its width, (12,); 0 where there is no prior."""
    middle = MIDDLE.copy()
    middle[CENTER] = light_center
    return (mass - middle) / WIDTH


@dataclass(frozen=True)
class Rays:
    """Rays of the pixels that a source may light.

    Attributes:
        pixels: (P,) of the image.
        per_axis: rays of a pixel along an axis.
        x, y: (P per_axis^2,) arcsec from the lens.
        n: pixels of the image along an axis.
    """

    pixels: np.ndarray
    per_axis: int
    x: np.ndarray
    y: np.ndarray
    n: int

    @classmethod
    def of(cls, field: Field, reach: float, per_axis: int = 2) -> Rays:
        """Rays of the pixels within ``reach`` arcsec and of those whose light the PSF brings."""
        psf_reach = len(field.psf) // 2 * field.pixel_scale
        pixels = np.flatnonzero((field.radius < reach + psf_reach / 2).ravel())
        step = ((np.arange(per_axis) + 0.5) / per_axis - 0.5) * field.pixel_scale
        dy, dx = np.meshgrid(step, step, indexing="ij")
        x = (field.x.ravel()[pixels][:, None] + dx.ravel()).ravel()
        y = (field.y.ravel()[pixels][:, None] + dy.ravel()).ravel()
        return cls(pixels, per_axis, x, y, field.n)

    def image(self, values: np.ndarray) -> np.ndarray:
        """Means over the rays of every pixel, (n, n); before the PSF."""
        out = np.zeros(self.n**2)
        out[self.pixels] = values.reshape(-1, self.per_axis**2).mean(1)
        return out.reshape(self.n, self.n)

    def traced(self, mass: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Source positions of the rays, arcsec."""
        return traced(mass, self.x, self.y)


def traced(mass: np.ndarray, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Source positions of rays (N,) behind a lens of (8,) or (12,) parameters, arcsec."""
    parameters = np.zeros(len(NAMES))
    parameters[: len(mass)] = mass
    bx, by = np.empty(x.size), np.empty(x.size)
    trace(parameters, np.ascontiguousarray(x), np.ascontiguousarray(y), bx, by)
    return bx, by
