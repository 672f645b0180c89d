"""Observed cut-outs: what their files hold, and the same on the grid of a domain.

:func:`read_observation` reads image, noise, PSF and scale at native pixels and refuses what is not
what it is said to be; :func:`read_cutout` brings that to a domain's pixels, PSF and noise unit.
"""

from lensml.data.observed.errors import UnusableImageError
from lensml.data.observed.grid import Cutout, Grid, read_cutout, resample, to_grid
from lensml.data.observed.psf import Psf, fwhm_of
from lensml.data.observed.reading import Observation, read_observation, widest
from lensml.data.observed.scale import Scale

__all__ = [
    "Cutout",
    "Grid",
    "Observation",
    "Psf",
    "Scale",
    "UnusableImageError",
    "fwhm_of",
    "read_cutout",
    "read_observation",
    "resample",
    "to_grid",
    "widest",
]
