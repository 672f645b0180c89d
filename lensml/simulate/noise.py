"""Noise: background and photon noise as one Gaussian draw (lenstronomy's noise model)."""

from __future__ import annotations

import numpy as np

from lensml.simulate.streams import Streams
from lensml.simulate.systems import Systems

NOISE_MODEL = "gaussian: variance = background_rms^2 + max(image, 0) / exposure_time"


def noise_variance(
    image: np.ndarray,
    *,
    background_rms: np.ndarray | float,
    exposure_time: np.ndarray | float,
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
    from lensml.simulate.noise_kernel import draw_noise

    noisy = np.empty(images.shape, np.float32)
    where = {"domain": domain, "split": split, "start": start, "stop": start + len(images)}
    streams = Streams(seed, purpose="noise", **where)
    words = -(-images[0].size // 2)  # of 64 bits, for two pixels
    for i, image in enumerate(images):
        light = image if subtracted is None else image + subtracted[i]
        draw_noise(
            noisy[i].ravel(),
            image.ravel(),
            light.ravel(),
            streams.raw(i, words).view(np.int32),
            systems.truth["background_rms"][i],
            systems.truth["exposure_time"][i],
        )
    return noisy
