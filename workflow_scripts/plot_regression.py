"""Adapter of the rule plot_regression."""

from lensml.figures import plot_regression
from lensml.workflow import job, style_of

with job(snakemake):
    given = snakemake.params
    plot_regression(
        given.runs,
        title=given.title,
        style=style_of(given.figures),
        output=snakemake.output,
    )
