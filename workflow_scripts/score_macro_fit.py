"""Adapter of the rule score_macro_fit."""

from lensml.evaluation.anomaly.macro_fit import collect_fits
from lensml.workflow import job, scored_of, setting_of

with job(snakemake):
    given = snakemake.input
    collect_fits([given.test, given.proxies], scored_of(snakemake), setting_of(snakemake))
