"""Adapter of the rule measure_network_limit."""

from lensml.evaluation.limit.networks import measure_network_limit
from lensml.schema.training import Evaluation
from lensml.workflow import job

with job(snakemake):
    given = snakemake.params
    measure_network_limit(
        given.runs,
        snakemake.input.limit,
        snakemake.output.table,
        Evaluation.model_validate(given.evaluation),
        domain=snakemake.wildcards.domain,
        seed=given.seed,
    )
