"""Adapter of the rule pool_fits."""

from lensml.fit.pool import pool_fits
from lensml.workflow import job

with job(snakemake):
    given = snakemake.params
    pool_fits(given.pool, given.store, given.labelled, seed=given.seed)
