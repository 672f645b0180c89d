"""Adapter of the rule predict_grid."""

from lensml.evaluation.limit.networks import predict_grid
from lensml.workflow import encoder_of, grid_of, job, setting_of

with job(snakemake):
    given = snakemake.params
    predict_grid(
        snakemake.input.folder,
        snakemake.input.weights,
        snakemake.output.predictions,
        classes=given.classes,
        grid=grid_of(given.grid),
        encoder=encoder_of(given.encoder),
        symmetry=given.symmetry,
        setting=setting_of(snakemake),
    )
