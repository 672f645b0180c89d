"""Adapter of the rules tabulate_classification, tabulate_adaptation and their like."""

from lensml.evaluation.statistics.tables import tabulate
from lensml.schema.training import Evaluation
from lensml.workflow import job

with job(snakemake):
    given = snakemake.params
    tabulate(
        given.kind,
        given.rows,
        snakemake.output,
        Evaluation.model_validate(given.evaluation),
        seed=given.seed,
        audits=snakemake.input.audits,
    )
