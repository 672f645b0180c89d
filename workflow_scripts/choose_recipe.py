"""Adapter of the rule choose_recipe."""

from lensml.evaluation.classification.search import choose_recipe
from lensml.schema.training import Evaluation
from lensml.workflow import job

with job(snakemake):
    given = snakemake.params
    choose_recipe(
        snakemake.input.table,
        snakemake.input.candidates,
        snakemake.output.overlay,
        encoder=given.encoder,
        spec=Evaluation.model_validate(given.evaluation),
    )
