"""Adapter of the rule plot_observed."""

from lensml.figures import plot_observed
from lensml.workflow import job, style_of

with job(snakemake):
    given = snakemake.params
    plot_observed(
        snakemake.input.examples,
        classes=given.classes,
        title=given.title,
        style=style_of(given.figures),
        output=snakemake.output,
    )
