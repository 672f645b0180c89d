"""How well a camera explains the difference between the spectra of two domains."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy import stats
from scipy.linalg import solve_triangular
from scipy.optimize import OptimizeResult, least_squares

from lensml.data.blind_camera.spectra import Spectra
from lensml.data.harmonise.camera import Camera
from lensml.data.harmonise.psf import Gaussian, Psf, transfer

N_FREQUENCIES = 24
HIGHEST = 0.4  # cycles per pixel of the coarser camera: beyond it frequencies fold back
SYSTEMATIC = 0.003  # relative error of the model: folding, the window, the grid of rays
DIRECTIONS = (np.arange(16) + 0.5) / 16 * np.pi / 4  # of a square pixel
ROUNDS = 3  # the covariance depends on what is fitted

# Parameters of a target's camera, with their bounds and typical steps.
NAMES = ("pixel", "psf", "zero_point", "wing_share", "wing_width")
LOW = np.array([-1.5, -3.0, -15.0, 0.02, 1.2])
HIGH = np.array([1.5, 2.0, 15.0, 0.6, 3.5])
STEP = np.array([0.01, 0.1, 0.05, 0.1, 0.3])


@dataclass(frozen=True)
class Parameters:
    """A target's camera relative to the source's.

    Attributes:
        values: logarithm of the pixel ratio, logarithm of the ratio of the (cores') FWHM,
            difference of the zero points, and with wings their share and width over the core's.
        free: (len(values),) bool, those that are fitted.
    """

    values: np.ndarray
    free: np.ndarray

    def at(self, free_values: np.ndarray) -> Parameters:
        """With other values of those that are free."""
        values = self.values.copy()
        values[self.free] = free_values
        return replace(self, values=values)

    def with_wings(self, share: float, width: float) -> Parameters:
        """With wings that are free."""
        values = np.append(self.values[:3], [share, width])
        return Parameters(values, np.append(self.free[:3], [True, True]))

    def camera(self, source: Camera, num_pix: int) -> Camera:
        """The target's camera."""
        pixel, psf, zero_point = self.values[:3]
        core = np.exp(psf) * source.psf[0].fwhm
        parts: Psf = (Gaussian(1.0, float(core)),)
        if len(self.values) > 3:
            share, width = map(float, self.values[3:])
            parts = (Gaussian(1 - share, float(core)), Gaussian(share, float(core * width)))
        return Camera(
            pixel_scale=float(source.pixel_scale * np.exp(pixel)),
            psf=parts,
            zero_point=float(source.zero_point + zero_point),
            num_pix=num_pix,
        )


@dataclass(frozen=True)
class Matched:
    """The best camera of a kind.

    Attributes:
        parameters: that were found.
        covariance: of the free ones.
        chi2: of what is left, scaled such that it has ``dof`` degrees of freedom in the mean.
        dof: numbers that sampling moves about, less those that were fitted.
        residual: (2 N_FREQUENCIES,) in units of its standard deviation, the profile first.
    """

    parameters: Parameters
    covariance: np.ndarray
    chi2: float
    dof: float
    residual: np.ndarray

    @property
    def p_value(self) -> float:
        """Probability of a worse match where a camera is all that differs."""
        return float(stats.chi2.sf(self.chi2, self.dof))


@dataclass(frozen=True)
class Match:
    """Spectra of two domains, and how a camera relates them.

    Attributes:
        source, target: spectra of their images.
        camera: of the source.
        num_pix: of the target's images.
        frequency: (N_FREQUENCIES,) 1/arcsec, where they are compared.
        repeats: images per lens system, which are no independent draws.
    """

    source: Spectra
    target: Spectra
    camera: Camera
    num_pix: int
    frequency: np.ndarray
    repeats: float

    def solve(self, start: Parameters) -> Matched:
        """The camera of the least chi^2, from a start; one that is given as a whole stays."""
        current, covariance = start, np.zeros((0, 0))
        for _ in range(ROUNDS if start.free.any() else 0):
            found = self._least(current)
            current = current.at(found.x)
            covariance = np.linalg.pinv(found.jac.T @ found.jac)
        sampled, floor = self._covariances(current)
        root = np.linalg.cholesky(sampled + floor)
        whitened = self._whitened(current, root)
        scale, dof = _moments(sampled, root)
        return Matched(
            parameters=current,
            covariance=covariance,
            chi2=float(whitened @ whitened) / scale,
            dof=dof - int(start.free.sum()),
            residual=self._residual(current) / np.sqrt(np.square(root).sum(1)),
        )

    def _least(self, start: Parameters) -> OptimizeResult:
        """Least squares with the covariance of the start."""
        low, high, step = (b[: len(start.values)][start.free] for b in (LOW, HIGH, STEP))
        root = np.linalg.cholesky(self._covariance(start))
        return least_squares(
            lambda x: self._whitened(start.at(x), root),
            np.clip(start.values[start.free], low, high),
            bounds=(low, high),
            x_scale=step,
        )

    def chi2(self, parameters: Parameters) -> float:
        """Of a camera as it is."""
        root = np.linalg.cholesky(self._covariance(parameters))
        return float(np.square(self._whitened(parameters, root)).sum())

    def flux_ratio(self) -> float:
        """Mean flux of the target's images over that of the source's."""
        return float(self.target.profile[:, 0].mean() / self.source.profile[:, 0].mean())

    def _whitened(self, parameters: Parameters, root: np.ndarray) -> np.ndarray:
        return solve_triangular(root, self._residual(parameters), lower=True)

    def _residual(self, parameters: Parameters) -> np.ndarray:
        """Target's spectra less the source's as the target's camera would have them."""
        camera = parameters.camera(self.camera, self.num_pix)
        seen = self.target.mean(self.frequency * camera.pixel_scale)
        return seen - self._expected(camera)

    def _expected(self, camera: Camera) -> np.ndarray:
        seen = self.source.mean(self.frequency * self.camera.pixel_scale)
        return self._ratio(camera) * seen

    def _ratio(self, camera: Camera) -> np.ndarray:
        """Of a camera's spectra to those of the source's, of one sky."""
        gain = 10 ** (0.4 * (camera.zero_point - self.camera.zero_point))
        new, old = (response(c, self.frequency) for c in (camera, self.camera))
        return np.append(gain * new[0] / old[0], gain**2 * new[1] / old[1])

    def _covariance(self, parameters: Parameters) -> np.ndarray:
        """Of the residual: sampling of either domain, and what the model leaves aside."""
        sampled, floor = self._covariances(parameters)
        return sampled + floor

    def _covariances(self, parameters: Parameters) -> tuple[np.ndarray, np.ndarray]:
        """Both parts of it."""
        camera = parameters.camera(self.camera, self.num_pix)
        ratio = self._ratio(camera)
        source = self.source.at(self.frequency * self.camera.pixel_scale)
        target = self.target.at(self.frequency * camera.pixel_scale)
        sampled = _covariance_of_mean(target) + _covariance_of_mean(source * ratio)
        amplitude = np.sqrt(np.abs(self._expected(camera)[N_FREQUENCIES:]))
        floor = SYSTEMATIC * np.append(amplitude, 2 * amplitude**2)
        return self.repeats * sampled, np.diag(floor**2)


def frequencies(source: Camera, ratio: float) -> np.ndarray:
    """Where spectra are compared, 1/arcsec.

    Args:
        source: camera.
        ratio: of the target's pixels to the source's, roughly.
    """
    highest = HIGHEST / (source.pixel_scale * max(1.0, ratio))
    return np.linspace(0, highest, N_FREQUENCIES)


def response(camera: Camera, frequency: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Transfer function of PSF and square pixel, and its square: means over the directions."""
    x, y = (frequency[:, None] * f(DIRECTIONS) * camera.pixel_scale for f in (np.cos, np.sin))
    pixel, psf = np.sinc(x) * np.sinc(y), transfer(camera.psf, frequency)
    return pixel.mean(1) * psf, np.square(pixel).mean(1) * np.square(psf)


def _covariance_of_mean(groups: np.ndarray) -> np.ndarray:
    """Of the mean of (G, D) groups, such that its inverse is unbiased (Hartlap et al. 2007)."""
    n, d = groups.shape
    return np.cov(groups.T) / n * (n - 1) / (n - d - 2)


def _moments(sampled: np.ndarray, root: np.ndarray) -> tuple[float, float]:
    """Scale and degrees of freedom of the chi^2 of a model that is right.

    What the model may leave aside is a tolerance, no noise: directions in which it is all there is
    add nothing to chi^2. It is then a sum of squares of unlike weights, which has mean and
    variance of ``scale`` times a chi^2 distribution (Satterthwaite 1946).

    Args:
        sampled: (D, D) covariance by sampling.
        root: (D, D) lower Cholesky factor of the covariance that whitens, the tolerance included.
    """
    half = solve_triangular(root, sampled, lower=True)
    weights = np.linalg.eigvalsh(solve_triangular(root, half.T, lower=True))
    total, squares = weights.sum(), np.square(weights).sum()
    return float(squares / total), float(total**2 / squares)
