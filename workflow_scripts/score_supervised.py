"""Adapter of the rule score_supervised."""

from lensml.evaluation.anomaly.baselines import score_supervised
from lensml.workflow import job, setting_of

with job(snakemake):
    given = snakemake.params
    score_supervised(
        snakemake.input.predictions,
        given.test,
        snakemake.output.scores,
        classes=given.classes,
        setting=setting_of(snakemake),
    )
