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
    out: np.ndarray | None = None,
) -> np.ndarray:
    """Variance per pixel in (e-/s)^2 (lenstronomy ``Util.data_util`` and ``SimAPI``).

    Args:
        image: noise-free, e-/s per pixel.
        background_rms: e-/s per pixel, broadcast against ``image``.
        exposure_time: s, of all exposures together, broadcast against ``image``.
        out: where to write it.
    """
    photons = np.divide(np.maximum(image, 0), exposure_time, out=out)
    return np.add(np.square(background_rms), photons, out=out)


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
    where = {"domain": domain, "split": split, "start": start, "stop": start + len(images)}
    streams = Streams(seed, purpose="noise", **where)
    # Arrays of one image that are written over: fresh ones cost as much as the arithmetic.
    shape = images.shape[1:]
    draw, light, variance = (np.empty(shape, t) for t in (np.float32, images.dtype, np.float64))
    for i, image in enumerate(images):
        streams[i].standard_normal(dtype=np.float32, out=draw)
        np.add(image, 0 if subtracted is None else subtracted[i], out=light)
        noise_variance(
            light,
            background_rms=systems.truth["background_rms"][i],
            exposure_time=systems.truth["exposure_time"][i],
            out=variance,
        )
        draw *= np.sqrt(variance, out=variance).astype(np.float32)
        np.add(image, draw, out=noisy[i], casting="same_kind")
    return noisy
