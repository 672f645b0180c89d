"""Adapter of the rule tabulate_reliability."""

from lensml.evaluation.classification.calibration import tabulate_reliability
from lensml.schema.training import Evaluation
from lensml.workflow import job

with job(snakemake):
    given = snakemake.params
    evaluation = Evaluation.model_validate(given.evaluation)
    tabulate_reliability(given.rows, snakemake.output.table, evaluation, seed=given.seed)
