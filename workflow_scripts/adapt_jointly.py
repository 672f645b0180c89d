"""Adapter of the rule adapt_jointly."""

from lensml.schema.adaptation import JOINT_METHODS
from lensml.training.adaptation.run import adapt_jointly
from lensml.workflow import adaptation_of, job, results_of

with job(snakemake):
    given = snakemake.params
    settings = JOINT_METHODS[snakemake.wildcards.method]
    adapt_jointly(
        snakemake.wildcards.method,
        given.source,
        given.target,
        snakemake.input.weights,
        results_of(snakemake.output),
        own=settings.model_validate(given.own),
        **adaptation_of(snakemake),
    )
