"""Adapter of the rule plot_limit."""

from lensml.figures import plot_limit
from lensml.workflow import job, style_of

with job(snakemake):
    given = snakemake.params
    plot_limit(
        snakemake.input.table,
        title=given.title,
        style=style_of(given.figures),
        output=snakemake.output,
    )
