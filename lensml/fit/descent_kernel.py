"""Steps of Levenberg-Marquardt with analytic derivatives, for :mod:`lensml.fit.best_fit`.

Marquardt (1963, J. SIAM 11, 431). Linear templates of the lens's light are solved for in every
step: what they explain is taken out of the residual and out of the normal equations.
"""

from __future__ import annotations

import hashlib
import inspect
import math
from collections.abc import Callable
from typing import NamedTuple, Self

import numba
import numpy as np

from lensml.fit import kernel
from lensml.fit.kernel import N_MAPS, SOURCES, evaluate
from lensml.fit.linear_kernel import (
    copy,
    factorise,
    orthonormalise,
    product,
    project_out,
    substitute,
)

# Damping to begin with from a start and finely: from afar a cautious step finds the right valley
# more often (98 instead of 95 % of starts) and no later.
FIRST_DAMPING, FINE_DAMPING = 3.0, 1e-3
LEAST_DAMPING, MOST_DAMPING = 1e-7, 1e4
TRUSTED_DAMPING = 1e-2  # below which a step goes where the minimum is expected
# Stages: from a start, from the best of them, finely, and what is found in its own noise.
START, FURTHER, FINE, FINAL = 0, 1, 2, 3
_f = np.float32


class Rules(NamedTuple):
    """How far and how fast the fit goes.

    Attributes:
        free: (K,) int64 parameters that are fitted.
        low, high, max_step: (parameters,) float64.
        steps: (4,) int64, at most, of every stage: coarse ones of every start, further ones of the
            best start, fine ones, none.
        tolerance: (4,) chi2 that the next step must promise to be taken.
        pixel_area: arcsec^2.
    """

    free: np.ndarray
    low: np.ndarray
    high: np.ndarray
    max_step: np.ndarray
    steps: np.ndarray
    tolerance: np.ndarray
    pixel_area: float


class Memory(NamedTuple):
    """What the fit of one image works in and leaves behind.

    Attributes:
        maps: (N_MAPS, n, n) float32, of the last evaluation: after a fit, that of the best
            parameters.
        slopes: (K, pixels) float32, derivatives by the free parameters over noise.
        basis: (templates, pixels) float32, orthonormal light of the lens over noise.
        weights: (pixels,) float32, 1 / noise.
        residual: (pixels,) float32, image minus model over noise, without the lens's light.
        model: (pixels,) float32, e-/s per pixel, with the lens's light.
    """

    maps: np.ndarray
    slopes: np.ndarray
    basis: np.ndarray
    weights: np.ndarray
    residual: np.ndarray
    model: np.ndarray

    @classmethod
    def of(cls, num_pix: int, free: int, templates: int) -> Self:
        """Memory for images of ``num_pix`` pixels along either axis."""
        pixels = num_pix**2
        lines = [np.zeros(pixels, _f) for _ in range(3)]
        maps = np.zeros((N_MAPS, num_pix, num_pix), _f)
        return cls(maps, np.zeros((free, pixels), _f), np.zeros((templates, pixels), _f), *lines)


class State(NamedTuple):
    """Where a fit stands.

    Attributes:
        here, trial: (parameters,) float64, the best yet and what is tried next.
        matrix, gradient: (K, K) and (K,) normal equations at ``here``.
        step: (K,), working space, as are the next two.
        damped, lower: (K, K).
    """

    here: np.ndarray
    trial: np.ndarray
    matrix: np.ndarray
    gradient: np.ndarray
    step: np.ndarray
    damped: np.ndarray
    lower: np.ndarray

    @classmethod
    def of(cls, parameters: int, free: int) -> Self:
        """A state for as many parameters, of which as many are free."""
        lines = [np.zeros(free) for _ in range(2)]
        squares = [np.zeros((free, free)) for _ in range(3)]
        here, trial = np.zeros(parameters), np.zeros(parameters)
        return cls(here, trial, squares[0], lines[0], lines[1], *squares[1:])


@numba.njit(fastmath=True, error_model="numpy", forceinline=True)
def weigh(weights, light, subtracted, background_rms, exposure_time):
    """1 / noise of every pixel: background, photons of the light and of what was subtracted."""
    variance, inverse_time = _f(background_rms**2), _f(1 / exposure_time)
    for i in range(weights.size):
        photons = max(light[i], _f(0)) + max(subtracted[i], _f(0))
        weights[i] = _f(1) / math.sqrt(variance + photons * inverse_time)


@numba.njit(fastmath=True, error_model="numpy", forceinline=True)
def compare(memory, image, free):
    """Residual over noise, orthogonal to the lens's light, and slopes; returns chi2."""
    maps, weights, residual = memory.maps, memory.weights, memory.residual
    flat = maps.reshape(maps.shape[0], image.size)
    for i in range(image.size):
        residual[i] = (image[i] - flat[0, i]) * weights[i]
    project_out(residual, memory.basis)
    for k in range(free.size):
        row, slope = memory.slopes[k], flat[1 + free[k]]
        for i in range(image.size):
            row[i] = slope[i] * weights[i]
    return product(residual, residual)


@numba.njit(fastmath=True, error_model="numpy", forceinline=True)
def fill_model(memory, image):
    """The model with the lens's light: the image without its residual."""
    for i in range(image.size):
        memory.model[i] = image[i] - memory.residual[i] / memory.weights[i]


