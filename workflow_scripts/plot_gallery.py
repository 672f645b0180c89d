"""Adapter of the rule plot_gallery."""

from lensml.figures import plot_gallery
from lensml.workflow import job, style_of

with job(snakemake):
    given = snakemake.params
    plot_gallery(
        snakemake.input.examples,
        title=given.title,
        style=style_of(given.figures),
        output=snakemake.output,
    )
