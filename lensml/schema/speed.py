"""What the benchmark of training measures."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field

from lensml.schema.base import Count, Name, Section, check_unique
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


class Benchmarks(Benchmark):
    """Speed of the simulator, of the loader, of training and of the workflow."""

    training: TrainingSpeed
    workflow: WorkflowSpeed

    @property
    def rendering(self) -> Benchmark:
        """Without what else is measured."""
        return self.part(Benchmark)
