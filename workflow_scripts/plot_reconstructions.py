"""Adapter of the rule plot_reconstructions."""

from lensml.figures import plot_reconstructions
from lensml.workflow import job, style_of

with job(snakemake):
    given = snakemake.params
    plot_reconstructions(
        snakemake.input.examples,
        snakemake.input.truth,
        title=given.title,
        style=style_of(given.figures),
        output=snakemake.output,
    )
