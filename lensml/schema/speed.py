"""What the benchmark of training measures."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field

from lensml.schema.base import Count, Name, Positive, Section, UniqueNames, check_unique
from lensml.schema.training import Benchmark


class TrainingSpeed(Section):
    """Pieces of a training step, of every encoder of the classifier and of the autoencoder."""

    domain: Name  # of the catalogue: its pixels and symmetry
    n_images: Annotated[int, Field(ge=2)]  # per class, of noise: they cost what lenses cost
    steps: Count  # in one turn
    repeats: Annotated[int, Field(ge=2)]  # turns


class WorkflowSpeed(Section):
    """Costs of the workflow itself."""

    n_jobs: Annotated[list[Count], AfterValidator(check_unique)]  # planned in dry runs
    repeats: Count


class FitSpeed(Section):
    """Fits of smooth lenses beside those of scipy and of lenstronomy, to the same chi2."""

    domains: UniqueNames  # of the catalogue
    n_lenses: Annotated[int, Field(ge=2)]  # smooth test lenses
    n_lenses_lenstronomy: Count  # the first of them
    repeats: Count  # of what takes milliseconds
    tolerance: Positive  # chi2 above ours at which a fit has reached it
    n_particles: Annotated[int, Field(ge=2)]  # of the swarm
    n_iterations: Count  # of a round of lenstronomy's; chi2 is looked at between rounds
    max_seconds: Positive  # of one lens, after which lenstronomy is given up


class Benchmarks(Benchmark):
    """Speed of the simulator, of the loader, of fits, of training and of the workflow."""

    fits: FitSpeed
    training: TrainingSpeed
    workflow: WorkflowSpeed

    @property
    def rendering(self) -> Benchmark:
        """Without what else is measured."""
        return self.part(Benchmark)
