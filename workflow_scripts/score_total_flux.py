"""Adapter of the rule score_total_flux."""

from lensml.evaluation.anomaly.baselines import score_total_flux
from lensml.workflow import job, scored_of, setting_of

with job(snakemake):
    score_total_flux(scored_of(snakemake), setting=setting_of(snakemake))
