"""Adapter of every rule that makes a figure."""

from lensml.workflow import job, make

with job(snakemake):
    make(snakemake)
