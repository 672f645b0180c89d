"""Which amplitude of a potential is looked for: chosen on proxies, never on labels.

Proxies are images of smooth lenses that were distorted without regard to what substructure is (see
:mod:`lensml.evaluation.anomaly.proxies`). The amplitude is the one whose evidence tells them best
from undistorted images where few of these are mistaken.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import pandas as pd

from lensml.data.files import write_csv
from lensml.data.store import Store, open_store
from lensml.fit.observed import observed
from lensml.fit.smooth import SmoothFitter
from lensml.fit.starts import Reference, read_reference
from lensml.schema.fit import Fit
from lensml.simulate.stored import domain_of

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


def powers(
    proxies: Sequence[Spectrum],
    smooth: Sequence[Spectrum],
    amplitudes: np.ndarray = AMPLITUDES,
) -> np.ndarray:
    """How well the evidence of every amplitude finds proxies at few false positives, (A,).

    Args:
        proxies: of distorted images.
        smooth: of undistorted ones.
        amplitudes: (A,).

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
    return np.array([_power(f, e) for f, e in zip(found.T, expected.T, strict=True)])


def best_amplitude(power: np.ndarray, amplitudes: np.ndarray = AMPLITUDES) -> float:
    """The amplitude of most power; of equally good ones, which rise, the middle one."""
    best = np.flatnonzero(power == power.max())
    return float(amplitudes[best[(len(best) - 1) // 2]])


def measure_amplitudes(
    proxies: str | Path,
    smooth: str | Path,
    reference: str | Path,
    output: str | Path,
    *,
    spec: Fit,
) -> None:
    """Fit proxies and smooth validation lenses, and write the power of every amplitude.

    The columns are amplitude (arcsec^4), power, best (of those on the grid) and configured
    (whether it is the one on the grid next to that of ``spec``).

    Args:
        proxies: store of distorted images.
        smooth: store of undistorted ones.
        reference: library of starts, see :func:`lensml.fit.starts.fit_reference`.
        output: the .csv to write.
        spec: of the fit; its potential's modes are those that are tried.

    Raises:
        ValueError: no potential is looked for.
        DamagedStoreError: a store is incomplete or damaged.
    """
    if spec.potential is None:
        raise ValueError("fit.potential = null: there is no amplitude to choose")
    library = read_reference(reference)
    distorted, expected = (_spectra(open_store(s), library, spec) for s in (proxies, smooth))
    power = powers(distorted, expected)
    nearest = np.abs(np.log(AMPLITUDES / spec.potential.amplitude)).argmin()
    columns = {
        "amplitude": AMPLITUDES,
        "power": power,
        "best": best_amplitude(power) == AMPLITUDES,
        "configured": np.arange(len(AMPLITUDES)) == nearest,
    }
    write_csv(output, pd.DataFrame(columns), float_format="%.6g")


def _spectra(images: Store, library: Reference, spec: Fit) -> list[Spectrum]:
    """Of every image that could be fitted."""
    fitter = SmoothFitter(domain_of(images), spec)
    found = []
    for fitted in fitter.fit(observed(images, 0, len(images)), library):
        if fitted.explained is not None:
            _, b, products = fitter.products(fitted.parameters)
            found.append(Spectrum.of(b, products))
    return found


def _power(found: np.ndarray, expected: np.ndarray) -> float:
    """Mean share of proxies that are found, over rates of false positives up to ``MOST_FALSE``."""
    rates = np.linspace(0, MOST_FALSE, 21)[1:]
    thresholds = np.quantile(expected, 1 - rates)
    return float((found[:, None] > thresholds).mean())
