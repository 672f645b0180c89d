"""Smooth lenses fitted to every image, and the potential that explains what they leave over."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from lensml.schema.base import Count, Positive, Section
from lensml.schema.simulation import Domain

# Multipoles of order 3 and 4: not there, their directions taken out by the potential filter, or
# four more parameters of the fit.
Multipoles = Literal["none", "projected", "fitted"]


class PotentialFilter(Section):
    """A Gaussian random potential beside the smooth lens, as a sum of Fourier modes."""

    n_modes: Annotated[int, Field(ge=1, le=16)]  # waves across the field, along either axis
    slope: Positive  # of the power of the potential, wave number^-slope
    amplitude: Positive  # of that power at one rad/arcsec, arcsec^4; chosen on proxies


class Fit(Section):
    """A smooth lens and source for every image, by least squares from fixed starts.

    A coarse stage, one ray per pixel, takes some steps from every start and goes on from the best
    of them; a fine one, with the domain's rays, starts from there.
    """

    n_reference: Annotated[int, Field(ge=2)]  # drawn lenses among which starts are looked for
    n_starts: Count  # of every image, the nearest of them
    first_steps: Count  # at most, from each start
    coarse_steps: Count  # at most, further ones from the best of them
    fine_steps: Count  # at most
    coarse_tolerance: Positive  # chi2 that a step must promise to gain to be taken
    fine_tolerance: Positive
    multipoles: Multipoles
    potential: PotentialFilter | None


def unfittable(domain: Domain) -> str | None:
    """Why images of a domain cannot be fitted; None where they can."""
    if domain.population.source.galaxies is not None:
        return "its sources are observed galaxies, which no Sersic profile fits"
    if domain.instrument.noise == "none":
        return "its images have no noise (instrument.noise: none) that a fit could be judged by"
    return None
