"""Skies of a few spots on a ring, whose images by any camera are known exactly.

A spot is a sum of three Gaussians: one alone would be as wide as a PSF makes it.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr

from lensml.data.blind_camera import Sample
from lensml.data.harmonise import Camera


@dataclass(frozen=True)
class Sky:
    """Spots of N skies, (N, S) each.

    Attributes:
        x, y: arcsec.
        variance: per axis, arcsec^2.
        flux: e-/s at a zero point of 25.
    """

    x: np.ndarray
    y: np.ndarray
    variance: np.ndarray
    flux: np.ndarray


PARTS = ((0.3, 0.4), (0.45, 1.0), (0.25, 2.0))  # share of a spot's light, width over the spot's


def skies(
    n: int,
    seed: int,
    *,
    radius: float = 0.8,
    size: float = 0.14,
    flux: float = 40.0,
    spots: int = 6,
) -> Sky:
    """A population: ``spots`` of ``size`` (arcsec) about a ring of ``radius`` (arcsec)."""
    rng, shape = np.random.default_rng(seed), (n, spots)
    r, phi = radius * rng.uniform(0.9, 1.1, shape), rng.uniform(0, 2 * np.pi, shape)
    sizes = size * rng.uniform(0.6, 1.4, shape)
    fluxes = flux * rng.uniform(0.5, 1.5, (n, 1)) * rng.dirichlet(np.ones(spots), n)
    return Sky(r * np.cos(phi), r * np.sin(phi), sizes**2, fluxes)


def imaged(sky: Sky, camera: Camera) -> np.ndarray:
    """Images without noise, (N, n, n) e-/s per pixel."""
    edges = (np.arange(camera.num_pix + 1) - camera.num_pix / 2) * camera.pixel_scale
    out = np.zeros((len(sky.x), camera.num_pix, camera.num_pix))
    for part, (share, width) in itertools.product(camera.psf, PARTS):
        sigma = np.sqrt(width**2 * sky.variance + part.variance)[:, :, None]
        rows, columns = (
            np.diff(ndtr((edges - center[:, :, None]) / sigma), axis=2)
            for center in (sky.y, sky.x)
        )
        flux = part.share * share * sky.flux[:, :, None]
        out += np.matmul((flux * rows).swapaxes(1, 2), columns)
    return 10 ** (0.4 * (camera.zero_point - 25)) * out


def observed(
    sky: Sky, camera: Camera, seed: int, *, rms: float = 0.02, time: float = 500.0
) -> Sample:
    """The same with noise of a background and of photons."""
    clean = imaged(sky, camera)
    sigma = np.sqrt(rms**2 + clean / time)
    images = clean + sigma * np.random.default_rng(seed).normal(size=clean.shape)
    ones = np.ones(len(clean))
    return Sample(images.astype(np.float32), rms * ones, time * ones)
