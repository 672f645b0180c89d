"""Noise: background and photon noise as one Gaussian draw (lenstronomy's noise model)."""

from __future__ import annotations

import numpy as np

from lensml.simulate.streams import generator, seed_sequence
from lensml.simulate.systems import Systems

NOISE_MODEL = "gaussian: variance = background_rms^2 + max(image, 0) / exposure_time"


def noise_variance(
    image: np.ndarray, *, background_rms: np.ndarray | float, exposure_time: np.ndarray | float
) -> np.ndarray:
    """Variance per pixel in (e-/s)^2 (lenstronomy ``Util.data_util`` and ``SimAPI``).

    Args:
        image: noise-free, e-/s per pixel.
        background_rms: e-/s per pixel, broadcast against ``image``.
        exposure_time: s, of all exposures together, broadcast against ``image``.
    """
    return np.square(background_rms) + np.maximum(image, 0) / exposure_time


def add_noise(
    images: np.ndarray,
    systems: Systems,
    *,
    seed: int,
    domain: str,
    split: str,
    start: int,
    subtracted: np.ndarray | None = None,
) -> np.ndarray:
    """Noisy images; the stream of image ``start + i`` is the same in every class.

    Args:
        images: (N, n, n) noise-free, e-/s per pixel.
        systems: their truth.
        seed, domain, split, start: name the random streams.
        subtracted: (N, n, n) light that was there and is not in the images any more, e-/s per
            pixel: its photon noise remains.

    Returns:
        (N, n, n) float32.
    """
    noisy = np.empty(images.shape, np.float32)
    for i, image in enumerate(images):
        sequence = seed_sequence(
            seed, purpose="noise", domain=domain, split=split, index=start + i
        )
        draw = generator(sequence).standard_normal(image.shape, dtype=np.float32)
        variance = noise_variance(
            image if subtracted is None else image + subtracted[i],
            background_rms=systems.truth["background_rms"][i],
            exposure_time=systems.truth["exposure_time"][i],
        )
        noisy[i] = image + np.sqrt(variance).astype(np.float32) * draw
    return noisy
