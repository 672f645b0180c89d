"""Adapter of the rule tabulate_attribution."""

from lensml.evaluation.attribution.table import tabulate_attribution
from lensml.schema.training import Evaluation
from lensml.workflow import job

with job(snakemake):
    given = snakemake.params
    tabulate_attribution(
        given.rows,
        snakemake.output,
        Evaluation.model_validate(given.evaluation),
        seed=given.seed,
        audits=snakemake.input.audits,
    )
