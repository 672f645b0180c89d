"""Adapter of the rule plot_reliability."""

from lensml.figures import plot_reliability
from lensml.workflow import job, style_of

with job(snakemake):
    given = snakemake.params
    plot_reliability(
        snakemake.input.table,
        title=given.title,
        style=style_of(given.figures),
        output=snakemake.output,
    )
