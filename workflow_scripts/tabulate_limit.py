"""Adapter of the rule tabulate_limit."""

from lensml.evaluation.limit.bounds import tabulate_limit
from lensml.workflow import job

with job(snakemake):
    tabulate_limit(
        snakemake.input.tables, snakemake.output, confidence=snakemake.params.confidence
    )
