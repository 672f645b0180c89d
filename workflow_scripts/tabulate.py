"""Adapter of every rule that makes a table."""

from lensml.workflow import job, make

with job(snakemake):
    make(snakemake)
