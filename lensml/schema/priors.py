"""Prior distributions as they are written in a population file.

A prior is a number (always this value) or a mapping with a ``dist`` key, for example
``{dist: normal, mean: 1.3, std: 0.1, low: 1.0, high: 1.6}``.
"""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal, Self

from pydantic import Discriminator, Field, Tag, model_validator

from lensml.schema.base import Positive, Section

LEAST_SHARE = 1e-4  # of the draws of a truncated prior that are kept
MOST = 1_000_000  # subhalos of a lens


class Uniform(Section):
    """Uniform between ``low`` and ``high``."""

    dist: Literal["uniform"]
    """Uniform between `low` and `high`."""
    low: float
    """Lowest value."""
    high: float
    """Highest value."""

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        return _check_order(self, self.low, self.high)


class LogUniform(Section):
    """Uniform in the logarithm between ``low`` and ``high`` (both > 0)."""

    dist: Literal["log_uniform"]
    """Uniform in the logarithm."""
    low: Positive
    """Lowest value, above 0."""
    high: Positive
    """Highest value."""

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        return _check_order(self, self.low, self.high)


class Normal(Section):
    """Normal; with ``absolute`` its modulus; redrawn until it lies in [``low``, ``high``]."""

    dist: Literal["normal"]
    """Normal, redrawn until it lies between `low` and `high`."""
    mean: float
    """Of the normal."""
    std: Positive
    """Of the normal."""
    absolute: bool = False
    """Its modulus is taken."""
    low: float | None = None
    """Lowest value; none if left out."""
    high: float | None = None
    """Highest value; none if left out."""

    @model_validator(mode="after")
    def _reachable(self) -> Self:
        low = -float("inf") if self.low is None else self.low
        high = float("inf") if self.high is None else self.high
        if not low < high:
            raise ValueError(f"low ({self.low}) must be below high ({self.high})")
        share = _share(low, high, self.mean, self.std)
        if self.absolute:
            share = _share(max(low, 0.0), high, self.mean, self.std)
            share += _share(-high, min(-low, 0.0), self.mean, self.std)
        _check_share(share, self.low, self.high, f"mean ({self.mean}) and std ({self.std})")
        return self


class LogNormal(Section):
    """Normal in log10 about ``median`` with ``std_dex``; redrawn until in [``low``, ``high``]."""

    dist: Literal["log_normal"]
    """Normal in log10, redrawn until it lies between `low` and `high`."""
    median: Positive
    """Of the draws."""
    std_dex: Positive
    """Standard deviation of log10."""
    low: Positive
    """Lowest value."""
    high: Positive
    """Highest value."""

    @model_validator(mode="after")
    def _reachable(self) -> Self:
        if not self.low < self.median < self.high:
            raise ValueError(
                f"median ({self.median}) must lie between low and high "
                f"({self.low} and {self.high})"
            )
        low, mean, high = (math.log10(x) for x in (self.low, self.median, self.high))
        share = _share(low, high, mean, self.std_dex)
        given = f"median ({self.median}) and std_dex ({self.std_dex})"
        _check_share(share, self.low, self.high, given)
        return self


def _share(low: float, high: float, mean: float, std: float) -> float:
    """Probability of a normal between two ends."""
    below = [math.erf((end - mean) / std / math.sqrt(2)) for end in (low, high)]
    return (below[1] - below[0]) / 2


def _check_share(share: float, low: float | None, high: float | None, given: str) -> None:
    """Redrawing until one in many falls between the ends would take forever."""
    if share < LEAST_SHARE:
        raise ValueError(
            f"of a normal of {given} {share:.1g} lies in [low, high] = [{low}, {high}]; "
            f"at least {LEAST_SHARE:g} must"
        )


class Poisson(Section):
    """Poisson-distributed count."""

    dist: Literal["poisson"]
    """A Poisson-distributed count."""
    mean: Annotated[float, Field(ge=0, le=MOST)]
    """Of the count."""


def _check_order(section: Any, low: float, high: float) -> Any:
    if low > high:
        raise ValueError(f"low ({low}) must not exceed high ({high})")
    return section


def _prior_tag(value: Any) -> str:
    if isinstance(value, dict):
        return str(value.get("dist", "dist missing"))
    return getattr(value, "dist", "constant")


Prior = Annotated[
    Annotated[float, Tag("constant")]
    | Annotated[Uniform, Tag("uniform")]
    | Annotated[LogUniform, Tag("log_uniform")]
    | Annotated[Normal, Tag("normal")]
    | Annotated[LogNormal, Tag("log_normal")],
    Discriminator(
        _prior_tag,
        custom_error_type="prior",
        custom_error_message="should be a number or a mapping whose 'dist' is uniform, "
        "log_uniform, normal or log_normal",
    ),
]

CountPrior = Annotated[
    Annotated[int, Tag("constant"), Field(ge=0, le=MOST)] | Annotated[Poisson, Tag("poisson")],
    Discriminator(
        _prior_tag,
        custom_error_type="count_prior",
        custom_error_message="should be a whole number or {dist: poisson, mean: ...}",
    ),
]


Arcsec = Annotated[float, Field(ge=0, le=60)]  # from the centre of the field


class Disc(Section):
    """Uniform in area inside a disc of ``radius`` arcsec."""

    shape: Literal["disc"]
    """Uniform in area inside a disc."""
    radius: Arcsec
    """Arcsec."""


class DiscThetaE(Section):
    """Uniform in area inside a disc whose radius is ``radius`` times the Einstein radius."""

    shape: Literal["disc_theta_E"]
    """Uniform in area inside a disc as large as the lens."""
    radius: Annotated[float, Field(ge=0, le=20)]
    """In Einstein radii."""


class Annulus(Section):
    """Uniform in *radius* between ``r_min`` and ``r_max`` arcsec, so density falls as 1/r."""

    shape: Literal["annulus"]
    """Uniform in *radius*, so that density falls as 1/r."""
    r_min: Arcsec
    """Arcsec."""
    r_max: Annotated[float, Field(gt=0, le=60)]
    """Arcsec."""

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        return _check_order(self, self.r_min, self.r_max)


class Square(Section):
    """Uniform in the square of side 2 ``half_width`` arcsec."""

    shape: Literal["square"]
    """Uniform in a square."""
    half_width: Arcsec
    """Half of its side, arcsec."""


Position = Annotated[Disc | DiscThetaE | Annulus | Square, Field(discriminator="shape")]


def lowest(prior: Prior) -> float:
    """The smallest value that a prior can give (that of a normal without bounds is -inf)."""
    match prior:
        case Uniform() | LogUniform() | LogNormal():
            return prior.low
        case Normal():
            floor = 0.0 if prior.absolute else -float("inf")
            return floor if prior.low is None else max(floor, prior.low)
        case _:
            return float(prior)