@numba.njit(fastmath=True, error_model="numpy", forceinline=True)
def normal_equations(matrix, gradient, memory):
    """Products of the slopes, less what the lens's light explains, with each other and r."""
    slopes, basis = memory.slopes, memory.basis
    shared = np.empty((slopes.shape[0], basis.shape[0]))
    for i in range(slopes.shape[0]):
        gradient[i] = product(slopes[i], memory.residual)
        for k in range(basis.shape[0]):
            shared[i, k] = product(slopes[i], basis[k])
        for j in range(i + 1):
            total = product(slopes[i], slopes[j])
            for k in range(basis.shape[0]):
                total -= shared[i, k] * shared[j, k]
            matrix[i, j] = matrix[j, i] = total


@numba.njit(error_model="numpy", forceinline=True)
def at_bound(x, low, high, slope):
    """Whether a parameter lies at a bound beyond which its slope points."""
    return (x <= low and slope < 0) or (x >= high and slope > 0)


@numba.njit(error_model="numpy", forceinline=True)
def propose(state, damping, rules):
    """A damped step, no longer than allowed, from ``here`` to ``trial``.

    Returns:
        Damping that made the matrix positive definite, or -1 if none did; and the chi2 that the
        step promises to gain, infinite where it was made shorter.
    """
    here, step, damped, gradient = state.here, state.step, state.damped, state.gradient
    n = rules.free.size
    while True:
        copy(step, gradient)
        for i in range(n):
            copy(damped[i], state.matrix[i])
            damped[i, i] += state.matrix[i, i] * damping + 1e-9
        for i in range(n):
            p = rules.free[i]
            if at_bound(here[p], rules.low[p], rules.high[p], gradient[i]):
                fix(damped, i)
                step[i] = 0
        if factorise(state.lower, damped):
            break
        damping = max(damping, 1e-6) * 10
        if damping > 1e8:
            return -1.0, 0.0
    substitute(step, state.lower)
    shrink, promise = 1.0, 0.0
    for i in range(n):
        shrink = max(shrink, abs(step[i]) / rules.max_step[rules.free[i]])
        promise += step[i] * gradient[i]
    for i in range(n):
        p = rules.free[i]
        state.trial[p] = min(max(here[p] + step[i] / shrink, rules.low[p]), rules.high[p])
    return damping, promise if shrink == 1 else np.inf


@numba.njit(error_model="numpy", forceinline=True)
def fix(matrix, i):
    """Take a parameter out of normal equations."""
    for j in range(matrix.shape[0]):
        matrix[i, j] = matrix[j, i] = 0
    matrix[i, i] = 1


def _compiled(sources: str) -> tuple[Callable[..., tuple], Callable[..., None]]:
    """The kernels; numba's cache of them is that of these ``sources``, not of this file alone."""

    @numba.njit(error_model="numpy", cache=True)
    def descend(state, rules, memory, level, work, image, stage, chi2, damping, cut):
        """Steps of one stage.

        Args:
            state: see :class:`State`; ``here`` is where it starts and where it ends.
            rules, memory, level, work: see :class:`Rules`, :class:`Memory`, and the camera.
            image: (pixels,) float32, e-/s per pixel.
            stage: of the stages; FINAL takes no step, and the maps as they are.
            chi2: of ``here``, whose normal equations are known; infinite if they are not.
            damping: to begin with.
            cut: brightness below which a ray has no derivatives, float32.

        Returns:
            chi2, damping, whether there is nothing more to gain, and number of evaluations. In
            the fine stage the memory holds what belongs to ``here``.
        """
        _ = sources  # in the closure, and so in the key of numba's cache
        here, trial, tolerance = state.here, state.trial, rules.tolerance[stage]
        promise, evaluations, steps = np.inf, 0, 0
        known, current, ended, converged = chi2 < np.inf, True, False, False
        copy(trial, here)
        while True:
            if not known:
                if stage != FINAL:
                    evaluate(memory.maps, trial, level, work, rules.free, cut)
                    evaluations += 1
                found = compare(memory, image, rules.free)
                if ended:
                    return chi2, damping, converged, evaluations
                current = found < chi2
                if current:
                    chi2 = found
                    copy(here, trial)
                    normal_equations(state.matrix, state.gradient, memory)
                    fill_model(memory, image)
                    damping = max(damping / 5, LEAST_DAMPING)
                else:
                    converged = promise < np.inf and found - chi2 < tolerance
                    damping = max(damping, 1e-4) * 8
            known = False
            ended = converged or damping > MOST_DAMPING or steps == rules.steps[stage]
            if not ended:
                damping, promise = propose(state, damping, rules)
                converged = damping < TRUSTED_DAMPING and promise < tolerance
                ended = converged or damping < 0
                steps += 1
            if ended:
                if current or stage != FINE:
                    return chi2, damping, converged, evaluations
                copy(trial, here)

    @numba.njit(error_model="numpy", cache=True)
    def set_noise(memory, light, subtracted, background_rms, exposure_time, templates):
        """Weights, and the basis of the lens's light over noise."""
        _ = sources
        weigh(memory.weights, light, subtracted, background_rms, exposure_time)
        orthonormalise(memory.basis, templates, memory.weights)

    return descend, set_noise


_SOURCES = SOURCES + inspect.getsource(kernel)
descend, set_noise = _compiled(hashlib.sha256(_SOURCES.encode()).hexdigest())
