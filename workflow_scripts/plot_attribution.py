"""Adapter of the rule plot_attribution."""

from lensml.figures import plot_attribution
from lensml.workflow import job, style_of

with job(snakemake):
    given = snakemake.params
    plot_attribution(
        snakemake.input.examples,
        encoder=given.encoder,
        title=given.title,
        style=style_of(given.figures),
        output=snakemake.output,
    )
