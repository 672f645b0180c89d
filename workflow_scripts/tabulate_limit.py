"""Adapter of the rule tabulate_limit."""

from lensml.evaluation.limit import tabulate_limit
from lensml.workflow import job

with job(snakemake):
    tabulate_limit(
        snakemake.input.tables, snakemake.output, confidence=snakemake.params.confidence
    )
