"""Adapter of the rule plot_roc_adaptation."""

from lensml.figures import plot_roc_adaptation
from lensml.workflow import job, style_of

with job(snakemake):
    given = snakemake.params
    plot_roc_adaptation(
        given.runs,
        title=given.title,
        style=style_of(given.figures),
        output=snakemake.output,
    )
