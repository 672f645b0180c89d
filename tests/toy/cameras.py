"""Cameras, and lenses seen by them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from lensml.data.harmonise import Camera, Gaussian
from lensml.schema.simulation import Domain
from lensml.simulate.noise import add_noise
from lensml.simulate.render import render
from lensml.simulate.systems import Systems, draw_systems

# Instruments on which nothing was chosen that is tested with them.
SHARP = {  # Model III's, for lenses of Model II
    "pixel_scale": 0.08,
    "psf_fwhm": 0.08,
    "magnitude_zero_point": 25.96,
    "exposure_time": 5400.0,
    "num_exposures": 1,
    "read_noise": 4.0,
    "sky_brightness": 22.3,
}
COARSE = {"pixel_scale": 0.11, "psf_fwhm": 0.106, "magnitude_zero_point": 26.35}
WIDE = {"psf_fwhm": 0.24}
WINGED = {"psf_fwhm": 0.27, "psf_wings": {"fraction": 0.25, "fwhm": 0.6}}


def camera(
    pixel_scale: float = 0.101,
    fwhm: float = 0.16,
    *,
    zero_point: float = 25.0,
    num_pix: int = 64,
) -> Camera:
    """A camera whose PSF is one Gaussian."""
    return Camera(pixel_scale, (Gaussian(1.0, fwhm),), zero_point, num_pix)


def seen(
    domain: Callable[..., Domain],
    population: str,
    n: int,
    *,
    start: int = 0,
    split: str = "test",
    substructure: str = "cdm",
    population_changes: dict[str, Any] | None = None,
    **instrument: Any,
) -> tuple[Domain, Systems, np.ndarray]:
    """Lenses of a domain of the catalogue through an instrument, without noise.

    The same indices are the same lenses, whatever the instrument.
    """
    changed = domain(population, instrument=instrument, population=population_changes or {})
    where = {"seed": 3, "split": split, "start": start, "stop": start + n}
    systems = draw_systems(changed, substructure, **where)
    return changed, systems, render(systems, changed, engine="numba", precision="float64")


def noisy(domain: Domain, systems: Systems, images: np.ndarray, *, start: int = 0) -> np.ndarray:
    """The same with noise."""
    where = {"seed": 3, "domain": domain.name, "split": "test", "start": start}
    return add_noise(images, systems, **where)
