"""Adapter of the rule fit_grid."""

from lensml.fit.grid import fit_grid
from lensml.schema.fit import Fit
from lensml.workflow import grid_of, job

with job(snakemake):
    given = snakemake.params
    fit_grid(
        snakemake.input.folder,
        snakemake.output.folder,
        snakemake.input.reference,
        classes=given.classes,
        grid=grid_of(given.grid),
        spec=Fit.model_validate(given.fit),
    )
