"""Adapter of the rule fit_target_camera."""

from lensml.data.agreement import fit_target_camera
from lensml.schema.simulation import Domain
from lensml.workflow import job

with job(snakemake):
    given = snakemake.params
    fit_target_camera(
        Domain.model_validate(given.source),
        given.source_stores,
        given.target_pool,
        snakemake.output.fit,
        seed=given.seed,
    )
