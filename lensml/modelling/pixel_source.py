"""A lens with a source of splines on a grid, whose coefficients are marginalised analytically.

The image is d = A(eta) s + T c + noise: A maps the source's nodes through the lens eta and the
PSF, T are the light of the lens and its changes. With Gaussian priors of s and c the evidence of
eta and of the source's smoothness is known in closed form (Warren & Dye 2003, Suyu et al. 2006);
the prior of the source follows the fitted Sersic profile, so that it may vary where it is bright.
The lens descends by Levenberg-Marquardt with the most probable source, whose response to the lens
is in the curvature (variable projection, Golub & Pereyra 1973).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from scipy import sparse
from scipy.linalg import cho_factor, cho_solve, get_blas_funcs, toeplitz

from lensml.modelling.field import Blur
from lensml.modelling.kernel import blurred_nodes, source_at
from lensml.modelling.mass import LARGEST_STEP, NAMES, WIDTH, bounds, departure, traced
from lensml.modelling.sersic import Task, brightness

CORRELATION = 3.0  # nodes over which the source is smooth
FLOOR = 0.05  # of the brightest: how far the source may vary far from the fitted profile
POWER = 0.5  # of the profile that the prior's width follows
PSF_REACH = 0.5  # arcsec of the PSF that nodes are blurred with
AMPLITUDES = 0.5  # prior of the Gaussians' amplitudes, relative
SMALLEST_BOX, LARGEST_BOX = 0.12, 0.8  # arcsec from the source's middle to the edge of its nodes
TRIALS = 6  # of a step, each more damped
LEAST_GAIN = 0.5  # of chi2, below which the descent ends
FIRST_SMOOTHNESS = np.array([-12.0, -9, -6, -3, 0, 3])  # of ln, about the nodes' weight
NEXT_SMOOTHNESS = np.array([-1.5, -0.5, 0.5, 1.5])
TUNED_AFTER = (2, 5, 9)  # steps


@dataclass(frozen=True)
class Solution:
    """A source, and how well it explains the image.

    Attributes:
        x: (nodes + columns,) most probable coefficients.
        factor: Cholesky factor of their precision.
        matrix: (pixels, nodes + columns) float32, over the noise.
        normal, projected: matrix^T matrix (lower half), and matrix^T data.
        positions: of the rays in the source plane.
        chi2: of pixels and of the coefficients' priors.
    """

    x: np.ndarray
    factor: Any
    matrix: np.ndarray
    normal: np.ndarray
    projected: np.ndarray
    positions: tuple[np.ndarray, np.ndarray]
    chi2: float


class PixelSource:
    """A source of m x m nodes behind a lens.

    Args:
        task: image, light, rays and pixels.
        mass: (8,) or (12,) of the lens from which it begins.
        source: (7,) Sersic profile that the prior follows.
        m: nodes along an axis.
        box: arcsec from the source's middle to the edge of the nodes; None: where the light lies.
        multipoles: whether those of order 3 and 4 are free.
        expected: (n, n) light of the lens from which it departs.
        floor: see :data:`FLOOR`.
    """

    def __init__(
        self,
        task: Task,
        mass: np.ndarray,
        source: np.ndarray,
        *,
        m: int,
        multipoles: bool,
        expected: np.ndarray,
        box: float | None = None,
        floor: float = FLOOR,
    ) -> None:
        self.task, self.m = task, m
        self.mass = np.zeros(len(NAMES))
        self.mass[: len(mass)] = mass
        self.n_free = len(NAMES) if multipoles else 8
        self.source, self.expected = source, expected
        self.index = np.flatnonzero(task.used)
        self.weight = 1 / task.noise.ravel()[self.index]
        self.data = ((task.field.image - expected).ravel()[self.index]) * self.weight
        self.rows = np.full(task.field.n**2, -1)
        self.rows[self.index] = np.arange(len(self.index))
        middle = len(task.field.psf) // 2
        reach = min(middle, round(PSF_REACH / task.field.pixel_scale))
        kept = slice(middle - reach, middle + reach + 1)
        self.psf = np.ascontiguousarray(task.field.psf[kept, kept])
        self.blur = Blur(self.psf, task.field.n)
        self.box = self._box_of_light() if box is None else box
        spacing = 2 * self.box / (m - 4)
        edge = spacing * (m - 1) / 2
        self.grid = np.array([source[5] - edge, source[6] - edge, spacing])
        self.roughness = self._roughness(floor)
        self.log_det = float(np.linalg.slogdet(self.roughness)[1])
        self.smoothness: float | None = None
        self.evidence = -np.inf

    @cached_property
    def columns(self) -> np.ndarray:
        """(pixels, columns) float32 of the lens's light over the noise."""
        whole = self.task.columns.reshape(len(self.task.columns), -1)
        return (whole[:, self.index] * self.weight).T.astype(np.float32)

    @cached_property
    def precision(self) -> np.ndarray:
        """(columns,) inverse variance of their coefficients."""
        amplitudes = self.task.light.amplitudes
        width = AMPLITUDES * np.maximum(amplitudes, 1e-6 * amplitudes.max())
        sky = 0.5 * abs(self.task.light.sky) + 0.1 * np.median(self.task.field.noise)
        n_changes = len(self.task.columns) - len(amplitudes) - 1
        return 1 / np.concatenate([width, [sky], np.ones(n_changes)]) ** 2

    def _box_of_light(self) -> float:
        """Within which 97 % of the arcs' light comes from, and some."""
        field = self.task.field
        radius = field.radius.ravel()[self.index]
        bright = self.task.light.significance.ravel()[self.index] > 3
        light = np.clip(self.data / self.weight, 0, None)
        light = light * (bright & (radius > 0.45 * self.mass[0]))
        where = (field.x.ravel()[self.index], field.y.ravel()[self.index])
        bx, by = traced(self.mass, *where)
        distance = np.maximum(np.abs(bx - self.source[5]), np.abs(by - self.source[6]))
        order = np.argsort(distance)
        summed = np.cumsum(light[order])
        if summed[-1] <= 0:
            return float(np.clip(3 * np.exp(self.source[1]), SMALLEST_BOX, LARGEST_BOX))
        edge = distance[order][np.searchsorted(summed, 0.97 * summed[-1])]
        return float(np.clip(1.3 * edge, SMALLEST_BOX, LARGEST_BOX))

    def _roughness(self, floor: float) -> np.ndarray:
        """Precision of the nodes at smoothness 1, (m m, m m).

        (L + 1 / l^2)^2 l^2 with the lattice's Laplacian L: a Matern field of length l nodes
        (Lindgren et al. 2011), over the profile's brightness to a power.
        """
        m = self.m
        line = sparse.csr_array(toeplitz(np.r_[2.0, -1.0, np.zeros(m - 2)]))
        one = sparse.eye_array(m)
        operator = sparse.kron(line, one) + sparse.kron(one, line)
        operator = (operator + sparse.eye_array(m * m) / CORRELATION**2).tocsr()
        matrix = (operator @ operator).toarray() * CORRELATION**2
        axis = np.arange(m) * self.grid[2]
        x, y = np.meshgrid(self.grid[0] + axis, self.grid[1] + axis)
        profile = brightness(self.source, x.ravel(), y.ravel(), self.grid[2])
        width = np.clip((profile / profile.max()) ** POWER, floor, None)
        return matrix / width[:, None] / width

    def matrix(self, mass: np.ndarray) -> Solution:
        """The image of every node and column, without a solution."""
        positions = self.task.rays.traced(mass)
        rays = self.task.rays
        nodes = np.zeros((len(self.index), self.m**2), np.float32)
        shape = (self.grid, self.m, rays.per_axis**2, rays.pixels, self.rows, rays.n)
        blurred_nodes(*positions, *shape, self.psf, self.weight, nodes)
        matrix = np.concatenate([nodes, self.columns], 1)
        product: Any = get_blas_funcs("syrk", [matrix])
        normal = product(1.0, matrix.T, lower=1).astype(float)  # its lower half is enough
        projected = (self.data.astype(np.float32) @ matrix).astype(float)
        return Solution(np.empty(0), None, matrix, normal, projected, positions, np.inf)

    def solved(self, given: Solution) -> Solution:
        """The most probable source at the present smoothness."""
        assert self.smoothness is not None  # it is tuned before
        n, precision = self.m**2, given.normal.copy()
        precision[:n, :n] += self.smoothness * self.roughness
        precision[np.arange(n, len(precision)), np.arange(n, len(precision))] += self.precision
        factor = cho_factor(precision, lower=True, overwrite_a=True, check_finite=False)
        x = cho_solve(factor, given.projected, check_finite=False)
        chi2 = float(self.data @ self.data - given.projected @ x)
        return replace(given, x=x, factor=factor, chi2=chi2)

    def evidence_of(self, solution: Solution) -> float:
        """Ln evidence, but for what no lens or source changes."""
        assert self.smoothness is not None  # it is tuned before
        of_prior = 0.5 * (self.m**2 * np.log(self.smoothness) + self.log_det)
        return float(-0.5 * solution.chi2 + of_prior - np.log(np.diag(solution.factor[0])).sum())

    def tune(self, given: Solution) -> Solution:
        """Choose the smoothness by the evidence, at the vertex of a parabola through the best."""
        if self.smoothness is None:
            weights = np.diag(given.normal)[: self.m**2]
            if not (weights > 0).any():
                raise ValueError("no ray meets the source")
            grid = np.log(np.median(weights[weights > 0])) + FIRST_SMOOTHNESS
        else:
            grid = np.log(self.smoothness) + NEXT_SMOOTHNESS
        values = []
        for log_smoothness in grid:
            self.smoothness = float(np.exp(log_smoothness))
            values.append(self.evidence_of(self.solved(given)))
        k = int(np.clip(np.argmax(values), 1, len(grid) - 2))
        a, b, _ = np.polyfit(grid[k - 1 : k + 2] - grid[k], values[k - 1 : k + 2], 2)
        best = grid[k] - b / (2 * a) if a < 0 else grid[int(np.argmax(values))]
        self.smoothness = float(np.exp(np.clip(best, grid[0], grid[-1])))
        return self.solved(given)

    def derivatives(self, solution: Solution) -> np.ndarray:
        """Of the image by the lens's free parameters over the noise, (free, pixels)."""
        rays, (bx, by) = self.task.rays, solution.positions
        value, sx, sy = np.empty_like(bx), np.empty_like(bx), np.empty_like(bx)
        source_at(bx, by, self.grid, self.m, solution.x[: self.m**2], value, sx, sy)
        images = []
        for k in range(self.n_free):
            moved = self.mass.copy()
            moved[k] += 1e-4
            cx, cy = rays.traced(moved)
            images.append(rays.image((sx * (cx - bx) + sy * (cy - by)) / 1e-4))
        blurred = self.blur(np.array(images)).reshape(self.n_free, -1)
        return blurred[:, self.index] * self.weight

    def _prior(self, mass: np.ndarray) -> float:
        return float((departure(mass, self.task.light.center)[: self.n_free] ** 2).sum())

    def fit(self, n_steps: int) -> PixelSource:
        """Descend from the present lens; the result is in ``mass``, ``solution``, ``evidence``."""
        lowest, highest = bounds(self.task.light.center)
        self.mass = np.clip(self.mass, lowest, highest)
        damping, accepted, tried = 1e-2, 0, 0
        now = self.tune(self.matrix(self.mass))
        cost = now.chi2 + self._prior(self.mass)
        while tried < n_steps:
            curvature, slope = self._curvature(now)
            for _ in range(TRIALS):
                tried += 1
                step = np.linalg.solve(curvature + damping * np.diag(np.diag(curvature)), slope)
                step *= min(1.0, 1 / np.max(np.abs(step) / LARGEST_STEP[: self.n_free]))
                mass = self.mass.copy()
                mass[: self.n_free] += step
                mass = np.clip(mass, lowest, highest)
                new = self.solved(self.matrix(mass))
                new_cost = new.chi2 + self._prior(mass)
                if new_cost < cost:
                    break
                damping *= 8
            else:
                break
            gain, cost, now, self.mass = cost - new_cost, new_cost, new, mass
            damping, accepted = max(damping / 5, 1e-6), accepted + 1
            if accepted in TUNED_AFTER:
                now = self.tune(now)
                cost = now.chi2 + self._prior(self.mass)
            elif gain < LEAST_GAIN and accepted > 3:
                break
        self.solution = self.tune(now)
        self.evidence = self.evidence_of(self.solution)
        return self

    def _curvature(self, now: Solution) -> tuple[np.ndarray, np.ndarray]:
        """Of half the cost by the lens, the source following: (free, free), and its slope."""
        jacobian = self.derivatives(now)
        left = self.data - now.matrix @ now.x
        mixed = (now.matrix.T @ jacobian.T.astype(np.float32)).astype(float)
        curvature = jacobian @ jacobian.T - mixed.T @ cho_solve(now.factor, mixed)
        weight = 1 / WIDTH[: self.n_free] ** 2
        prior = departure(self.mass, self.task.light.center)[: self.n_free]
        curvature[np.diag_indices(self.n_free)] += weight
        return curvature, jacobian @ left - prior / WIDTH[: self.n_free]

    @property
    def nodes(self) -> np.ndarray:
        """(m, m) coefficients of the source."""
        return self.solution.x[: self.m**2].reshape(self.m, self.m)

    @property
    def arcs(self) -> np.ndarray:
        """(n, n) image of the source, 0 where no pixel is used."""
        out = np.zeros(self.task.field.n**2)
        seen = self.solution.matrix[:, : self.m**2] @ self.solution.x[: self.m**2]
        out[self.index] = seen / self.weight
        return out.reshape(self.task.field.n, -1)

    @property
    def lens_light(self) -> np.ndarray:
        """(n, n) of the lens and the sky."""
        change = self.solution.x[self.m**2 :]
        return self.expected + np.tensordot(change, self.task.columns, 1)

    @property
    def errors(self) -> np.ndarray:
        """(free,) standard deviations of the lens by the curvature (Laplace)."""
        curvature, _ = self._curvature(self.solution)
        return np.sqrt(np.diag(np.linalg.inv(curvature)))
