"""What the potential filter finds where there is nothing: mocks of a modelled lens, refitted."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from lensml.modelling.lens import LensModel
from lensml.modelling.pixel_source import PixelSource
from lensml.modelling.potential import Filter

STEPS = 6  # of the fit of a mock, which begins at the lens that it was made of


def mock_evidence(lens: LensModel, n: int, seed: int) -> Iterator[float]:
    """Filter's ln evidence in mocks: the lens as modelled, noise as that of blank sky.

    Args:
        lens: modelled.
        n: mocks.
        seed: of their noise.
    """
    best = lens.best
    expected = best.lens_light + best.arcs
    for k in range(n):
        generator = np.random.default_rng([seed, k])
        noise = correlated_noise(lens.field.correlation, lens.field.n, generator)
        scale = lens.field.noise * np.sqrt(lens.field.blank_chi2)
        field = replace(lens.field, image=expected + noise * scale)
        task = replace(best.task, field=field)
        model = PixelSource(
            task,
            best.mass,
            best.source,
            m=best.m,
            multipoles=True,
            expected=best.lens_light,
            box=best.box,
        )
        yield Filter(model.fit(STEPS), lens.rings.outer).evidence().log_evidence


def correlated_noise(
    correlation: np.ndarray, n: int, generator: np.random.Generator
) -> np.ndarray:
    """White noise given a correlation of near pixels, (n, n), of variance one.

    Args:
        correlation: (2 L + 1, 2 L + 1) of two pixels by their distance, 1 in the middle.
        n: pixels along an axis.
        generator: of the noise.
    """
    reach = len(correlation) // 2
    size = n + 2 * reach
    lags = np.arange(-reach, reach + 1)
    kernel = np.zeros((size, size))
    # Tapered: what is cut off at the last lag has no negative power.
    taper = np.clip(1 - np.hypot(lags[:, None], lags) / (reach + 1.5), 0, None)
    kernel[np.ix_(lags, lags)] = correlation * taper
    power = np.clip(np.fft.fft2(kernel).real, 0, None)
    power *= size**2 / power.sum()
    white = generator.standard_normal((size, size))
    return np.fft.ifft2(np.fft.fft2(white) * np.sqrt(power)).real[:n, :n]
