"""Adapter of the rule plot_embedding."""

from lensml.figures import plot_embedding
from lensml.workflow import job, style_of

with job(snakemake):
    given = snakemake.params
    plot_embedding(
        snakemake.input.table,
        title=given.title,
        style=style_of(given.figures),
        output=snakemake.output,
    )
