"""Light of the lens galaxy: a sum of Gaussians (Emsellem et al. 1994, Cappellari 2002).

Its Gaussians share a centre, and their ellipticity runs linearly with the logarithm of the width;
amplitudes are not negative. Arcs are left out of the fit: what stands above it is clipped, and
the fit repeated. How a galaxy departs from that are changes of first order of the centre and the
ellipticity of every Gaussian, linear columns that the fits of the lens may use.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy.linalg import cholesky, solve_triangular
from scipy.ndimage import binary_dilation, gaussian_filter
from scipy.optimize import least_squares, nnls

from lensml.modelling.field import Blur, Field

N_GAUSSIANS = 14
NARROWEST = 0.6  # pixels
REACH = 3.5  # arcsec within which light is fitted
SYSTEMATIC = 0.03  # of the light: what a model of it may miss
ROUNDS = 3  # of fitting and clipping
ABOVE = 2.5  # standard deviations of smoothed pixels that are clipped
CORE = 0.25  # arcsec about the centre that are never clipped
FEWEST = 0.15  # share of the pixels that must be left to fit
CENTER_CHANGE = 0.4  # pixels, prior of a Gaussian's centre
ELLIPTICITY_CHANGE = 0.15


@dataclass(frozen=True)
class LensLight:
    """A fitted lens galaxy.

    Attributes:
        shape: (6,) centre x and y, e1 and e2 of the narrowest and of the widest Gaussian.
        sigmas: (N,) widths, arcsec, of all Gaussians.
        amplitudes: (K,) of those that hold light, their images' unit.
        kept: (K,) which of the N they are.
        sky: background that was fitted beside.
        templates: (K, n, n) images of the kept Gaussians at amplitude 1.
        clipped: (n, n) bool, what was taken for something else.
        significance: (n, n) of what stands above the fit, smoothed over a pixel, in its standard
            deviations.
    """

    shape: np.ndarray
    sigmas: np.ndarray
    amplitudes: np.ndarray
    kept: np.ndarray
    sky: float
    templates: np.ndarray
    clipped: np.ndarray
    significance: np.ndarray

    @property
    def center(self) -> np.ndarray:
        """x, y in arcsec."""
        return self.shape[:2]

    @property
    def image(self) -> np.ndarray:
        """(n, n) of the light and the sky."""
        return np.tensordot(self.amplitudes, self.templates, 1) + self.sky


def fit_light(field: Field, blur: Blur) -> LensLight:
    """Fit the light of a lens, its arcs clipped."""
    reach = min(REACH, field.half_width - field.pixel_scale)
    sigmas = np.geomspace(NARROWEST * field.pixel_scale, reach / 1.5, N_GAUSSIANS)
    used = field.known & (field.radius < reach)
    clipped = np.zeros_like(used)
    shape = np.array([0.0, 0.0, 0.01, 0.01, 0.01, 0.01])
    found = None
    for _ in range(ROUNDS):
        found = _fit(field, blur, used & ~clipped, shape, sigmas, clipped)
        shape = found.shape
        clipped = _clip(field, found, used, reach)
    assert found is not None  # there are rounds
    return found


def _fit(
    field: Field,
    blur: Blur,
    used: np.ndarray,
    start: np.ndarray,
    sigmas: np.ndarray,
    clipped: np.ndarray,
) -> LensLight:
    index = np.flatnonzero(used)
    weight = 1 / field.noise.ravel()[index]
    target = field.image.ravel()[index] * weight

    def solve(shape: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        templates = blur(gaussians(field, shape, sigmas))
        columns = templates.reshape(len(sigmas), -1)[:, index] * weight
        columns = np.concatenate([columns, weight[None], -weight[None]])
        return _not_negative(columns, target), columns, templates

    def left(shape: np.ndarray) -> np.ndarray:
        x, columns, _ = solve(shape)
        return np.concatenate([x @ columns - target, shape[2:] / 0.5, shape[:2] / 0.3])

    bounds = [-0.4, -0.4, *[-0.7] * 4], [0.4, 0.4, *[0.7] * 4]
    scale = [0.02, 0.02, 0.1, 0.1, 0.1, 0.1]
    shape = least_squares(left, start, diff_step=1e-3, max_nfev=10, x_scale=scale, bounds=bounds).x
    x, _, templates = solve(shape)
    amplitudes = x[: len(sigmas)]
    kept = np.flatnonzero(amplitudes > 1e-8 * max(amplitudes.max(), 1e-300))
    light = LensLight(
        shape=shape,
        sigmas=sigmas,
        amplitudes=amplitudes[kept],
        kept=kept,
        sky=float(x[-2] - x[-1]),
        templates=templates[kept],
        clipped=clipped,
        significance=np.zeros_like(field.image),
    )
    return replace(light, significance=significance_above(field, light.image))


def significance_above(field: Field, model: np.ndarray) -> np.ndarray:
    """What stands above a model, smoothed over a pixel, in standard deviations, (n, n)."""
    noise = np.hypot(field.noise, SYSTEMATIC * np.clip(model, 0, None))
    left = np.where(field.known, (field.image - model) / noise, 0.0)
    return gaussian_filter(left, 1.0) * np.sqrt(4 * np.pi)


def _clip(field: Field, light: LensLight, used: np.ndarray, reach: float) -> np.ndarray:
    core = max(CORE, 3 * field.pixel_scale)
    clipped: Any = binary_dilation(
        (light.significance > ABOVE) & (field.radius > core), iterations=2
    )
    inner = used & (field.radius < reach / 2)
    if (inner & ~clipped).sum() >= FEWEST * inner.sum():
        return clipped
    brightest = np.quantile(light.significance[inner], 0.7)
    return (light.significance > brightest) & (field.radius > CORE)


def gaussians(
    field: Field, shape: np.ndarray, sigmas: np.ndarray, which: np.ndarray | None = None
) -> np.ndarray:
    """Gaussians of flux one before the PSF, (K, n, n).

    Args:
        field: pixels.
        shape: (6,), see :class:`LensLight`.
        sigmas: (N,) arcsec.
        which: (K,) of them; all if None.
    """
    share = np.linspace(0, 1, len(sigmas))
    which = np.arange(len(sigmas)) if which is None else which
    out = np.empty((len(which), field.n, field.n))
    for row, k in enumerate(which):
        e1 = shape[2] + (shape[4] - shape[2]) * share[k]
        e2 = shape[3] + (shape[5] - shape[3]) * share[k]
        modulus = min(np.hypot(e1, e2), 0.8)
        angle, q = 0.5 * np.arctan2(e2, e1), (1 - modulus) / (1 + modulus)
        dx, dy = field.x - shape[0], field.y - shape[1]
        u = np.cos(angle) * dx + np.sin(angle) * dy
        v = np.cos(angle) * dy - np.sin(angle) * dx
        peak = (field.pixel_scale / sigmas[k]) ** 2 / (2 * np.pi)
        out[row] = peak * np.exp(-(q * u**2 + v**2 / q) / (2 * sigmas[k] ** 2))
    return out


def _not_negative(columns: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Least squares with coefficients >= 0, through the normal equations: (K,)."""
    normal = columns @ columns.T
    normal[np.diag_indices(len(normal))] *= 1 + 1e-10
    factor = cholesky(normal, lower=True)
    return nnls(factor.T, solve_triangular(factor, columns @ target, lower=True))[0]


def changes_of_light(field: Field, blur: Blur, light: LensLight) -> np.ndarray:
    """How the light changes with the centre and ellipticity of every Gaussian, (4 K, n, n).

    Columns are derivatives times :data:`CENTER_CHANGE` pixels and :data:`ELLIPTICITY_CHANGE`, the
    standard deviations of the coefficients' priors, so that these are of width one.
    """
    amplitude = light.amplitudes[:, None, None]

    def derivative(step: float, *parameters: int) -> np.ndarray:
        change = np.zeros(6)
        change[list(parameters)] = step
        both = [
            gaussians(field, light.shape + sign * change, light.sigmas, light.kept)
            for sign in (1, -1)
        ]
        return amplitude * (both[0] - both[1]) / (2 * step)

    shift, width = 0.1 * field.pixel_scale, CENTER_CHANGE * field.pixel_scale
    columns = [derivative(shift, k) * width for k in (0, 1)]
    columns += [derivative(0.02, *pair) * ELLIPTICITY_CHANGE for pair in ((2, 4), (3, 5))]
    return blur(np.concatenate(columns))
