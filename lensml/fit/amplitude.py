"""Which amplitude of a potential is looked for: chosen on proxies, never on labels.

Proxies are images of smooth lenses that were distorted without regard to what substructure is (see
:mod:`lensml.evaluation.anomaly.proxies`). The amplitude is the one whose evidence tells them best
from undistorted images where few of these are mistaken.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

MOST_FALSE = 0.1  # rate of false positives up to which proxies are counted
AMPLITUDES = np.logspace(-8, -3, 21)  # arcsec^4 at slope 4


@dataclass(frozen=True)
class Spectrum:
    """What the filter found in one image, free of any amplitude.

    Attributes:
        eigenvalues: (M,) of C, the products of the modes with each other.
        gains: (M,) squares of b, the products of modes and residual, along its eigenvectors.
    """

    eigenvalues: np.ndarray
    gains: np.ndarray

    @classmethod
    def of(cls, b: np.ndarray, products: np.ndarray) -> Self:
        """The spectrum of b (M,) and C (M, M)."""
        values, vectors = np.linalg.eigh(products)
        return cls(np.maximum(values, 0), (vectors.T @ b) ** 2)

    def evidence(self, amplitudes: np.ndarray) -> np.ndarray:
        """Logarithm of the evidence of each amplitude over none, of the shape of amplitudes."""
        a = np.asarray(amplitudes)[..., None]
        signal = self.gains / (self.eigenvalues + 1 / a)
        return 0.5 * (signal - np.log1p(a * self.eigenvalues)).sum(-1)


def choose_amplitude(
    proxies: Sequence[Spectrum],
    smooth: Sequence[Spectrum],
    amplitudes: np.ndarray = AMPLITUDES,
) -> float:
    """The amplitude whose evidence finds most proxies at few false positives.

    Args:
        proxies: of distorted images.
        smooth: of undistorted ones.
        amplitudes: (A,) to choose from, rising; of equally good ones the middle one is taken.

    Raises:
        ValueError: there are no proxies, no undistorted images or no amplitudes.
    """
    if not (len(proxies) and len(smooth) and len(amplitudes)):
        raise ValueError(
            f"{len(proxies)} proxies, {len(smooth)} undistorted images and {len(amplitudes)} "
            "amplitudes; allowed is at least one of each"
        )
    found = np.stack([s.evidence(amplitudes) for s in proxies])
    expected = np.stack([s.evidence(amplitudes) for s in smooth])
    power = np.array([_power(f, e) for f, e in zip(found.T, expected.T, strict=True)])
    best = np.flatnonzero(power == power.max())
    return float(amplitudes[best[(len(best) - 1) // 2]])


def _power(found: np.ndarray, expected: np.ndarray) -> float:
    """Mean share of proxies that are found, over rates of false positives up to ``MOST_FALSE``."""
    rates = np.linspace(0, MOST_FALSE, 21)[1:]
    thresholds = np.quantile(expected, 1 - rates)
    return float((found[:, None] > thresholds).mean())
