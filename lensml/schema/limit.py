"""What the physical limit is computed for."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from lensml.schema.base import Count, Section, UniqueNames, _check_unique


class Limit(Section):
    """Bounds on the AUC that any method can reach, with lens and source unknown."""

    domains: Literal["all"] | UniqueNames  # those without noise have no limit and are left out
    n_systems: Annotated[int, Field(ge=2)]  # test systems of the upper bound
    n_bank_systems: Annotated[int, Field(ge=2)]  # the first of them, of the lower bound
    n_templates: Annotated[int, Field(ge=2)]  # per class and system, which the classifier knows
    n_draws: Annotated[int, Field(ge=2)]  # per class and system, on which it is tested
    supersampling_factor: Count  # rays per pixel and axis
    # The grid, for populations whose subhalos have an f_sub.
    f_sub: Annotated[list[Annotated[float, Field(gt=0, le=1)]], AfterValidator(_check_unique)]
    magnitudes: Annotated[list[float], AfterValidator(_check_unique)]  # of the source, unlensed
