"""What the benchmark of training measures."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field

from lensml.schema.base import Count, Name, Positive, Section, UniqueNames, check_unique
from lensml.schema.training import Benchmark


class TrainingSpeed(Section):
    """Pieces of a training step, of every encoder of the classifier and of the autoencoder."""

    domain: Name
    """Of the catalogue: its pixels and symmetry."""
    n_images: Annotated[int, Field(ge=2)]
    """Noise images per class: they cost what lenses cost."""
    steps: Count
    """In one turn."""
    repeats: Annotated[int, Field(ge=2)]
    """Turns."""


class WorkflowSpeed(Section):
    """Costs of the workflow itself."""

    n_jobs: Annotated[list[Count], AfterValidator(check_unique)]
    """Jobs that dry runs plan."""
    repeats: Count
    """Turns."""


class FitSpeed(Section):
    """Fits of smooth lenses beside those of scipy and of lenstronomy, to the same chi2."""

    domains: UniqueNames
    """Of the catalogue."""
    n_lenses: Annotated[int, Field(ge=2)]
    """Smooth test lenses."""
    n_lenses_lenstronomy: Count
    """The first of them."""
    repeats: Count
    """Turns of what takes milliseconds."""
    tolerance: Positive
    """chi2 above ours that counts as equal."""
    n_particles: Annotated[int, Field(ge=2)]
    """Of lenstronomy's swarm."""
    n_iterations: Count
    """Of a round of the swarm or of the simplex."""
    max_seconds: Positive
    """Of one lens, after which lenstronomy is given up."""


class Benchmarks(Benchmark):
    """Speed of the simulator, of the loader, of fits, of training and of the workflow."""

    fits: FitSpeed
    """Of `snakemake benchmark_fits --cores 1` alone."""
    training: TrainingSpeed
    """Of `snakemake benchmark_training --cores 1` alone."""
    workflow: WorkflowSpeed
    """Of `snakemake benchmark_workflow --cores 1` alone."""

    @property
    def rendering(self) -> Benchmark:
        """Without what else is measured."""
        return self.part(Benchmark)
