"""What the physical limit is computed for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from pydantic import AfterValidator, Field

from lensml.schema.base import AllOrNames, Section, check_unique
from lensml.schema.bounds import within

UnlensedMagnitude = Annotated[float, within(5, 40, "mag")]


class Bounds(Section):
    """How the bounds are computed."""

    n_systems: Annotated[int, Field(ge=2)]  # test systems of the upper bound
    n_bank_systems: Annotated[int, Field(ge=2)]  # the first of them, of the lower bound
    n_templates: Annotated[int, Field(ge=2)]  # per class and system, which the classifier knows
    n_draws: Annotated[int, Field(ge=2)]  # per class and system, on which it is tested
    supersampling_factor: Annotated[int, Field(ge=1, le=16)]  # rays per pixel and axis
    # The grid, for populations whose subhalos have an f_sub.
    f_sub: Annotated[list[Annotated[float, Field(gt=0, le=1)]], AfterValidator(check_unique)]
    magnitudes: Annotated[
        list[UnlensedMagnitude], AfterValidator(check_unique)
    ]  # of the source, unlensed


class Limit(Bounds):
    """Bounds on the AUC that any method can reach, with lens and source unknown."""

    domains: AllOrNames  # those without noise have no limit and are left out
    # Per class and cell, on which networks are tested; the bounds do not depend on it.
    n_network_images: Annotated[int, Field(ge=2)] = 600

    @property
    def bounds(self) -> Bounds:
        """What the bounds depend on."""
        return self.part(Bounds)

    @property
    def grid(self) -> Grid:
        """Where networks are compared with the bounds."""
        return Grid(self.f_sub, self.magnitudes, self.n_network_images)


@dataclass(frozen=True)
class Grid:
    """Where networks are compared with the bounds.

    Attributes:
        f_sub: mass fractions of the subhalos.
        magnitudes: of the source, unlensed.
        n_network_images: test images per class and cell.
    """

    f_sub: Sequence[float]
    magnitudes: Sequence[float]
    n_network_images: int

    @property
    def cells(self) -> list[tuple[str, float, float]]:
        """Folder, f_sub and magnitude of every cell."""
        pairs = [(f_sub, magnitude) for f_sub in self.f_sub for magnitude in self.magnitudes]
        return [(f"f{f_sub:g}_m{magnitude:g}", f_sub, magnitude) for f_sub, magnitude in pairs]
