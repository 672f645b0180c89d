"""Adapter of the rule tabulate_search."""

from lensml.evaluation.classification.search import tabulate_trials
from lensml.schema.training import Evaluation
from lensml.workflow import job

with job(snakemake):
    given, output = snakemake.params, snakemake.output
    tabulate_trials(
        snakemake.input.records,
        output[:3],
        output.importance,
        output.candidates,
        Evaluation.model_validate(given.evaluation),
        n_confirmed=given.n_confirmed,
        seed=given.seed,
    )
