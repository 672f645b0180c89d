"""Adapter of the rule tabulate_adaptation."""

from lensml.evaluation.tables import tabulate_adaptation
from lensml.schema.training import Evaluation
from lensml.workflow import job

with job(snakemake):
    given = snakemake.params
    evaluation = Evaluation.model_validate(given.evaluation)
    tabulate_adaptation(
        given.rows,
        snakemake.output,
        evaluation,
        seed=given.seed,
        audits=snakemake.input.audits,
    )
