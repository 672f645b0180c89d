"""Adapter of the rules that score by fits: score_smooth_fit and score_potential_filter."""

from lensml.evaluation.anomaly.fits import score_fits
from lensml.workflow import job, scored_of, setting_of

with job(snakemake):
    fits = snakemake.params.fits
    parts = [fits["test"], fits["proxies"]]
    score_fits(parts, scored_of(snakemake), setting=setting_of(snakemake))
