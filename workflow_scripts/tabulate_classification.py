"""Adapter of the rule tabulate_classification."""

from lensml.evaluation.tables import tabulate_classification
from lensml.schema.training import Evaluation
from lensml.workflow import job

with job(snakemake):
    given = snakemake.params
    evaluation = Evaluation.model_validate(given.evaluation)
    tabulate_classification(
        given.rows,
        snakemake.output,
        evaluation,
        seed=given.seed,
        audits=snakemake.input.audits,
    )
