"""Adapter of the rule plot_transfer."""

from lensml.figures import plot_transfer
from lensml.workflow import job, style_of

with job(snakemake):
    given = snakemake.params
    plot_transfer(snakemake.input.table, style=style_of(given.figures), output=snakemake.output)
