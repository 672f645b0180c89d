"""Adapter of the rule simulate_grid."""

from lensml.schema.simulation import Domain
from lensml.simulate.grid import simulate_grid
from lensml.workflow import grid_of, job

with job(snakemake):
    given = snakemake.params
    simulate_grid(
        snakemake.output.folder,
        domain=Domain.model_validate(given.domain),
        classes=given.classes,
        grid=grid_of(given.grid),
        seed=given.seed,
        **given.simulation,
    )
