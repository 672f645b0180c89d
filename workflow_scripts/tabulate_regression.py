"""Adapter of the rule tabulate_regression."""

from lensml.evaluation.regression.table import tabulate_regression
from lensml.schema.training import Evaluation
from lensml.workflow import job

with job(snakemake):
    given = snakemake.params
    tabulate_regression(
        given.rows,
        snakemake.output,
        Evaluation.model_validate(given.evaluation),
        seed=given.seed,
        audits=snakemake.input.audits,
    )
