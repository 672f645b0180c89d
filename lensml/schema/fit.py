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

    n_modes: Annotated[int, Field(ge=1, le=16)]
    """Waves across the field, along either axis."""
    slope: Positive
    """The power of the potential falls as wave number^-slope."""
    amplitude: Positive
    """Of that power at 1 rad/arcsec, arcsec^4; `snakemake amplitude` shows how well each amplitude
    finds proxies, without labels.
    """


class Fit(Section):
    """A smooth lens and source for every image, by least squares from fixed starts.

    A coarse stage, one ray per pixel, takes some steps from every start and goes on from the best
    of them; a fine one, with the domain's rays, starts from there.
    """

    n_reference: Annotated[int, Field(ge=2)]
    """Lenses drawn from the population among which starts are looked for."""
    n_starts: Count
    """Of them, the nearest in appearance, that a fit starts from."""
    first_steps: Count
    """Steps at most from every start, with one ray per pixel."""
    coarse_steps: Count
    """Further steps at most from the best of them, with one ray per pixel."""
    fine_steps: Count
    """Steps at most with the rays of the domain."""
    coarse_tolerance: Positive
    """Gain in chi2 that a step must promise to be taken, with one ray per pixel."""
    fine_tolerance: Positive
    """The same with the rays of the domain."""
    multipoles: Multipoles
    """Of orders 3 and 4: `none`; `projected`: what they could explain is taken out before
    convergence is looked for; `fitted`: four more parameters.
    """
    potential: PotentialFilter | None
    """`null`, or the random potential that is looked for in what is left."""


def unfittable(domain: Domain) -> str | None:
    """Why images of a domain cannot be fitted; None where they can."""
    if domain.population.source.galaxies is not None:
        return "its sources are observed galaxies, which no Sersic profile fits"
    if domain.instrument.noise == "none":
        return "its images have no noise (instrument.noise: none) that a fit could be judged by"
    return None
