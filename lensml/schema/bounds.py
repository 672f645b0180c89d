"""What a physical key may be: bounds of numbers and of priors, with the reason in the error."""

from __future__ import annotations

from typing import Any

from pydantic import AfterValidator

from lensml.schema.priors import (
    Annulus,
    LogNormal,
    LogUniform,
    Normal,
    Position,
    Prior,
    Square,
    Uniform,
)

SIGMAS = 5.0  # standard deviations that a normal without bounds is taken to reach


def reach(prior: Prior) -> tuple[float, float]:
    """Lowest and highest value of a prior, a normal's to five standard deviations."""
    match prior:
        case Uniform() | LogUniform() | LogNormal():
            return prior.low, prior.high
        case Normal():
            return _reach_of_normal(prior)
        case _:
            return float(prior), float(prior)


def _reach_of_normal(prior: Normal) -> tuple[float, float]:
    low, high = prior.mean - SIGMAS * prior.std, prior.mean + SIGMAS * prior.std
    if prior.absolute:
        low, high = 0.0, max(abs(low), abs(high))
    low = low if prior.low is None else max(low, prior.low)
    high = high if prior.high is None else min(high, prior.high)
    return low, high


def radius_of(position: Position) -> float:
    """How far from the centre a position can lie, in its unit."""
    match position:
        case Annulus():
            return position.r_max
        case Square():
            return position.half_width * 2**0.5
        case _:
            return position.radius


def within(low: float, high: float, unit: str = "", why: str = "") -> AfterValidator:
    """Validator of a number or a prior that must stay between two ends, which are allowed.

    Args:
        low, high: the ends.
        unit: of the key.
        why: what lies beyond them.
    """
    allowed = f"between {low:g} and {high:g}" + (f" {unit}" if unit else "")

    def check(value: Any) -> Any:
        for end in reach(value):
            if not low <= end <= high:
                what = "" if isinstance(value, int | float) else f", its prior reaches {end:g}"
                raise ValueError(f"must lie {allowed}{what}" + (f"; {why}" if why else ""))
        return value

    return AfterValidator(check)


def mass(low: float = 1e2, high: float = 1e14) -> AfterValidator:
    """Validator of a mass in Msun, which its logarithm is taken for more often than not."""

    def check(value: Any) -> Any:
        for end in reach(value):
            if not low <= end <= high:
                raise ValueError(f"must lie between {low:g} and {high:g} Msun{_as_log(end)}")
        return value

    return AfterValidator(check)


def _as_log(value: float) -> str:
    if not 1 < value < 15:
        return ""
    return f"; {value:g} looks like its log10: write {as_yaml(10**value)}"


def as_yaml(value: float) -> str:
    """A number as every YAML reader takes it for one: 1.0e10."""
    mantissa, _, exponent = f"{value:.3e}".partition("e")
    return f"{float(mantissa)}e{int(exponent)}"
