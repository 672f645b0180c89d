"""Adapter of the rule tabulate_anomaly."""

from lensml.evaluation.tables import tabulate_anomaly
from lensml.schema.training import Evaluation
from lensml.workflow import job

with job(snakemake):
    given = snakemake.params
    evaluation = Evaluation.model_validate(given.evaluation)
    tabulate_anomaly(
        given.rows,
        snakemake.output,
        evaluation,
        seed=given.seed,
        audits=snakemake.input.audits,
    )
