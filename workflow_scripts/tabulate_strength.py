"""Adapter of the rule tabulate_strength."""

from lensml.evaluation.classification.strength import tabulate_strength
from lensml.schema.training import Evaluation
from lensml.workflow import job

with job(snakemake):
    given = snakemake.params
    evaluation = Evaluation.model_validate(given.evaluation)
    tabulate_strength(
        given.rows, given.stores, snakemake.output.table, evaluation, seed=given.seed
    )
