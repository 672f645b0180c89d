"""Adapter of the rule model_observed."""

from lensml.evaluation.observed_models import model_observed
from lensml.schema.observed import ObservedLens
from lensml.workflow import job

with job(snakemake):
    model_observed(
        snakemake.params.name,
        ObservedLens.model_validate(snakemake.params.lens),
        snakemake.output.row,
        snakemake.output.examples,
        n_mocks=snakemake.params.n_mocks,
        seed=snakemake.params.seed,
    )
