"""What a physical key may be: bounds of numbers and of priors, with the reason in the error."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core.core_schema import CoreSchema, no_info_after_validator_function

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


@dataclass(frozen=True)
class Within:
    """Validator of a number or a prior that must stay between two ends, which are allowed.

    Attributes:
        low, high: the ends.
        rule: what a value beyond them is told; from the end that it reaches.
    """

    low: float
    high: float
    rule: Callable[[Any, float], str]

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return no_info_after_validator_function(self._checked, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """Bounds of a number that editors know; those of a prior take the validator."""
        json_schema = handler(schema)
        for option in (json_schema, *json_schema.get("oneOf", ())):
            if option.get("type") == "number":
                option.update(minimum=self.low, maximum=self.high)
        return json_schema

    def _checked(self, value: Any) -> Any:
        for end in reach(value):
            if not self.low <= end <= self.high:
                raise ValueError(self.rule(value, end))
        return value


def within(low: float, high: float, unit: str = "", why: str = "") -> Within:
    """Validator of a number or a prior that must stay between two ends, which are allowed.

    Args:
        low, high: the ends.
        unit: of the key.
        why: what lies beyond them.
    """
    allowed = f"between {low:g} and {high:g}" + (f" {unit}" if unit else "")

    def rule(value: Any, end: float) -> str:
        what = "" if isinstance(value, int | float) else f", its prior reaches {end:g}"
        return f"must lie {allowed}{what}" + (f"; {why}" if why else "")

    return Within(low, high, rule)


def mass(low: float = 1e2, high: float = 1e14) -> Within:
    """Validator of a mass in Msun, which its logarithm is taken for more often than not."""
    allowed = f"must lie between {low:g} and {high:g} Msun"
    return Within(low, high, lambda value, end: allowed + _as_log(end))


def _as_log(value: float) -> str:
    if not 1 < value < 15:
        return ""
    return f"; {value:g} looks like its log10: write {as_yaml(10**value)}"


def as_yaml(value: float) -> str:
    """A number as every YAML reader takes it for one: 1.0e10."""
    mantissa, _, exponent = f"{value:.3e}".partition("e")
    return f"{float(mantissa)}e{int(exponent)}"
