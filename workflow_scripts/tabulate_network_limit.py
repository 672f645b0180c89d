"""Adapter of the rule tabulate_network_limit."""

from lensml.evaluation.limit.networks import tabulate_network_limit
from lensml.workflow import job

with job(snakemake):
    tabulate_network_limit(
        snakemake.input.tables, snakemake.output, confidence=snakemake.params.confidence
    )
