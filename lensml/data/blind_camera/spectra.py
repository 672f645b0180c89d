"""What is measured of a domain's images: their mean profile and power in the plane of frequencies.

The mean profile's transform holds the mean flux of every ring, the power spectrum the second
moments of the pixels, of which the power of the Laplacian is one.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from scipy.interpolate import CubicSpline
from scipy.special import j0

from lensml.data.store import open_store
from lensml.schema.adaptation import FEWEST_FITTED as FEWEST

N_GROUPS = 300  # of images, whose scatter is the error of the mean
TAPER = 0.75  # of the window's radius, from where it falls


@dataclass(frozen=True)
class Sample:
    """Images of a domain without labels.

    Attributes:
        images: (N, n, n) e-/s per pixel.
        background_rms: (N,) e-/s per pixel.
        exposure_time: (N,) s.
    """

    images: np.ndarray
    background_rms: np.ndarray
    exposure_time: np.ndarray

    def __len__(self) -> int:
        return len(self.images)


@dataclass(frozen=True)
class Spectra:
    """Spectra of groups of images, averaged over the directions.

    Attributes:
        frequency: (K,) cycles per pixel, from 0 to 1/2.
        profile: (G, K) transform of the mean image, e-/s.
        power: (G, K) of the images, without that of the noise, (e-/s)^2.
    """

    frequency: np.ndarray
    profile: np.ndarray
    power: np.ndarray

    def at(self, frequency: np.ndarray) -> np.ndarray:
        """Profile and power of every group at other frequencies, (G, 2 len(frequency))."""
        profile, power = (spline(frequency) for spline in self._groups)
        return np.hstack([profile.T, power.T])

    def mean(self, frequency: np.ndarray) -> np.ndarray:
        """The same of all images together, (2 len(frequency),)."""
        profile, power = (spline(frequency) for spline in self._means)
        return np.append(profile, power)

    @cached_property
    def _groups(self) -> list[CubicSpline]:
        return [CubicSpline(self.frequency, s.T) for s in (self.profile, self.power)]

    @cached_property
    def _means(self) -> list[CubicSpline]:
        return [CubicSpline(self.frequency, s.mean(0)) for s in (self.profile, self.power)]


def sample_of(stores: Sequence[str | Path], *, n_images: int, seed: int) -> Sample:
    """Images of stores drawn at random; their classes are not looked at.

    Args:
        stores: of one domain; its pool, or those of every class.
        n_images: at most, of all stores together.
        seed: of the choice.

    Raises:
        ValueError: there are too few, or a pool does not say how long it was exposed.
    """
    opened = [open_store(path) for path in stores]
    for store in opened:
        if "exposure_time" not in store.truth:
            raise ValueError(f"{store.path}: does not hold exposure_time; make the pool again")
    sizes = np.cumsum([0, *(len(store) for store in opened)])
    if sizes[-1] < FEWEST:
        raise ValueError(f"{stores[0]}: {sizes[-1]} images, a camera needs {FEWEST} to be fitted")
    chosen = np.sort(np.random.default_rng(seed).permutation(sizes[-1])[:n_images])
    own = [
        chosen[(chosen >= first) & (chosen < last)] - first
        for first, last in itertools.pairwise(sizes)
    ]
    pairs = list(zip(opened, own, strict=True))
    return Sample(
        np.concatenate([store.image[index] for store, index in pairs]),
        *(
            np.concatenate([store.truth[name][index] for store, index in pairs])
            for name in ("background_rms", "exposure_time")
        ),
    )


def spectra(sample: Sample, radius: float, *, seed: int) -> Spectra:
    """Spectra of images within a round window.

    The mean over directions is exact at any frequency: the transform of an image is its pixels'
    sum with the Bessel function J0, and its power that of its autocorrelation (Wiener-Khinchin).
    The noise of independent pixels is in the autocorrelation at distance 0 alone, where it is
    taken away; the rule of the noise is linear in the image, so that this is exact in the mean.

    Args:
        sample: at least ``FEWEST`` images.
        radius: of the window, pixels.
        seed: of the groups.
    """
    n = sample.images.shape[1]
    distance = _distances((np.arange(n) - (n - 1) / 2) ** 2)
    window = _window(distance, radius).astype(np.float32)
    frequency = np.linspace(0, 0.5, 4 * n + 1)  # eight times finer than a field resolves
    to_profile = j0(2 * np.pi * frequency[:, None] * distance.ravel()) * window.ravel()
    lag = np.fft.fftfreq(2 * n, 1 / (2 * n))  # padded: no image is its own neighbour
    lags, ring = np.unique(_distances(lag**2), return_inverse=True)
    to_power = j0(2 * np.pi * frequency[:, None] * lags)
    order = np.random.default_rng(seed).permutation(len(sample))
    groups = np.array_split(order, min(N_GROUPS, len(sample)))
    profile, power = np.empty((2, len(groups), len(frequency)))
    for g, index in enumerate(groups):
        images = sample.images[index]
        profile[g] = to_profile @ images.mean(0, dtype=float).ravel()
        lagged = _autocorrelation(images * window)
        rms, time = (c[index, None, None] for c in (sample.background_rms, sample.exposure_time))
        variance = (rms**2 + images / time).mean(0, dtype=float)
        lagged[0, 0] -= (np.square(window) * variance).sum()
        power[g] = to_power @ np.bincount(ring.ravel(), lagged.ravel(), minlength=len(lags))
    return Spectra(frequency, profile, power)


def half_light_radius(sample: Sample) -> float:
    """Radius of half the light of the mean image, pixels."""
    mean = sample.images.mean(0, dtype=float)
    n = len(mean)
    distance = _distances((np.arange(n) - (n - 1) / 2) ** 2).ravel()
    order = np.argsort(distance, kind="stable")
    order = order[distance[order] < n / 2]
    light = np.cumsum(mean.ravel()[order])
    return float(distance[order][np.searchsorted(light, light[-1] / 2)])


def _distances(squares: np.ndarray) -> np.ndarray:
    return np.sqrt(squares[:, None] + squares)


def _window(distance: np.ndarray, radius: float) -> np.ndarray:
    """1 inside, a half cosine down to 0 at the radius."""
    position = np.clip((distance / radius - TAPER) / (1 - TAPER), 0, 1)
    return (1 + np.cos(np.pi * position)) / 2


def _autocorrelation(images: np.ndarray) -> np.ndarray:
    """Mean autocorrelation of (N, n, n) images at every lag, (2n, 2n)."""
    size = (2 * images.shape[1],) * 2
    transform = np.fft.rfft2(images, s=size)
    power = (np.square(transform.real) + np.square(transform.imag)).mean(0)
    return np.fft.irfft2(power, s=size)
