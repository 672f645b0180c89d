"""Point spread functions as sums of Gaussians: how one is turned into another."""

from __future__ import annotations

from typing import Any, NamedTuple, Self

import numpy as np
from scipy.optimize import brentq, nnls

FWHM_PER_SIGMA = 2 * np.sqrt(2 * np.log(2))
CLOSE = 0.01  # relative error of a kernel that is good enough
N_FREQUENCIES, N_WIDTHS = 80, 40  # of a match by least squares
NEGLIGIBLE = 1e-3  # of the light, and of a transfer function
BISECTIONS = 20


class Gaussian(NamedTuple):
    """A part of a point spread function: its share of the light, and its FWHM in arcsec."""

    share: float
    fwhm: float

    @property
    def variance(self) -> float:
        """Per axis, arcsec^2."""
        return float((self.fwhm / FWHM_PER_SIGMA) ** 2)

    @classmethod
    def of_variance(cls, share: float, variance: float) -> Self:
        """Of a variance per axis in arcsec^2."""
        return cls(float(share), float(np.sqrt(variance) * FWHM_PER_SIGMA))


Psf = tuple[Gaussian, ...]


class Kernel(NamedTuple):
    """What turns one PSF into another by convolution.

    Attributes:
        parts: share of the light and variance (per axis, arcsec^2) of its Gaussians.
        error: what is missing, relative to the PSF that is aimed at (root of the summed squares).
    """

    parts: tuple[tuple[float, float], ...]
    error: float


def variance_of(psf: Psf) -> float:
    """Variance of the whole PSF per axis, arcsec^2."""
    return sum(part.share * part.variance for part in psf)


def fwhm_of(psf: Psf) -> float:
    """Full width at half maximum of the whole PSF, arcsec."""
    variances = np.array([part.variance for part in psf])
    peaks = np.array([part.share for part in psf]) / variances

    def above_half(r: float) -> float:
        return float(peaks @ (np.exp(-(r**2) / (2 * variances)) - 0.5))

    radius: Any = brentq(above_half, 0.0, max(part.fwhm for part in psf))
    return 2 * float(radius)


def widened(psf: Psf, by: float) -> Psf:
    """A PSF after convolution with a Gaussian of variance ``by`` (arcsec^2).

    Below zero, parts are narrowed, to no less than a point.
    """
    if by == 0:
        return psf
    return tuple(Gaussian.of_variance(p.share, max(p.variance + by, 0.0)) for p in psf)


def transfer(psf: Psf, k: np.ndarray) -> np.ndarray:
    """Fourier transform of a PSF at frequencies ``k`` in 1/arcsec; 1 at 0."""
    parts = [p.share * np.exp(-2 * np.pi**2 * p.variance * np.square(k)) for p in psf]
    return np.sum(parts, axis=0)


def matching_kernel(own: Psf, goal: Psf) -> Kernel:
    """The kernel that turns ``own`` into ``goal``.

    From one Gaussian the way to any sum of wider ones is exact. From wings there is in general
    none: it is the sum of Gaussians with shares above 0 whose transfer function, times that of
    ``own``, comes closest to that of ``goal`` in the plane of frequencies.
    """
    if len(own) == 1 and own[0].variance <= min(part.variance for part in goal):
        return Kernel(tuple((p.share, p.variance - own[0].variance) for p in goal), 0.0)
    if own == goal:
        return Kernel(((1.0, 0.0),), 0.0)
    return _closest(own, goal)


def _closest(own: Psf, goal: Psf) -> Kernel:
    narrowest = max(min(part.variance for part in goal), 1e-12)
    last = np.sqrt(-np.log(NEGLIGIBLE) / (2 * np.pi**2 * narrowest))
    k = (np.arange(N_FREQUENCIES) + 0.5) / N_FREQUENCIES * last
    broadest = max(part.variance for part in goal)
    widths = np.concatenate([[0.0], np.geomspace(broadest / 1e3, broadest, N_WIDTHS - 1)])
    columns = transfer(own, k)[:, None] * np.exp(-2 * np.pi**2 * np.square(k)[:, None] * widths)
    aim, ring = transfer(goal, k), np.sqrt(k)
    norm = np.linalg.norm(ring * aim)
    # The last row keeps the light: the transfer function is 1 at 0.
    matrix = np.vstack([ring[:, None] * columns, 10 * norm * np.ones(N_WIDTHS)])
    shares, _ = nnls(matrix, np.append(ring * aim, 10 * norm))
    shares[shares < NEGLIGIBLE] = 0
    shares /= shares.sum()
    error = float(np.linalg.norm(ring * (columns @ shares - aim)) / norm)
    kept = np.flatnonzero(shares)
    return Kernel(tuple((float(shares[i]), float(widths[i])) for i in kept), error)


def common_psf(one: Psf, other: Psf) -> Psf:
    """The narrowest PSF of the two, widened by no more than it takes, that both can be brought to.

    Kernels reach it to ``CLOSE``. Of two single Gaussians it is the wider one.
    """
    candidates = [widened(a, _least_widening(b, a)) for a, b in ((one, other), (other, one))]
    return min(candidates, key=variance_of)


def _least_widening(own: Psf, goal: Psf) -> float:
    """Variance by which ``goal`` must be widened for ``own`` to be brought to it, arcsec^2."""
    most = max(part.variance for part in own)
    if len(own) == 1:
        return max(most - min(part.variance for part in goal), 0.0)
    if matching_kernel(own, goal).error <= CLOSE:
        return 0.0
    low, high = 0.0, most
    while matching_kernel(own, widened(goal, high)).error > CLOSE:
        low, high = high, 2 * high
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        if matching_kernel(own, widened(goal, middle)).error > CLOSE:
            low = middle
        else:
            high = middle
    return high
