"""Adapter of the rule plot_history_classifier."""

from lensml.figures import plot_history_classifier
from lensml.workflow import job, style_of

with job(snakemake):
    given = snakemake.params
    plot_history_classifier(
        given.runs,
        title=given.title,
        style=style_of(given.figures),
        output=snakemake.output,
    )
