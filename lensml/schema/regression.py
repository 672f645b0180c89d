"""The second task of the classifier's encoders: how much substructure, and which axion."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from lensml.schema.base import Count, Name, UniqueNames, check_unique
from lensml.schema.population import Population
from lensml.schema.training import Optimization

# Class -> what is regressed on its images.
TARGETS = {"cdm": "log10_mass_fraction", "vortex": "log10_axion_mass"}


class RegressionRecipe(Optimization):
    """How a strength is regressed."""

    initialise: Literal["classifier", "scratch"]
    """`classifier`: the encoder starts from the trained classifier of the same seed; `scratch`:
    from weights drawn from the seed.
    """
    epochs: Count
    """Passes over the training images of the class."""
    evaluations_per_epoch: Count
    """Validations of which the weights with the lowest Gaussian negative log-likelihood are kept.
    """
    ema_decay: Annotated[float, Field(ge=0, lt=1)]
    """Of the moving average of the weights; 0 switches it off."""
    augment: bool
    """As for the classifier; `classifier.test_time_augmentation` holds here too."""


class Regression(RegressionRecipe):
    """Gaussian regression of the substructure's strength, one network per class."""

    domains: Annotated[list[Name], AfterValidator(check_unique)]
    """Of `classifier.domains`; `[]` switches it off. What is regressed must vary from image to
    image.
    """
    encoders: UniqueNames
    """Which of `classifier.encoders`."""

    @property
    def recipe(self) -> RegressionRecipe:
        """Without the lists that say which runs exist."""
        return self.part(RegressionRecipe)


def constant_targets(population: Population, substructures: Sequence[str]) -> list[str]:
    """Targets that a population gives every image alike, so that there is nothing to learn."""
    fixed = isinstance(population.vortex.log10_axion_mass, float)
    return [TARGETS["vortex"]] if fixed and "vortex" in substructures else []
