"""What small potential would explain what a smooth lens leaves of an observed one.

As in :mod:`lensml.fit.potential` a potential of plane waves changes the image linearly through the
gradient of the source, here of the most probable one; source, light of the lens and the lens
itself are marginalised (Koopmans 2005, Vegetti & Koopmans 2009). Of the modes' products b and C
follow the evidence of an amplitude, the Wiener map of the convergence and its error.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from scipy.linalg import cho_factor, cho_solve

from lensml.modelling.kernel import source_at
from lensml.modelling.mass import WIDTH
from lensml.modelling.pixel_source import PixelSource

WAVES = 10  # across the field, at most
SLOPE = 4.0  # a potential's power falls as the wave number to its negative
AMPLITUDES = np.geomspace(1e-9, 1e-2, 22)  # of that power at 1 rad/arcsec
MARGIN = 0.4  # arcsec beyond what is modelled
N_MAP = 81  # pixels of a map of the convergence along an axis
OF_CLUMPS = 0.15  # of theta_E: their truncation radius, and the distance of the places tried
REACH = 1.35  # of theta_E: how far from the lens they are tried


class Found(NamedTuple):
    """Evidence of a potential.

    Attributes:
        log_evidence: of the best amplitude over that of none; 0 where none is better.
        amplitude: the best.
    """

    log_evidence: float
    amplitude: float


class Clumps(NamedTuple):
    """A clump at every place of a square, by itself.

    Attributes:
        x, y: (k, k) arcsec.
        strength: (k, k) Einstein radius b of a pseudo-Jaffe profile, arcsec; below 0 of a hole.
        error: (k, k) arcsec.
    """

    x: np.ndarray
    y: np.ndarray
    strength: np.ndarray
    error: np.ndarray

    def extreme(self, sign: int) -> dict[str, float]:
        """The most significant clump (1) or hole (-1): its place and its S/N."""
        significance = sign * self.strength / self.error
        k = np.unravel_index(significance.argmax(), significance.shape)
        return {
            "x": float(self.x[k]),
            "y": float(self.y[k]),
            "significance": float(significance[k]),
        }


@dataclass(frozen=True)
class Filter:
    """The potential filter of a modelled lens.

    Attributes:
        model: fitted lens with its source.
        outer: arcsec within which it was modelled.
    """

    model: PixelSource
    outer: float

    @cached_property
    def _gradient(self) -> tuple[np.ndarray, np.ndarray]:
        """Of the source at every ray."""
        model, (bx, by) = self.model, self.model.solution.positions
        value, x, y = np.empty_like(bx), np.empty_like(bx), np.empty_like(bx)
        source_at(bx, by, model.grid, model.m, model.nodes.ravel(), value, x, y)
        return x, y

    @property
    def width(self) -> float:
        """Arcsec across which the waves repeat."""
        return 2 * (self.outer + MARGIN)

    @cached_property
    def _waves(self) -> tuple[np.ndarray, np.ndarray]:
        """Wave numbers (K, 2) rad/arcsec of half a plane, and (K,) widths of their potential."""
        span = np.arange(-WAVES, WAVES + 1)
        a, b = (grid.ravel() for grid in np.meshgrid(span, span[span >= 0], indexing="ij"))
        kept = (a**2 + b**2 <= WAVES**2) & ((b > 0) | (a > 0))
        wave = 2 * np.pi * np.stack([a[kept], b[kept]], 1) / self.width
        return wave, np.hypot(*wave.T) ** (-SLOPE / 2)

    def _seen(self, deflections: np.ndarray) -> np.ndarray:
        """Change of the image, over the noise, by deflections (K, 2, rays): (K, pixels)."""
        model, (gx, gy) = self.model, self._gradient
        images = [model.task.rays.image(-(gx * d[0] + gy * d[1])) for d in deflections]
        whole = model.blur(np.array(images)).reshape(len(images), -1)
        return (whole[:, model.index] * model.weight).astype(np.float32)

    @cached_property
    def _known(self) -> tuple[np.ndarray, tuple[np.ndarray, bool]]:
        """Source, light and lens as columns (pixels, all), and their precision's factor."""
        model = self.model
        lens = model.derivatives(model.solution).T.astype(np.float32)
        columns = np.concatenate([model.solution.matrix, lens], 1)
        precision = (columns.T @ columns).astype(float)
        n, m, free = model.m**2, len(model.precision), model.n_free
        assert model.smoothness is not None  # the model is fitted
        precision[:n, :n] += model.smoothness * model.roughness
        prior = np.concatenate([model.precision, 1 / WIDTH[:free] ** 2])
        prior[m] = 1e-6  # theta_E has no prior
        precision[np.arange(n, n + m + free), np.arange(n, n + m + free)] += prior
        return columns, cho_factor(precision, lower=True)

    def _without_known(self, columns: np.ndarray) -> np.ndarray:
        """Inverse covariance of the data times columns (pixels, K): what the model cannot take."""
        known, factor = self._known
        taken = cho_solve(factor, (known.T @ columns).astype(float))
        return columns - known @ taken.astype(np.float32)

    @cached_property
    def _modes(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Eigenvalues and -vectors of the modes' products, and the modes without what is known."""
        rays, (wave, width) = self.model.task.rays, self._waves
        images = []
        for (kx, ky), scale in zip(wave, width, strict=True):
            phase = kx * rays.x + ky * rays.y
            direction = np.array([[kx], [ky]]) * scale
            both = np.stack([-np.sin(phase) * direction, np.cos(phase) * direction])
            images.append(self._seen(both))
        modes = np.concatenate(images)
        clean = self._without_known(modes.T)
        products = (modes @ clean).astype(float)
        values, vectors = np.linalg.eigh((products + products.T) / 2)
        return np.clip(values, 0, None), vectors, clean

    def evidence(self, data: np.ndarray | None = None) -> Found:
        """Of a potential in an image over that of noise alone.

        Args:
            data: (pixels,) over the noise; the modelled image if None.
        """
        values, _, _ = self._modes
        projected = self._projected(data)
        good = values > 1e-9 * values[-1]
        power, values = projected[good] ** 2 / values[good], values[good]
        gained = AMPLITUDES[:, None] * values
        log_evidence = 0.5 * (power * gained / (1 + gained) - np.log1p(gained)).sum(1)
        k = int(log_evidence.argmax())
        return Found(max(float(log_evidence[k]), 0.0), float(AMPLITUDES[k]))

    def _projected(self, data: np.ndarray | None) -> np.ndarray:
        _, vectors, clean = self._modes
        data = self.model.data if data is None else data
        return vectors.T @ (clean.T @ data.astype(np.float32)).astype(float)

    def convergence(self, amplitude: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Wiener map of the convergence.

        Args:
            amplitude: of the potential's power, as :meth:`evidence` finds it.

        Returns:
            map and standard deviation (n, n), and the axis (n,), arcsec.
        """
        values, vectors, _ = self._modes
        axis = np.linspace(-self.width / 2, self.width / 2, N_MAP)
        wave, width = self._waves
        x, y = (grid.ravel() for grid in np.meshgrid(axis, axis))
        phase = np.outer(wave[:, 0], x) + np.outer(wave[:, 1], y)
        per_mode = (-0.5 * width * (wave**2).sum(1))[:, None]
        basis = np.empty((2 * len(wave), x.size))
        basis[::2], basis[1::2] = per_mode * np.cos(phase), per_mode * np.sin(phase)
        rotated = vectors.T @ basis
        weight = 1 / (values + 1 / amplitude)
        found = (weight * self._projected(None)) @ rotated
        deviation = np.sqrt(weight @ rotated**2)
        shape = (N_MAP, N_MAP)
        return found.reshape(shape), deviation.reshape(shape), axis

    def clumps(self) -> Clumps:
        """Best strength of a single clump at every place, and its error."""
        model = self.model
        theta_E, rays = model.mass[0], model.task.rays
        axis = np.arange(-REACH, REACH + 1e-9, OF_CLUMPS) * theta_E
        x, y = np.meshgrid(axis + model.mass[4], axis + model.mass[5])
        truncation = OF_CLUMPS * theta_E
        strength, error = np.empty(x.size), np.empty(x.size)
        for k, (cx, cy) in enumerate(zip(x.ravel(), y.ravel(), strict=True)):
            dx, dy = rays.x - cx, rays.y - cy
            r = np.hypot(dx, dy) + 1e-6
            size = (r + truncation - np.hypot(r, truncation)) / r**2
            seen = self._seen(np.stack([dx * size, dy * size])[None])[0]
            clean = self._without_known(seen[:, None])[:, 0]
            information = float(seen @ clean)
            strength[k] = float(clean @ model.data.astype(np.float32)) / information
            error[k] = 1 / np.sqrt(information)
        return Clumps(x, y, strength.reshape(x.shape), error.reshape(x.shape))
