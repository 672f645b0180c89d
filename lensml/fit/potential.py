"""The potential filter: what small extra potential would explain what a smooth lens leaves over.

A potential psi beside the smooth lens deflects by its gradient, which changes an image by
I_x d psi/dx + I_y d psi/dy, where I_x and I_y are the derivatives by the source's position,
convolved with the PSF. With psi = sum_k a_k scale_k {cos, sin}(k theta), scale_k^2 = |k|^-slope,
this is linear in the coefficients a: the residual over noise is G^T a plus white noise, orthogonal
to the derivatives of the fit, to the lens's light and, where asked for, to multipoles. Of b = G r
and C = G G^T follow (Koopmans 2005, Hezaveh et al. 2016 for the idea; Rasmussen & Williams 2006,
eqs. 2.8 and 2.30):

* the locally most powerful test against noise, z = (b.b - tr C) / sqrt(2 tr C^2);
* the evidence of an amplitude A = <a_k^2> over that of noise alone,
  b^T (C + 1/A)^-1 b / 2 - log det(1 + A C) / 2;
* the Wiener map of the convergence, lap psi / 2 at a = (C + 1/A)^-1 b, and its standard deviation.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, Self

import numpy as np

from lensml.fit.descent_kernel import Memory
from lensml.fit.potential_kernel import explain, find_directions, find_products
from lensml.schema.fit import PotentialFilter
from lensml.schema.simulation import Domain
from lensml.simulate.axes import pixel_axis

_f = np.float32


class Modes(NamedTuple):
    """Plane waves over the field of a camera, of one half of the plane of wave numbers.

    Attributes:
        a, b: (M/2,) int64 waves across the field along x (from 0) and y.
        kx, ky: (M/2,) rad/arcsec.
        scale: (M/2,) |k|^(-slope/2), standard deviation of a mode's potential where A is 1.
        convergence: (M/2,) convergence of a mode of coefficient 1, -scale |k|^2 / 2.
        cosine, sine: (2 waves + 1, n) float64, of every wave number at every pixel.
        cosine32, sine32: the same in float32.
        axis: (n,) pixels, arcsec.
        waves: largest number of waves.
    """

    a: np.ndarray
    b: np.ndarray
    kx: np.ndarray
    ky: np.ndarray
    scale: np.ndarray
    convergence: np.ndarray
    cosine: np.ndarray
    sine: np.ndarray
    cosine32: np.ndarray
    sine32: np.ndarray
    axis: np.ndarray
    waves: int

    @classmethod
    def of(cls, domain: Domain, spec: PotentialFilter) -> Self:
        """The modes of a camera: all of at most ``n_modes`` waves across the field."""
        scale, n = domain.instrument.pixel_scale, spec.n_modes
        pairs = [(a, b) for a in range(n + 1) for b in range(-n, n + 1) if (a, b) > (0, 0)]
        a, b = np.array([(a, b) for a, b in pairs if a * a + b * b <= n * n]).T
        unit = 2 * np.pi / (domain.num_pix * scale)
        power = (unit * np.hypot(a, b)) ** (-spec.slope / 2)
        axis = pixel_axis(domain.num_pix, scale)
        phase = unit * np.arange(2 * n + 1)[:, None] * axis
        cosine, sine = np.cos(phase), np.sin(phase)
        return cls(
            a=a,
            b=b,
            kx=unit * a,
            ky=unit * b,
            scale=power,
            convergence=-power * unit**2 * (a**2 + b**2) / 2,
            cosine=cosine,
            sine=sine,
            cosine32=cosine.astype(_f),
            sine32=sine.astype(_f),
            axis=axis,
            waves=n,
        )


class FilterMemory(NamedTuple):
    """What the filter of one image works in and leaves behind.

    Attributes:
        by_x, by_y: (pixels,) float32, derivatives by a deflection over noise.
        directions: (K, pixels) float32, orthonormal, what is projected out.
        columns: (K, pixels) float32, working space.
        b: (M,) products of modes and residual, cosines first.
        products: (M, M) of the modes with each other, lower triangle.
        matrices: (3, M, M), working space.
        kappa, kappa_std: (n, n) float32.
    """

    by_x: np.ndarray
    by_y: np.ndarray
    directions: np.ndarray
    columns: np.ndarray
    b: np.ndarray
    products: np.ndarray
    matrices: np.ndarray
    kappa: np.ndarray
    kappa_std: np.ndarray

    @classmethod
    def of(cls, modes: Modes, n_directions: int) -> Self:
        """Memory for modes and for as many directions that are projected out."""
        m, n = 2 * modes.a.size, modes.axis.size
        return cls(
            by_x=np.zeros(n * n, _f),
            by_y=np.zeros(n * n, _f),
            directions=np.zeros((n_directions, n * n), _f),
            columns=np.zeros((n_directions, n * n), _f),
            b=np.zeros(m),
            products=np.zeros((m, m)),
            matrices=np.zeros((3, m, m)),
            kappa=np.zeros((n, n), _f),
            kappa_std=np.zeros((n, n), _f),
        )


@dataclass(frozen=True)
class Explained:
    """What the filter found in one image.

    Attributes:
        z: of the locally most powerful test.
        evidence: of the amplitude, in natural logarithms.
        kappa, kappa_std: (n, n) float32, Wiener map of the convergence and its deviation.
    """

    z: float
    evidence: float
    kappa: np.ndarray
    kappa_std: np.ndarray


class Filter:
    """The filter of one image after the other in one camera."""

    def __init__(
        self, domain: Domain, spec: PotentialFilter, n_fit: int, multipoles: bool
    ) -> None:
        """Set up modes and memory.

        Args:
            domain: camera.
            spec: of the filter.
            n_fit: free parameters and light templates of the fit.
            multipoles: whether multipoles are projected out, too.
        """
        self._multipoles, self._amplitude = multipoles, spec.amplitude
        self.modes = Modes.of(domain, spec)
        self.memory = FilterMemory.of(self.modes, n_fit + 4 * multipoles)

    def products(self, fit: Memory, x: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
        """z, b (M,) and C (M, M) of the image that was just fitted."""
        memory = self.memory
        find_directions(memory, fit, x, self.modes.axis, self._multipoles)
        z = find_products(memory, fit.residual, self.modes)
        lower = memory.products
        return z, memory.b.copy(), np.tril(lower) + np.tril(lower, -1).T

    def __call__(self, fit: Memory, x: np.ndarray) -> Explained:
        """What explains the residual of the image that was just fitted.

        Args:
            fit: memory of its fit.
            x: (parameters,) that were found.
        """
        memory = self.memory
        find_directions(memory, fit, x, self.modes.axis, self._multipoles)
        z = find_products(memory, fit.residual, self.modes)
        evidence = explain(memory, self.modes, self._amplitude)
        return Explained(z, evidence, memory.kappa.copy(), memory.kappa_std.copy())
