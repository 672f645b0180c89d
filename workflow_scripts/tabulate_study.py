"""Adapter of the rule tabulate_study."""

from lensml.evaluation.classification.studies import tabulate_study
from lensml.schema.training import Evaluation
from lensml.workflow import job

with job(snakemake):
    given = snakemake.params
    tabulate_study(
        snakemake.wildcards.study,
        given.rows,
        snakemake.output[:3],
        snakemake.output.curves,
        Evaluation.model_validate(given.evaluation),
        compare_with=given.compare_with,
        seed=given.seed,
        audits=snakemake.input.audits,
    )
