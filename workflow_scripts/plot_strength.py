"""Adapter of the rule plot_strength."""

from lensml.figures import plot_strength
from lensml.workflow import job, style_of

with job(snakemake):
    given = snakemake.params
    plot_strength(
        snakemake.input.table,
        title=given.title,
        style=style_of(given.figures),
        output=snakemake.output,
    )
