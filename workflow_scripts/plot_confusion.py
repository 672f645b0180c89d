"""Adapter of the rule plot_confusion."""

from lensml.figures import plot_confusion
from lensml.workflow import job, style_of

with job(snakemake):
    given = snakemake.params
    plot_confusion(
        given.runs,
        title=given.title,
        style=style_of(given.figures),
        output=snakemake.output,
    )
