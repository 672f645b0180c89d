"""Adapter of the rule pool_unlabelled."""

from lensml.simulate.dataset import pool_unlabelled
from lensml.workflow import job

with job(snakemake):
    given = snakemake.params
    pool_unlabelled(given.store, given.stores, seed=given.seed)
