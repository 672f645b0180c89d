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

    n_systems: Annotated[int, Field(ge=2)]
    """Test systems of the upper bound."""
    n_bank_systems: Annotated[int, Field(ge=2)]
    """The first of them, on which the lower bound is measured."""
    n_templates: Annotated[int, Field(ge=2)]
    """Simulated substructures per class and system that the lower bound's classifier knows."""
    n_draws: Annotated[int, Field(ge=2)]
    """Others per class and system that it is tested on."""
    supersampling_factor: Annotated[int, Field(ge=1, le=16)]
    """Rays per pixel and axis."""
    f_sub: Annotated[list[Annotated[float, Field(gt=0, le=1)]], AfterValidator(check_unique)]
    """Of the grid of substructure and source magnitude, for populations with an `f_sub`; every
    domain also has rows of its population as it is, where these columns are empty.
    """
    magnitudes: Annotated[list[UnlensedMagnitude], AfterValidator(check_unique)]
    """Of the grid: of the unlensed source, mag."""


class Limit(Bounds):
    """Bounds on the AUC that any method can reach, with lens and source unknown."""

    domains: AllOrNames
    """`all`, or a list of `domains`. Domains without noise have no limit and are left out."""
    n_network_images: Annotated[int, Field(ge=2)] = 600
    """Test images per class and cell of the grid on which the classifiers of the domain are judged
    (`snakemake network_limit`).
    """

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
