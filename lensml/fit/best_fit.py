"""The best fit of one image: a coarse stage from every start, a fine one from the best of them.

The noise is that which a pipeline knows: of the image in the coarse stage, of the model that this
one found in the fine stage, of the best model at last. (Of the image alone, pixels that are too
bright by chance would count less, and chi2 be two percent low.)
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

import numpy as np

from lensml.fit.camera import Level, Workspace
from lensml.fit.descent_kernel import (
    FINAL,
    FINE,
    FINE_DAMPING,
    FIRST_DAMPING,
    FURTHER,
    START,
    Memory,
    Rules,
    State,
    descend,
    set_noise,
)
from lensml.fit.kernel import DARK
from lensml.fit.parameters import MULTIPOLES


@dataclass(frozen=True)
class Problem:
    """What is fitted to one image.

    Attributes:
        image: (pixels,) float32, e-/s per pixel.
        subtracted: (pixels,) float32, light that was subtracted from it: its noise remains.
        background_rms: e-/s per pixel.
        exposure_time: s, of all exposures together.
        templates: (K, pixels) float32, light of the lens.
    """

    image: np.ndarray
    subtracted: np.ndarray
    background_rms: float
    exposure_time: float
    templates: np.ndarray

    def set_noise(self, memory: Memory, light: np.ndarray) -> None:
        """Weights and templates in the noise that an image like ``light`` (pixels,) has."""
        exposure = (self.background_rms, self.exposure_time)
        set_noise(memory, light, self.subtracted, *exposure, self.templates)


@dataclass(frozen=True)
class BestFit:
    """The best fit of an image; the memory holds its maps.

    Attributes:
        x: (parameters,).
        covariance: (K, K) of the free parameters, NaN of those at a bound.
        chi2: sum of squares of all pixels.
        evaluations: of the model with its derivatives.
        converged: whether the fine stage ended because there was nothing more to gain.
    """

    x: np.ndarray
    covariance: np.ndarray
    chi2: float
    evaluations: int
    converged: bool


@dataclass(frozen=True)
class _Found:
    """Where the descent from a start ended."""

    x: np.ndarray
    light: np.ndarray
    matrix: np.ndarray
    gradient: np.ndarray
    chi2: float
    damping: float
    evaluations: int
    converged: bool


@dataclass(frozen=True)
class _Stage:
    """What the steps of a stage work with."""

    rules: Rules
    memory: Memory
    level: Level
    work: Workspace
    state: State


class LeastSquares:
    """Best fits of one image after the other in one camera."""

    def __init__(
        self, rules: Rules, memory: Memory, levels: Sequence[tuple[Level, Workspace]]
    ) -> None:
        """Set up the fit.

        Args:
            rules: how far and how fast it goes.
            memory: to work in.
            levels: of the coarse and of the fine stage.
        """
        self._rules, self._memory = rules, memory
        # From afar multipoles only lead astray: they are fitted in the fine stage.
        smooth = np.setdiff1d(rules.free, MULTIPOLES)
        coarse = rules._replace(free=smooth), memory._replace(slopes=memory.slopes[: len(smooth)])
        self._coarse, self._fine = (
            _Stage(*given, *level, State.of(len(rules.low), len(given[0].free)))
            for given, level in zip((coarse, (rules, memory)), levels, strict=True)
        )

    def fit(self, problem: Problem, starts: np.ndarray) -> BestFit:
        """Fit one image.

        Args:
            problem: the image.
            starts: (S, parameters), within their bounds.
        """
        state, memory = self._coarse.state, self._memory
        problem.set_noise(memory, problem.image)
        tried = [self._descend(problem, START, start) for start in starts]
        best = min(tried, key=lambda found: found.chi2)
        state.matrix[:], state.gradient[:] = best.matrix, best.gradient
        further = self._descend(problem, FURTHER, best.x, best.chi2, best.damping)
        problem.set_noise(memory, further.light if further.chi2 < best.chi2 else best.light)
        fine = self._descend(problem, FINE, further.x, damping=FINE_DAMPING)
        problem.set_noise(memory, fine.light)
        last = self._descend(problem, FINAL, fine.x)
        return BestFit(
            x=last.x,
            covariance=covariance_of(last.matrix, last.x, self._rules),
            chi2=last.chi2,
            evaluations=sum(f.evaluations for f in (*tried, further, fine)),
            converged=fine.converged,
        )

    def _descend(
        self,
        problem: Problem,
        stage: int,
        x: np.ndarray,
        chi2: float = np.inf,
        damping: float = FIRST_DAMPING,
    ) -> _Found:
        """Go down from ``x``; of a known chi2 the state holds the normal equations."""
        own = self._fine if stage >= FINE else self._coarse
        own.state.here[:] = x
        cut = np.float32(DARK * problem.background_rms / self._rules.pixel_area)
        chi2, damping, converged, evaluations = descend(
            own.state,
            own.rules,
            own.memory,
            own.level,
            own.work,
            problem.image,
            stage,
            chi2,
            damping,
            cut,
        )
        return _Found(
            x=own.state.here.copy(),
            light=self._memory.model.copy(),
            matrix=own.state.matrix.copy(),
            gradient=own.state.gradient.copy(),
            chi2=chi2,
            damping=damping,
            evaluations=evaluations,
            converged=converged,
        )


def covariance_of(matrix: np.ndarray, x: np.ndarray, rules: Rules) -> np.ndarray:
    """Laplace's covariance: the inverse of the normal equations (K, K) of the free parameters.

    NaN of parameters at a bound, and of all where the equations cannot be solved.
    """
    x = x[rules.free]
    inside = (x > rules.low[rules.free]) & (x < rules.high[rules.free])
    covariance = np.full(matrix.shape, np.nan)
    kept = np.ix_(inside, inside)
    # In units of each parameter's own error: they differ by orders of magnitude.
    scale = np.sqrt(np.diag(matrix)[inside])
    if (scale > 0).all():
        units = np.outer(scale, scale)
        with suppress(np.linalg.LinAlgError):
            covariance[kept] = np.linalg.inv(matrix[kept] / units) / units
    return covariance
