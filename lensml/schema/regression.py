"""The second task of the classifier's encoders: how much substructure, and which axion."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from lensml.schema.base import Count, Name, UniqueNames, check_unique
from lensml.schema.simulation import Population
from lensml.schema.training import Optimization

# Class -> what is regressed on its images.
TARGETS = {"cdm": "log10_mass_fraction", "vortex": "log10_axion_mass"}


class RegressionRecipe(Optimization):
    """How a strength is regressed."""

    initialise: Literal["classifier", "scratch"]  # the encoder, of the same seed
    epochs: Count
    evaluations_per_epoch: Count  # validations of which the best is chosen
    ema_decay: Annotated[float, Field(ge=0, lt=1)]  # 0 switches the averaging off
    augment: bool


class Regression(RegressionRecipe):
    """Gaussian regression of the substructure's strength, one network per class."""

    domains: Annotated[list[Name], AfterValidator(check_unique)]
    encoders: UniqueNames

    @property
    def recipe(self) -> RegressionRecipe:
        """Without the lists that say which runs exist."""
        return self.part(RegressionRecipe)


def constant_targets(population: Population, substructures: Sequence[str]) -> list[str]:
    """Targets that a population gives every image alike, so that there is nothing to learn."""
    fixed = isinstance(population.vortex.log10_axion_mass, float)
    return [TARGETS["vortex"]] if fixed and "vortex" in substructures else []
