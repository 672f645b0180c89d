"""Adapter of the rule score_total_flux."""

from lensml.evaluation.baselines import score_total_flux
from lensml.workflow import job, setting_of

with job(snakemake):
    given = snakemake.params
    score_total_flux(
        given.test,
        snakemake.output.scores,
        classes=given.classes,
        setting=setting_of(snakemake),
    )
