"""From a camera's images to those of a common camera: separable matrices, and what noise becomes.

A pixel of either camera weighs the sky by its response: the PSF averaged over the pixel. Every
response of the common camera is approximated by a sum of those of the camera's own pixels, by
least squares over the sky (one axis of Rowe, Hirata & Rhodes 2011, arXiv:1105.2852). Where the
pixels are the same this is a convolution; where they differ it also resamples.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr

from lensml.data.harmonise.camera import Camera, CommonCamera, same
from lensml.data.harmonise.psf import matching_kernel

RIDGE = 1e-6  # of the least squares, relative: keeps weights from growing against each other
SAMPLES = 16  # of the sky per narrowest scale
POINT = 0.02  # least standard deviation of a response, in pixels


@dataclass(frozen=True)
class Operator:
    """Linear map of images: gain times the sum over parts of share M X M^T, 0 outside the field.

    Attributes:
        shares: (J,) of the parts, which sum to 1.
        matrices: (J, n, m), from m pixels to n.
        gain: between the zero points.
        inside: (n,) pixels of an axis that both cameras saw.
    """

    shares: np.ndarray
    matrices: np.ndarray
    gain: float
    inside: np.ndarray

    @property
    def is_identity(self) -> bool:
        """Whether images are left exactly as they are."""
        first = self.matrices[0]
        square = len(self.matrices) == 1 and first.shape[0] == first.shape[1]
        unchanged = square and self.gain == 1 and bool(self.inside.all())
        return unchanged and np.array_equal(first, np.eye(len(first)))

    def image(self, x: np.ndarray) -> np.ndarray:
        """Images of the common camera, (N, n, n) e-/s per pixel, from (N, m, m)."""
        out = np.zeros((len(x), *[len(self.inside)] * 2))
        # A product per image: one of all rows at once would depend on how many images there are.
        for share, matrix in zip(self.shares, self.matrices, strict=True):
            out += share * (matrix @ x @ matrix.T)
        return np.where(self.mask, self.gain * out, 0)

    def variance(self, v: np.ndarray) -> np.ndarray:
        """Variance of the pixels of :meth:`image` where those of ``x`` have ``v``, (N, n, n).

        Pixels are taken to be independent before; afterwards neighbours are correlated.
        """
        out = np.zeros((len(v), *[len(self.inside)] * 2))
        parts = list(zip(self.shares, self.matrices, strict=True))
        for i, (share, one) in enumerate(parts):
            for j, (another, other) in enumerate(parts[: i + 1]):
                product = one * other
                twice = 1 if i == j else 2
                out += twice * share * another * (product @ v @ product.T)
        return np.where(self.mask, self.gain**2 * out, 0)

    @property
    def mask(self) -> np.ndarray:
        """Pixels that both cameras saw, (n, n) bool."""
        return self.inside[:, None] & self.inside


def operator_of(camera: Camera, common: CommonCamera) -> Operator:
    """The map from a camera's images to the common camera's."""
    goal = common.camera
    own = camera.psf_on(goal.pixel_scale)
    kernel = matching_kernel(own, goal.psf)
    matrices = [_matrix(camera, goal, added) for _, added in kernel.parts]
    return Operator(
        shares=np.array([share for share, _ in kernel.parts]),
        matrices=np.stack(matrices),
        gain=10 ** (0.4 * (goal.zero_point - camera.zero_point)),
        inside=common.inside(),
    )


def _matrix(camera: Camera, goal: Camera, added: float) -> np.ndarray:
    """(n, m) weights of a camera's pixels in those of another whose PSF is wider by ``added``.

    Args:
        camera: whose images are mapped.
        goal: pixels to which.
        added: variance beyond what the camera's PSF is on those pixels, arcsec^2.
    """
    if added == 0 and same(camera.pixel_scale, goal.pixel_scale):
        return _centred_identity(camera.num_pix, goal.num_pix)
    wanted = min(part.variance for part in camera.psf_on(goal.pixel_scale)) + added
    narrow = np.sqrt(min(part.variance for part in camera.psf))
    sigmas = [max(s, POINT * goal.pixel_scale) for s in (narrow, np.sqrt(wanted))]
    step = min(camera.pixel_scale, 3 * min(sigmas)) / SAMPLES
    half = camera.field / 2  # beyond it nothing is known, and nothing is made up
    sky = np.linspace(-half, half, int(np.ceil(2 * half / step)) + 1)
    own = _responses(camera, sigmas[0], sky)
    aim = _responses(goal, sigmas[1], sky)
    gram = own @ own.T
    gram += RIDGE * gram.diagonal().max() * np.eye(len(gram))
    return np.linalg.solve(gram, own @ aim.T).T


def _centred_identity(m: int, n: int) -> np.ndarray:
    """Pixels as they are, cut or padded evenly, (n, m).

    Raises:
        ValueError: one number is odd, the other even: the grids lie half a pixel apart.
    """
    if (m - n) % 2:
        raise ValueError(
            f"images of {m} and {n} pixels of one size lie half a pixel apart: both numbers "
            "must be even, or both odd"
        )
    return np.eye(n, m, k=(m - n) // 2)


def _responses(camera: Camera, sigma: float, sky: np.ndarray) -> np.ndarray:
    """Share of a point's light at ``sky`` (S,) that every pixel of an axis gets, (num_pix, S)."""
    edges = (np.arange(camera.num_pix + 1) - camera.num_pix / 2) * camera.pixel_scale
    return np.diff(ndtr((edges[:, None] - sky) / sigma), axis=0)
