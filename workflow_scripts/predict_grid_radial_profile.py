"""Adapter of the rule predict_grid_radial_profile."""

from lensml.evaluation.limit.networks import predict_grid_radial_profile
from lensml.workflow import grid_of, job, setting_of

with job(snakemake):
    given = snakemake.params
    predict_grid_radial_profile(
        given.train,
        snakemake.input.folder,
        snakemake.output.predictions,
        classes=given.classes,
        grid=grid_of(given.grid),
        setting=setting_of(snakemake),
    )
