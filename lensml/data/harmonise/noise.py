"""Noise of two cameras: brought to the larger of both by noise that is added."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Self
from zlib import crc32

import numpy as np

from lensml.data.harmonise.operators import Operator
from lensml.schema.simulation import SPLITS

ROUNDING = 1e-9  # of the background's variance: what is missing below it is not


@dataclass(frozen=True)
class NoiseFacts:
    """Noise of images in a common camera: variance = background + photon * max(flux, 0).

    Attributes:
        background: (e-/s)^2 per pixel.
        photon: (e-/s)^2 per e-/s.
    """

    background: float
    photon: float

    @property
    def background_rms(self) -> float:
        """As in a store's truth, e-/s per pixel."""
        return float(np.sqrt(self.background))

    @property
    def exposure_time(self) -> float:
        """As in a store's truth: photons add flux / exposure_time to the variance, s."""
        return 1 / self.photon

    def as_dict(self) -> dict[str, Any]:
        """Plain numbers."""
        return asdict(self)

    @classmethod
    def larger(cls, *facts: NoiseFacts) -> Self:
        """The larger background and the larger part of the photons."""
        return cls(max(f.background for f in facts), max(f.photon for f in facts))


def noise_facts(
    operator: Operator, background_rms: np.ndarray, exposure_time: np.ndarray
) -> NoiseFacts:
    """Noise of a camera's noisiest images, mapped, at its largest in the middle of the field.

    Where pixels differ, noise varies from pixel to pixel by a few per cent: the largest can be
    reached everywhere.

    Args:
        operator: from the camera to the common camera.
        background_rms: (N,) e-/s per pixel, measured.
        exposure_time: (N,) s.
    """
    m, n = operator.matrices.shape[2], len(operator.inside)
    flat = np.ones((1, m, m))
    middle = (0, *[slice(n // 4, n - n // 4)] * 2)
    # Flat light of 1 e-/s per pixel, and how the variance of independent pixels adds up.
    flux, unit = operator.image(flat)[middle], operator.variance(flat)[middle]
    return NoiseFacts(
        background=float(np.max(background_rms) ** 2 * unit.max()),
        photon=float((unit / flux).max() / np.min(exposure_time)),
    )


def equalised(
    x: np.ndarray,
    operator: Operator,
    noise: NoiseFacts,
    *,
    background_rms: np.ndarray,
    exposure_time: np.ndarray,
    normal: np.ndarray,
) -> np.ndarray:
    """Images in the common camera with its noise, (N, n, n).

    What of the noise is missing is added, pixel by pixel. Fluxes stand for what they are without
    noise: not cut off at 0, so that where there is no light the mean is right.

    Args:
        x: (N, m, m) e-/s per pixel.
        operator: from the camera to the common camera.
        noise: that images are to have.
        background_rms, exposure_time: (N,), of ``x``.
        normal: (N, n, n) standard normal numbers.
    """
    y = operator.image(x)
    rms, time = (c[:, None, None].astype(float) for c in (background_rms, exposure_time))
    own = operator.variance(np.maximum(rms**2 + x / time, 0))
    missing = noise.background + noise.photon * y - own
    missing[missing < ROUNDING * noise.background] = 0
    return y + np.sqrt(missing) * normal


def normal_numbers(
    seed: int, *, side: str, split: str, start: int, stop: int, num_pix: int
) -> np.ndarray:
    """Standard normal numbers of the images ``start`` to ``stop - 1``, (N, num_pix, num_pix).

    Every image has a stream of its own (Philox), which depends on what is named here and its index
    alone: not on its class, nor on where a block begins.

    Args:
        seed: of the run.
        side: 'source' or 'target'.
        split: key of ``SPLITS``.
        start, stop: indices within class and split.
        num_pix: pixels per axis.
    """
    out = np.empty((stop - start, num_pix, num_pix), np.float32)
    purpose = crc32(f"harmonise/{side}".encode())
    for i, index in enumerate(range(start, stop)):
        key = (purpose, SPLITS.index(split), index)
        bits = np.random.Philox(np.random.SeedSequence(seed, spawn_key=key))
        np.random.Generator(bits).standard_normal(out=out[i], dtype=np.float32)
    return out
